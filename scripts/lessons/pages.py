"""The lessons as they are written: one page each, numbered by its file's name."""

import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

TOUR = Path(__file__).resolve().parents[2] / "docs" / "tour"

LANGUAGES = ("sh", "text", "diff", "mermaid")


class Lesson(NamedTuple):
    """One lesson.

    Attributes:
        number: by which a person calls it.
        title: its heading, without the number.
        page: where it stands.
    """

    number: int
    title: str
    page: Path


class Part(StrEnum):
    """Of a page, from top to bottom."""

    LESSON = "lesson"
    EXERCISE = "exercise"
    SOLUTION = "solution"
    WAY_BACK = "way back"


class Block(NamedTuple):
    """What stands between two fences of a page.

    Attributes:
        part: where.
        language: `sh` is typed, `text` is what is seen then, `diff` is given to `git apply`, `mermaid` is a drawing.
        text: what it holds.
    """

    part: Part
    language: str
    text: str


def lessons() -> dict[int, Lesson]:
    """All lessons by their numbers."""
    found = {}
    for page in sorted(TOUR.glob("[0-9][0-9]-*.md")):
        number = int(page.name[:2])
        heading = page.read_text("utf-8").partition("\n")[0]
        found[number] = Lesson(number, re.sub(r"^# \d+\. ", "", heading), page)
    return found


def blocks(lesson: Lesson) -> list[Block]:
    """What a lesson lets a person type and see, from top to bottom.

    Raises:
        ValueError: a block is neither typed, nor seen, nor applied, nor drawn.
    """
    text = lesson.page.read_text("utf-8")
    before, _, rest = text.partition("\n## Exercise")
    exercise, _, rest = rest.partition("<details>")
    solution, _, way_back = rest.partition("</details>")
    found = [
        Block(part, says, held)
        for part, within in zip(Part, (before, exercise, solution, way_back), strict=True)
        for _, says, held in re.findall(r"^( *)```([^\n]*)\n(.*?)^\1```$", within, re.MULTILINE | re.DOTALL)
    ]
    if unknown := [block.language for block in found if block.language not in LANGUAGES]:
        raise ValueError(f"{lesson.page.name}: nobody knows what to do with a block of {unknown[0]!r}")
    return found
