"""The pages that say how to extend it are walked through, on a copy of the repository."""

from pathlib import Path

import pytest
from worlds.copies import Copy, blocks


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
