"""The Python blocks of the documentation: found here, run by the tier that may use what they use."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from worlds import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Block(NamedTuple):
    """A block of Python on a page.

    Attributes:
        page: where it stands.
        line: of its first line, from 1.
        code: its text.
    """

    page: Path
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def needs_an_emulator(self) -> bool:
        """Whether it starts one: then it takes half a minute, and belongs to the end-to-end tests."""
        return "Stack.up(" in self.code

    def run(self) -> None:
        """Run it as a reader would. What it prints must stand in it as a comment."""
        printed, names = StringIO(), dict[str, Any](__name__="documentation")
        with redirect_stdout(printed):
            # Behind empty lines, so that an error names the line of the page.
            exec(compile("\n" * (self.line - 1) + self.code, str(self.page), "exec"), names)  # noqa: S102
        for line in printed.getvalue().splitlines():
            assert f"# {line}\n" in self.code, f"{self} prints {line!r}"


def blocks() -> list[Block]:
    """Every block of Python on every page."""
    return [
        Block(page, text.count("\n", 0, found.start(1)) + 1, found[1])
        for page in PAGES
        for text in [page.read_text("utf-8")]
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]
