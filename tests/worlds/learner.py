"""Somebody who learns: types the lessons of docs/tour into a copy of the tree, on a laptop of its own."""

import fcntl
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from laptop import private
from laptop.environment import STATE_DIR
from lessons.exercises import EXERCISES
from lessons.pages import Block, Lesson, Part, blocks

from worlds.copies import Copy

CHANGING = (4, 5, 17)
"""Lessons whose exercise changes what is deployed."""
IN_ANY_SEQUENCE = (3, 11)
"""Lessons whose lines are of what happens side by side, or are shuffled."""
# What differs from one time to the next. Other numbers are as they are shown.
DIFFERS = [
    (r"\bord_[a-z2-7]{26}\b", "ORDER"),
    (r"\b1-[0-9a-f]{8}-[0-9a-f]{24}\b|\b[0-9a-f]{16}\b", "TRACE"),
    (r"\bguest-[0-9a-f]{6}\b", "GUEST"),
    (r"\b[A-Z]+-[0-9A-Z]{8}\b", "CODE"),
    (r"\b\d{4}-\d\d-\d\d\b", "DAY"),
    (r"\b\d\d:\d\d:\d\d(\.\d+)?\b(\+00:00)?", "MOMENT"),
    (r"[-+]?\b\d[\d.,]*\s?(ms|s|min|h)\b(\s+\d+\s?(ms|s|min)\b)*", "DURATION"),
]
# What differs besides, by lesson: what was done before, how batches fall, how fast the machine is.
DIFFERS_IN = {
    12: [(r"\d+ (?=traces|log lines)", "MANY ")],
    13: [(r"\d+ of \d+ (?=traces)", "MANY "), (r"\b(\d+) of \1\b", "ALL")],
    14: [(r"^\d+(?= orders)|(?<=│) *\d+(?= │)", "MANY")],
    16: [(r"^Measured .*|(?<=^file system )\w+", "HERE"), (r"(?<=[^|]\|) [\d.,]+ (?=\|)", " MS ")],
}
# What a table is drawn with, and what parts that is told side by side, in whatever sequence it comes.
DRAWN, PARTS = r"[─━█╇┃│]+", r"[,·|]"


def alike(text: str, lesson: int = 0) -> list[str]:
    """Lines without what differs from one time to the next.

    Args:
        text: printed, or shown on a page.
        lesson: whose; 0 for none.
    """
    lines = []
    for line in text.splitlines():
        for pattern, stands_for in [*DIFFERS, *DIFFERS_IN.get(lesson, []), (DRAWN, "|")]:
            line = re.sub(pattern, stands_for, line)
        lines.append(" · ".join(sorted(" ".join(part.split()) for part in re.split(PARTS, line) if part.strip())))
    return [line for line in lines if line]


def missing(shown: str, printed: str, lesson: int = 0) -> list[str]:
    """Lines that a page shows, and that were not printed, or not there: one below the other, but for `…` between them.

    Args:
        shown: on the page.
        printed: by what was typed.
        lesson: whose page it is; 0 for none.
    """
    left, wanted = alike(printed, lesson), alike(shown, lesson)
    if lesson in IN_ANY_SEQUENCE:
        return list((Counter(line for line in wanted if line != "…") - Counter(left)).elements())
    for told, lines in itertools.groupby(wanted, key=lambda line: line != "…"):
        if told:
            together = list(lines)
            places = [at for at in range(len(left)) if left[at : at + len(together)] == together]
            if not places:
                return [line for line in together if line not in left] or together
            left = left[places[0] + len(together) :]
    return []


class Learner:
    """Somebody who goes through a page from top to bottom.

    Args:
        clone: where they type.
        lesson: whose page it is.
    """

    def __init__(self, clone: Copy, lesson: int) -> None:
        self._clone, self._lesson, self._typed, self.printed = clone, lesson, "", ""

    def does(self, block: Block) -> None:
        """Type, apply, or compare. Who listens may be late on a busy machine: then it is typed once more."""
        if block.language == "diff":
            self._clone.run("git apply -", block.text)
        elif block.language == "sh":
            self._typed = block.text
            self._types()
        elif block.language == "text":
            if missing(block.text, self.printed, self._lesson):
                self._types()
            assert missing(block.text, self.printed, self._lesson) == [], self.printed

    def _types(self) -> None:
        try:
            self.printed = self._clone.run(self._typed, pasted=True)
        except AssertionError as failed:
            if "are still in memory" in str(failed):
                pytest.skip(f"{self._clone.folder} is not on a disk")
            raise


@contextmanager
def clone(folder: Path) -> Iterator[Copy]:
    """A copy of the tree, as a clone, with its laptop up; stopped in the end.

    Args:
        folder: where it is made.
    """
    made = Copy(folder)
    # Nobody looks at a console here, and npm may have to fetch what builds it.
    made.run("rm -rf web && mkdir web && touch web/nothing")
    # The layers' packages, as a learner has them from the second time on.
    if (kept := STATE_DIR / "packages").is_dir():
        private.folder(made.folder / STATE_DIR.name)
        (made.folder / STATE_DIR.name / kept.name).symlink_to(kept)
    made.clone()
    try:
        # One after the other: two that start at once take the same port for free.
        with private.file(STATE_DIR / "lessons.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            made.run("make up")
        yield made
    finally:
        made.run("make down")


def do(lesson: Lesson, clone: Copy) -> None:
    """Do a lesson as it is written: it shows what it says, and a solution solves its exercise, which was not before."""
    learner, solved = Learner(clone, lesson.number), False
    try:
        for block in blocks(lesson):
            if block.part is Part.EXERCISE:
                begin, check = block.text.splitlines()
                clone.run(begin)
                assert "Not solved yet" in clone.run(check, fails=True)
            else:
                learner.does(block)
            if block.part is Part.SOLUTION:
                solved |= f"Lesson {lesson.number} is solved." in learner.printed
        assert solved == (lesson.number in EXERCISES)
        # The way back is on the page, and all of it.
        assert (left := clone.run("git status --porcelain")) == "", left
    finally:
        clone.run("git checkout -q . && git clean -fdq")
