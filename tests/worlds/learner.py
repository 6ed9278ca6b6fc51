"""Somebody who learns: types the lessons of docs/tour into a copy of the tree, on a laptop of its own."""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from laptop import private
from laptop.environment import STATE_DIR
from lessons.exercises import EXERCISES
from lessons.pages import Block, Lesson, Part, blocks

from worlds.copies import Copy

CHANGING = (4, 5, 17)
"""Lessons whose exercise changes what is deployed."""
NOT_TYPED = {
    "make bench PROFILE=Orders/ApiFunction": "a minute on an emulator of its own: tests/emulator/test_bench_runtime.py",
    "make bench-models SIZES=10MB": "whose disk forgets is up to the machine: tests/unit/test_bench_models.py",
}
# What differs from one time to the next, and what a table is drawn with.
DIFFERS = [
    (r"ord_[a-z2-7]{26}", "ORDER"),
    (r"\b1-[0-9a-f-]{33}\b|\b[0-9a-f]{16,}\b", "TRACE"),
    (r"guest-[0-9a-f]{6}", "GUEST"),
    (r"\b[A-Z]+-[0-9A-Z]{8}\b", "CODE"),
    (r"[-+]?\d[\d.,:]*", "N"),
    (r"[─━█╇┃│|]+", " "),
    (r"(\bN (ms|s|min|h)\s*)+", "N s "),
]


def alike(text: str) -> list[str]:
    """Lines without what differs from one time to the next: what is told side by side may come in any sequence."""
    lines = []
    for line in text.splitlines():
        for pattern, stands_for in DIFFERS:
            line = re.sub(pattern, stands_for, line)
        lines.append(" ".join(sorted(re.findall(r"[^\s,·]+", line))))
    return [line for line in lines if line]


def missing(shown: str, printed: str) -> list[str]:
    """Lines that a page shows, and that were not printed."""
    lines = alike(printed)
    return [line for line in alike(shown) if line not in ("…", *lines)]


class Learner:
    """Somebody who goes through a page from top to bottom.

    Args:
        clone: where they type.
    """

    def __init__(self, clone: Copy) -> None:
        self._clone, self._typed, self.printed = clone, "", ""

    def does(self, block: Block) -> None:
        """Type, apply, or compare. Who listens may be late on a busy machine: then it is typed once more."""
        if block.language == "diff":
            self._clone.run("git apply -", block.text)
        elif block.language == "sh":
            self._typed = "" if block.text.strip() in NOT_TYPED else block.text
            self._types()
        elif self._typed:
            if missing(block.text, self.printed):
                self._types()
            assert missing(block.text, self.printed) == [], self.printed

    def _types(self) -> None:
        self.printed = self._clone.run(self._typed, pasted=True) if self._typed else ""


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
    learner, solved = Learner(clone), False
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
    finally:
        clone.run("git checkout -q . && git clean -fdq")
