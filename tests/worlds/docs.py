"""The blocks of code in the documentation: found here, run by the tier that may use what they use.

What becomes of a block, its first line says: a language, and a mark if nobody runs it.

===============  =======================================================================================
no language      pasted into a shell whose programs do nothing: it is well-formed, and what it calls is
                 there and takes what it is given (tests/contract/test_docs_commands.py). No more than that
sh               the same; besides, run: `RUN_BY` says by which test
diff             applied, by the same
text             what the command above it prints, compared by the same
python           run (tests/contract/test_docs.py; tests/e2e/test_docs.py, if it starts an emulator)
mermaid          drawn by the site in a browser (tests/browser/test_site.py)
json             parsed; a message or an event is valid against its contract
… output         what a program printed once, in some language. Nobody compares it
text drawing     a drawing of letters
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

RUN_BY = {
    **dict.fromkeys(
        [page for page in PAGES if re.fullmatch(r"\d\d-.*", page.stem) and page.parent.name == "tour"],
        "tests/e2e/test_lessons.py",
    ),
    ROOT / "docs" / "add-a-promo-rule.md": "tests/contract/test_extending.py",
    ROOT / "docs" / "add-a-status.md": "tests/contract/test_extending.py",
    ROOT / "docs" / "make-it-yours.md": "tests/contract/test_extending.py",
    ROOT / "docs" / "events.md": "tests/contract/test_docs.py",
    ROOT / "docs" / "laptop.md": "tests/e2e/test_lessons.py",
    ROOT / "docs" / "privacy.md": "tests/e2e/test_lessons.py",
    ROOT / "docs" / "runbooks" / "redrive.md": "tests/e2e/test_lessons.py",
}
"""Which test runs the blocks of a page that are a shell's or changes, and compares what they print."""


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
