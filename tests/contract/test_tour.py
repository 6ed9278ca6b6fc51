"""The tour is whole: each lesson has its parts, and the index names each with its command and its test."""

import re

import pytest
from lessons.exercises import EXERCISES
from lessons.pages import TOUR, Lesson, Part, blocks, lessons

LESSONS = lessons()
INDEX = (TOUR / "README.md").read_text("utf-8")


def test_six_lessons_have_an_exercise_with_its_solution() -> None:
    assert list(LESSONS) == list(range(1, 18))
    assert {n for n, each in LESSONS.items() if any(b.part is Part.SOLUTION for b in blocks(each))} == EXERCISES.keys()
    assert len(EXERCISES) == 6


def test_the_index_names_every_lesson_and_marks_those_with_an_exercise() -> None:
    rows = re.findall(
        r"^\| .+? \| \[(\d+)\. .+?\]\((.+?)\)( ✎)? \| `([^`]+)` \| .*\d s \| (.+?) \|$", INDEX, re.MULTILINE
    )
    assert {(int(number), page, bool(mark)) for number, page, mark, *_ in rows} == {
        (n, lesson.page.name, n in EXERCISES) for n, lesson in LESSONS.items()
    }
    assert [number for number, *_, tests in rows if "tests/" not in tests] == []
    assert [command for number, _, _, command, _ in rows if not is_typed(command, int(number))] == []


def test_what_is_typed_in_ninety_minutes_stands_in_the_lessons() -> None:
    rows = re.findall(r"^\| \d+–\d+ \| (.+?) \| (.+) \|$", INDEX, re.MULTILINE)
    lost = [
        command
        for told, typed in rows
        for command in re.findall(r"`([^`]+)`", typed)
        if not is_typed(command, *map(int, re.findall(r"\d+", told)))
    ]
    assert rows
    assert lost == []


def is_typed(command: str, *numbers: int) -> bool:
    """Whether a command stands in these lessons' blocks; a … stands for anything."""
    typed = "".join(block.text for number in numbers for block in blocks(LESSONS[number]) if block.language == "sh")
    return bool(re.search(rf"{'.*'.join(map(re.escape, command.split('…')))}(?![\w-])", typed, re.DOTALL))


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=lambda lesson: lesson.page.stem)
def test_a_lesson_has_its_parts(lesson: Lesson) -> None:
    text = lesson.page.read_text("utf-8")
    assert text.startswith(f"# {lesson.number}. {lesson.title}\n")
    parts = ("**Claim.**", "**Where.**", "```sh", "```text", "**When not.**")
    assert [part for part in parts if part not in text] == []
    after = LESSONS.get(lesson.number + 1)
    assert f"]({after.page.name if after else 'README.md'})" in text.rstrip().splitlines()[-1]
