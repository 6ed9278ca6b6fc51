"""The pages that say how to extend it are walked through, on a copy of the repository."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from worlds import ROOT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".tiffin", ".aws-sam", "build", "node_modules", "__pycache__", ".*_cache", ".hypothesis"
)


class Copy:
    """A copy of the repository, with the environment of this one.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "copy"
        shutil.copytree(ROOT, self.folder, ignore=LEFT_OUT)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")

    def run(self, command: str, text: str | None = None) -> str:
        """Run a command as a reader types it there; returns what it printed."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # Of whoever has no name in git.
        environment |= {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command],
            cwd=self.folder, env=environment, input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout + done.stderr

    def clone(self) -> None:
        """Let git know it, as a clone is known."""
        self.run("git init -q && printf '%s\\n' .venv >> .git/info/exclude && git add -A && git commit -qm begin")

    def apply(self, page: str) -> None:
        """Apply every block of changes of a page."""
        for block in blocks(page, "diff"):
            self.run("git apply -", block)


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in a language."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_promo_rule_is_added(copy: Copy) -> None:
    copy.apply("add-a-promo-rule.md")
    [commands] = blocks("add-a-promo-rule.md", "sh")
    assert commands.count(".venv/bin/pytest ") == 2
    copy.run(commands)
    copy.run(".venv/bin/ruff check . && .venv/bin/ruff format --check .")


def test_a_promo_rule_without_its_promise_is_noticed(copy: Copy) -> None:
    [rule, *_] = blocks("add-a-promo-rule.md", "diff")
    copy.run("git apply -", rule)
    with pytest.raises(AssertionError, match="night_owl"):
        copy.run(".venv/bin/pytest tests/unit/test_terms_of_promo_codes.py")


def test_a_status_is_added(copy: Copy) -> None:
    copy.apply("add-a-status.md")
    for block in blocks("add-a-status.md", "sh"):
        copy.run(block)
    assert "HANDED_OVER" in (copy.folder / "statemachines/order.asl.json").read_text()


def test_a_status_that_is_only_in_the_workflow_is_noticed(copy: Copy) -> None:
    [state] = [block for block in blocks("add-a-status.md", "diff") if "+++ b/statemachines" in block]
    copy.run("git apply -", state)
    with pytest.raises(AssertionError, match="its_timeline_is_a_life"):
        copy.run(".venv/bin/pytest -x --show-capture=no tests/unit/test_turns.py")


def test_it_is_made_yours(copy: Copy) -> None:
    copy.clone()
    for block in blocks("make-it-yours.md", "sh"):
        copy.run(block)
    left = copy.run("git grep -Ii tiffin || true; git ls-files | grep -i tiffin || true")
    assert left == ""
    assert '"source": "larder.orders"' in (copy.folder / "events/examples/OrderPlaced.json").read_text().replace(
        "'", '"'
    )
    copy.run(".venv/bin/ruff check . && .venv/bin/ruff format --check .")
    copy.run(".venv/bin/python scripts/event_contracts.py compare")
    copy.run(".venv/bin/python scripts/lint_statemachines.py && .venv/bin/python scripts/lint_templates.py")
    tests = ["contract/test_announcements", "contract/test_schemas", "contract/test_bus_policy", "unit/test_orders_api"]
    copy.run(f".venv/bin/pytest {' '.join(f'tests/{name}.py' for name in tests)}")
