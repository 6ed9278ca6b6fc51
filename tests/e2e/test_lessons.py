"""The lessons of docs/tour, typed as they stand: each shows what it says, and a solution solves its exercise.

In a copy of the tree with a laptop of its own, whose `make up` is no other's. Those that deploy what they change in a
workflow or a rule have a file, and so a lane, of their own.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lessons.pages import Lesson, lessons
from worlds.copies import Copy, blocks
from worlds.learner import CHANGING, clone, do, missing
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("own")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    with clone(tmp_path_factory.mktemp("lessons")) as made:
        yield made


LESSONS = [lesson for number, lesson in lessons().items() if number not in CHANGING]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.page.stem)
def test_a_lesson_is_done_as_it_is_written(lesson: Lesson, here: Copy) -> None:
    do(lesson, here)


def test_support_reads_of_a_service_that_was_deleted_and_came_back(here: Copy) -> None:
    """Promotions, of which its tables and log groups have other names by now."""
    here.run("make order")
    api = here.run("make up | sed -n 's/^SupportApiUrl *//p'").strip()
    token = here.run("make -s token USER=sue").strip()
    ask = f"curl -s {api}/orders/$(cat .tiffin/last-order) -H 'Authorization: Bearer {token}'"

    def story() -> dict[str, Any] | None:
        told: dict[str, Any] = json.loads(here.run(ask))
        # What is taken in late is in a later story.
        return told if any(event["name"] == "PromoCodeIssued" for event in told["events"]) else None

    assert eventually(story, 30, "a story with the code that was given")["missing"] == []


# Her account is made on the first of the pages, and forgotten on the second.
@pytest.mark.parametrize("page", ["laptop.md", "privacy.md", "runbooks/redrive.md"])
def test_the_commands_of_other_pages_are_typed_too(page: str, here: Copy) -> None:
    for commands in blocks(page, "sh"):
        here.run(commands)


PRINTED = """\
  04:39:03.793    +0.81 s  PREPARING
2 events of ord_be7zk4dytznxt2tzpn744x4nrf
  on the bus  OrderPlaced · PaymentAuthorized
  promotions  WELCOME-55D8ZGM9 (welcome back)
"""


@pytest.mark.parametrize(
    ("shown", "missed"),
    [
        ("11:02:59.001  +12.40 s  PREPARING\n…\n  promotions  WELCOME-AVB50MD3 (welcome back)", []),
        ("on the bus  OrderPlaced · PaymentAuthorized", []),
        ("…\n2 events of ord_ki7zk4dytznxt2tzpn744x4nrf", []),
        ("3 events of ord_be7zk4dytznxt2tzpn744x4nrf", ["3 events of ORDER"]),
        ("  promotions  no code", ["promotions no code"]),
        # All of it was printed, and not so.
        (
            "2 events of ord_be7zk4dytznxt2tzpn744x4nrf\n…\n04:39:03.793 +0.81 s PREPARING",
            ["MOMENT DURATION PREPARING"],
        ),
    ],
)
def test_a_line_that_was_not_printed_is_missed(shown: str, missed: list[str]) -> None:
    assert missing(shown, PRINTED) == missed
