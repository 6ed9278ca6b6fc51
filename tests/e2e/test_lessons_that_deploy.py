"""The lessons of docs/tour whose exercise changes a workflow or a rule, and deploys it: see test_lessons.py."""

from collections.abc import Iterator

import pytest
from lessons.pages import Lesson, lessons
from worlds.copies import Copy
from worlds.learner import CHANGING, clone, do

pytestmark = pytest.mark.laptop("own")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    with clone(tmp_path_factory.mktemp("lessons")) as made:
        yield made


LESSONS = [lessons()[number] for number in CHANGING]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.page.stem)
def test_a_lesson_is_done_as_it_is_written(lesson: Lesson, here: Copy) -> None:
    do(lesson, here)
