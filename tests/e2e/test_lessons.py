"""The lessons of docs/tour, typed as they stand: each shows what it says, and a solution solves its exercise.

In a copy of the tree with a laptop of its own, whose `make up` is no other's. Those that deploy what they change in a
workflow or a rule have a file, and so a lane, of their own.
"""

from collections.abc import Iterator

import pytest
from lessons.pages import Lesson, lessons
from worlds.copies import Copy
from worlds.learner import CHANGING, clone, do, missing

pytestmark = pytest.mark.laptop("own")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    with clone(tmp_path_factory.mktemp("lessons")) as made:
        yield made


LESSONS = [lesson for number, lesson in lessons().items() if number not in CHANGING]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.page.stem)
def test_a_lesson_is_done_as_it_is_written(lesson: Lesson, here: Copy) -> None:
    do(lesson, here)


def test_a_line_that_was_not_printed_is_missed() -> None:
    printed = "  promotions  WELCOME-55D8ZGM9 (welcome back)\n  +0.81 s  PREPARING"
    assert missing("+12.40 s PREPARING\n…\n  promotions  WELCOME-AVB50MD3 (welcome back)", printed) == []
    assert missing("  promotions  no code", printed) == ["code no promotions"]
