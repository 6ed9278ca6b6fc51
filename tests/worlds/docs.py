"""The blocks of code in the documentation: found here, run by the tier that may use what they use.

What becomes of a block, its first line says: a language, and a mark if nobody runs it.

===============  =======================================================================================
no language, sh  a shell's: pasted into one (tests/contract/test_docs_commands.py)
python           run (tests/contract/test_docs.py; tests/e2e/test_docs.py, if it starts an emulator)
diff             applied to a copy of the repository (tests/contract/test_extending.py)
mermaid          drawn by the site in a browser (tests/browser/test_site.py)
json             parsed; a message or an event is valid against its contract
text             what a program prints, or a drawing of letters
… output         what a program prints, in some language
… sketch         what shows an idea, and would need more than stands there to run; it has its language's form
===============  =======================================================================================
"""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from worlds import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted((ROOT / "tests").rglob("README.md")),
]


class Block(NamedTuple):
    """A block of code on a page.

    Attributes:
        page: where it stands.
        line: of its first line, from 1.
        language: of its code; empty for a shell's.
        mark: what it is if nobody runs it, such as `output`; or empty.
        code: its text, without the spaces before the block.
    """

    page: Path
    line: int
    language: str
    mark: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def needs_an_emulator(self) -> bool:
        """Whether it starts one: then it takes half a minute, and belongs to the end-to-end tests."""
        return "Stack.up(" in self.code

    def run(self) -> None:
        """Run its Python as a reader would. What it prints must stand in it as a comment."""
        printed, names = StringIO(), dict[str, Any](__name__="documentation")
        with redirect_stdout(printed):
            # Behind empty lines, so that an error names the line of the page.
            exec(compile("\n" * (self.line - 1) + self.code, str(self.page), "exec"), names)  # noqa: S102
        for line in printed.getvalue().splitlines():
            assert f"# {line}\n" in self.code, f"{self} prints {line!r}"


def blocks(*languages: str, mark: str | None = "") -> list[Block]:
    """The blocks of every page.

    Args:
        languages: of which; of all, if none is given.
        mark: with this mark; None for all, marked or not.
    """
    return [
        Block(page, text.count("\n", 0, found.start(4)) + 1, found[2], found[3], code)
        for page in PAGES
        for text in [page.read_text("utf-8")]
        for found in re.finditer(r"^( *)```(\S*) *([^\n]*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
        for code in [re.sub(rf"^{found[1]}", "", found[4], flags=re.MULTILINE)]
        if (not languages or found[2] in languages) and mark in (None, found[3])
    ]
