"""A copy of the repository to type into, as a reader types into a clone, with what stands on a page."""

import os
import shutil
import subprocess
from pathlib import Path

from worlds import ROOT, docs

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
        # The environment is there: make has nothing to set up, whatever was checked out when.
        os.utime(self.folder / "requirements-dev.txt", (0, 0))

    def run(self, command: str, text: str | None = None, *, fails: bool = False, pasted: bool = False) -> str:
        """Run a command as a reader types it there; returns what it printed.

        Args:
            command: for a shell.
            text: what it reads.
            fails: whether it must fail, rather than not.
            pasted: whether the shell goes on after a line that fails, as one at a terminal does.
        """
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # Of whoever has no name in git.
        environment |= {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["bash", *([] if pasted else ["-eo", "pipefail"]), "-c", command],
            cwd=self.folder, env=environment, input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{command}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
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
    return [block.code for block in docs.blocks(language) if block.page == ROOT / "docs" / page]
