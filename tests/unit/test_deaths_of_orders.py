"""The order workflow dies in each of its states, in each way that it can, in every story that comes by.

Whatever it left undone, one unwind leaves the order as it must be, and the reconciler finds nothing more to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import pytest
from orders.model import LEGAL_IN, Move
from worlds.lives import (
    STORIES,
    Death,
    Life,
    asks_for,
    deaths,
    fate,
    kill,
    let_three_hours_pass,
    permanent_errors,
    states,
    transient_errors,
    when_found,
)
from worlds.tiffin import Moment, Tiffin, tiffin_world
from worlds.verdicts import must_be_over
from worlds.workflows import MACHINES

STATES = states("order")
TASKS = [state for state in STATES if MACHINES["order"]["States"][state]["Type"] == "Task"]
STOPS = ["ABORTED", "TIMED_OUT", "CANCELLED"]
DEATHS = [(state, death) for state in STATES for death in deaths("order", state, stops=STOPS)]
DAY = timedelta(days=1)
# Ends that are branches of the order workflow; it dies of the others.
OF_BUSINESS = {"DELIVERED", "DECLINED", "REJECTED"}


class Visit(NamedTuple):
    """A story that has come to a state, before that did anything."""

    name: str
    life: Life
    done: list[str]
    moment: Moment

    def again(self) -> Life:
        """Come to that moment again."""
        self.life.world.go_back(self.moment)
        self.life.done = [*self.done]
        return self.life


@pytest.fixture(scope="module")
def world() -> Iterator[Tiffin]:
    with tiffin_world() as world:
        yield world


@pytest.fixture(scope="module")
def dawn(world: Tiffin) -> Moment:
    """The world's first moment."""
    return world.remember()


@pytest.fixture(scope="module")
def visits(world: Tiffin, dawn: Moment) -> dict[str, list[Visit]]:
    """Every state with the stories that come by; of those that an unwind could not tell apart there, the first."""
    known, found = set[object](), dict[str, list[Visit]]()
    for name, story in STORIES.items():
        world.go_back(dawn)
        life = Life(world, story)
        for state in life.path():
            if (is_known_by := life.is_known_by()) not in known:
                known.add(is_known_by)
                found.setdefault(state, []).append(Visit(name, life, [*life.done], world.remember()))
    return found


@contextmanager
def in_the_story(name: str) -> Iterator[None]:
    """Say which story failed."""
    try:
        yield
    except BaseException as failure:
        failure.add_note(f"In the story: {name}.")
        raise


def let_it_end(life: Life) -> str:
    """Let an order's life go on to its end, a death and its unwind included.

    Returns:
        How it must have ended.
    """
    life.until()
    if life.workflow.status == "RUNNING":
        let_three_hours_pass(life.world)
        life.workflow.die("TIMED_OUT")
    if life.workflow.status == "SUCCEEDED":
        return life.story.end
    end = fate(life)
    life.world.run(life.world.report(life.workflow))
    return end


def must_have_ended(life: Life, end: str) -> None:
    """Let everybody hear of it, and see that all is as it should be."""
    life.world.hear_all()
    row = life.row()
    assert row["status"] == end
    must_be_over(life.world, row)
    assert life.world.sweep(DAY) == {}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_it_should(world: Tiffin, dawn: Moment, name: str) -> None:
    world.go_back(dawn)
    life = Life(world, STORIES[name])
    let_it_end(life)
    must_have_ended(life, STORIES[name].end)


@pytest.mark.parametrize("state", MACHINES["order"]["States"])
def test_a_story_comes_by(visits: dict[str, list[Visit]], state: str) -> None:
    """A new state needs a story that comes by, else no test would ever see it die."""
    assert state in visits


@pytest.mark.parametrize("state", TASKS)
def test_a_state_that_is_tried_again_changes_nothing(visits: dict[str, list[Visit]], state: str) -> None:
    for visit in visits[state]:
        with in_the_story(visit.name):
            life = visit.again()
            errors = transient_errors("order", state)
            for error in (errors * 5)[:5]:
                life.workflow.fail(error, times=1)
            life.workflow.step(answer_lost=True)
            let_it_end(life)
            must_have_ended(life, life.story.end)
            assert (life.workflow.status == "SUCCEEDED") == (life.story.end in OF_BUSINESS)


@pytest.mark.parametrize("state", TASKS)
def test_what_no_retry_mends_is_tried_once(visits: dict[str, list[Visit]], state: str) -> None:
    for error in permanent_errors("order", state):
        assert visits[state][0].again().workflow.fail(error) == 1, error


@pytest.fixture(scope="module")
def unwound() -> set[object]:
    """What the dead left behind that was unwound already."""
    return set()


@pytest.mark.parametrize(("state", "death"), DEATHS, ids=[f"{state}-{death}" for state, death in DEATHS])
def test_a_death_is_unwound(visits: dict[str, list[Visit]], unwound: set[object], state: str, death: Death) -> None:
    for visit in visits[state]:
        with in_the_story(visit.name):
            dies(visit.again(), death, unwound)


def dies(life: Life, death: Death, unwound: set[object]) -> None:
    world = life.world

    def cancel() -> None:
        row = life.row()
        is_legal = row["status"] in LEGAL_IN[Move.CANCEL] and row["status"] not in row["claims"]
        assert world.move(life.order_id, "cancel") == (202 if is_legal else 409)

    if death.how == "TIMED_OUT":
        let_three_hours_pass(world)
    late = kill(life.workflow, death, cancel)
    if death.how == "CANCELLED" and life.workflow.status == "RUNNING":
        # It was not legal, and nothing came of it.
        return
    if life.workflow.status != "RUNNING":
        # Dead before one state or behind the state before it: to all who come after, that is the same.
        left_behind = (world.looks(), life.workflow.status, death.effect == "late" and life.workflow.at)
        if left_behind in unwound:
            return
        unwound.add(left_behind)
    end = let_it_end(life)
    late()
    must_have_ended(life, end)


@pytest.mark.parametrize("state", STATES)
def test_a_death_that_nobody_reports_is_found(visits: dict[str, list[Visit]], state: str) -> None:
    for visit in visits[state]:
        with in_the_story(visit.name):
            life = visit.again()
            kill(life.workflow, Death("ABORTED", "done"))
            end, status = fate(life), life.row()["status"]
            life.world.settle()
            # An order that is just placed is looked at within minutes, one that waits when it is overdue.
            must_have_ended(life, end if status == "PLACED" else when_found(end, life))


@pytest.mark.parametrize("move", list(Move))
@pytest.mark.parametrize("state", STATES)
def test_a_move_to_a_dead_workflow_is_refused_or_reckoned_with(
    visits: dict[str, list[Visit]], state: str, move: Move
) -> None:
    for visit in visits[state]:
        with in_the_story(visit.name):
            life = visit.again()
            kill(life.workflow, Death("ABORTED", "done"))
            before = life.row()
            if life.world.move(life.order_id, move) == 202:
                must_have_ended(life, let_it_end(life))
            else:
                assert life.row() == before


@pytest.mark.parametrize("state", [state for state in TASKS if asks_for("order", state) == "updateItem"])
def test_an_order_that_was_deleted_stays_deleted(visits: dict[str, list[Visit]], state: str) -> None:
    life = visits[state][0].again()
    life.world.api.table.delete_item(Key={"order_id": life.order_id})
    life.until()
    life.world.run(life.world.report(life.workflow))
    assert life.world.api.rows() == []
