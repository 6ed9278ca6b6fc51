"""The unwind dies in each of its states, runs twice at once, or is overtaken, after every kind of death.

The reconciler starts it again, and the order is left as one unwind that nothing disturbs would leave it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import pytest
from asl import Execution
from orders.model import Move
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
from worlds.tiffin import ENDS, Moment, Tiffin, tiffin_world
from worlds.verdicts import must_be_over
from worlds.workflows import MACHINES

# Where an order dies, and how: one for every way that an unwind takes, and every end that it finds or decides.
DEATHS_OF_ORDERS = {
    "in its first moment": ("delivered", "AnnouncePlaced", Death("ABORTED", "undone")),
    "declined, and not recorded": ("declined", "RecordDeclined", Death("Lambda.Unknown", "undone")),
    "cancelled before the payment": ("delivered", "AuthorizePayment", Death("CANCELLED", "undone")),
    "cancelled while it waits": ("delivered", "AwaitRestaurant", Death("CANCELLED", "done")),
    "with the money held": ("delivered", "AwaitDispatch", Death("ABORTED", "done")),
    "out of time": ("delivered", "AwaitDelivery", Death("TIMED_OUT", "done")),
    "with the money taken": ("delivered", "CapturePayment", Death("ABORTED", "done")),
    "delivered, and not announced": ("delivered", "AnnounceDelivered", Death("ABORTED", "undone")),
    "declined, and not announced": ("declined", "AnnounceDeclined", Death("ABORTED", "undone")),
    "rejected, and not announced": ("rejected", "AnnounceRejected", Death("ABORTED", "undone")),
    "with nothing left to do": ("rejected", "Close", Death("ABORTED", "done")),
}
STATES = states("unwind")
TASKS = [state for state in STATES if MACHINES["unwind"]["States"][state]["Type"] == "Task"]
DEATHS = [(state, death) for state in STATES for death in deaths("unwind", state, stops=["ABORTED", "TIMED_OUT"])]
DAY = timedelta(days=1)
USABLE = ["Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5", "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5;Sampled=1"]


class Visit(NamedTuple):
    """An unwind that has come to a state, before that did anything."""

    name: str
    life: Life
    end: str
    moment: Moment

    def again(self) -> Execution:
        """Come to that moment again."""
        self.life.world.go_back(self.moment)
        return self.life.world.unwinds[0]


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
    """Every state with the unwinds that come by."""
    found = dict[str, list[Visit]]()
    for name, (story, state, death) in DEATHS_OF_ORDERS.items():
        world.go_back(dawn)
        life = Life(world, STORIES[story])
        assert life.until(state)
        if death.how == "TIMED_OUT":
            let_three_hours_pass(world)
        kill(life.workflow, death, life.cancel)
        end = fate(life)
        unwind = world.report(life.workflow)
        while unwind.status == "RUNNING":
            found.setdefault(unwind.at, []).append(Visit(name, life, end, world.remember()))
            unwind.step()
    return found


@contextmanager
def of_an_order(name: str) -> Iterator[None]:
    """Say which unwind failed."""
    try:
        yield
    except BaseException as failure:
        failure.add_note(f"Of an order that died {name}.")
        raise


def must_have_ended(life: Life, end: str) -> None:
    """Let everything go on until nothing is owed to the order, and see that all is as it should be."""
    world = life.world
    world.settle()
    row = life.row()
    assert row["status"] == when_found(end, life)
    must_be_over(world, row)
    assert world.sweep(DAY) == {}


@pytest.mark.parametrize("state", MACHINES["unwind"]["States"])
def test_an_unwind_comes_by(visits: dict[str, list[Visit]], state: str) -> None:
    """A new state needs an order whose unwind comes by, else no test would ever see it die."""
    assert state in visits


@pytest.mark.parametrize("name", DEATHS_OF_ORDERS)
def test_one_unwind_is_enough(visits: dict[str, list[Visit]], name: str) -> None:
    [visit] = (visit for visit in visits["Begin"] if visit.name == name)
    unwind = visit.again()
    visit.life.world.run(unwind)
    assert unwind.status == "SUCCEEDED"
    assert visit.life.world.sweep(DAY) == {}
    must_have_ended(visit.life, visit.end)


@pytest.mark.parametrize("state", TASKS)
def test_a_state_that_is_tried_again_changes_nothing(visits: dict[str, list[Visit]], state: str) -> None:
    for visit in visits[state]:
        with of_an_order(visit.name):
            unwind = visit.again()
            for error in (transient_errors("unwind", state) * 5)[:5]:
                unwind.fail(error, times=1)
            unwind.step(answer_lost=True)
            visit.life.world.run(unwind)
            assert unwind.status == "SUCCEEDED"
            must_have_ended(visit.life, visit.end)


def test_an_order_that_dies_in_an_outage_of_dynamodb_is_not_forgotten_until_its_deadline(
    visits: dict[str, list[Visit]],
) -> None:
    """Nobody else knows of the death before the first write: it is tried for ten minutes, within the unwind's time."""
    *_, retrier = MACHINES["unwind"]["States"]["Begin"]["Retry"]
    tries = retrier["MaxAttempts"]
    longest = [min(2**n * retrier["IntervalSeconds"], retrier["MaxDelaySeconds"]) for n in range(tries)]
    # Full jitter: a pause is half as long on average.
    assert sum(longest) / 2 > 600
    assert sum(longest) < MACHINES["unwind"]["TimeoutSeconds"]
    visit = next(visit for visit in visits["Begin"] if visit.name == "with the money held")
    unwind = visit.again()
    unwind.fail("DynamoDB.InternalServerErrorException", times=tries)
    visit.life.world.run(unwind)
    assert unwind.status == "SUCCEEDED"
    must_have_ended(visit.life, "FAILED")


@pytest.mark.parametrize("state", TASKS)
def test_what_no_retry_mends_is_tried_once(visits: dict[str, list[Visit]], state: str) -> None:
    for error in permanent_errors("unwind", state):
        assert visits[state][0].again().fail(error) == 1, error


@pytest.fixture(scope="module")
def done_again() -> set[object]:
    """What dead unwinds left behind that another one has taken up already."""
    return set()


@pytest.mark.parametrize(("state", "death"), DEATHS, ids=[f"{state}-{death}" for state, death in DEATHS])
def test_an_unwind_that_died_is_done_again(
    visits: dict[str, list[Visit]], done_again: set[object], state: str, death: Death
) -> None:
    for visit in visits[state]:
        with of_an_order(visit.name):
            unwind, world = visit.again(), visit.life.world
            late = kill(unwind, death)
            if unwind.status != "RUNNING":
                # Nobody is told how an unwind died: all that matters is what it had done by then.
                left_behind = (world.looks(), death.effect == "late" and state)
                if left_behind in done_again:
                    continue
                done_again.add(left_behind)
            world.settle()
            late()
            must_have_ended(visit.life, visit.end)


@pytest.mark.parametrize("state", STATES)
def test_two_unwinds_at_once_have_one_effect(visits: dict[str, list[Visit]], state: str) -> None:
    for visit in visits[state]:
        with of_an_order(visit.name):
            unwind, world = visit.again(), visit.life.world
            world.run(world.report(visit.life.workflow))
            world.run(unwind)
            assert unwind.status == "SUCCEEDED"
            must_have_ended(visit.life, visit.end)


@pytest.mark.parametrize(
    "state", [state for state in states("order") if asks_for("order", state) in {"updateItem", "invoke"}]
)
def test_what_a_dead_workflow_asked_for_may_happen_in_the_midst_of_the_unwind(
    world: Tiffin, dawn: Moment, state: str
) -> None:
    life = a_life_that_comes_to(state, world, dawn)
    happens = kill(life.workflow, Death("ABORTED", "late"))
    unwind = world.report(life.workflow)
    while unwind.can_step:
        moment = world.remember()
        happens()
        world.run(unwind)
        must_have_ended(life, life.row()["status"])
        world.go_back(moment)
        [unwind] = world.unwinds
        unwind.step()


def a_life_that_comes_to(state: str, world: Tiffin, dawn: Moment) -> Life:
    for story in STORIES.values():
        world.go_back(dawn)
        life = Life(world, story)
        if life.until(state):
            return life
    raise AssertionError(f"no story comes by {state}")


@pytest.mark.parametrize("move", list(Move))
@pytest.mark.parametrize("state", STATES)
def test_a_move_in_the_midst_of_the_unwind_is_granted_once_or_refused(
    visits: dict[str, list[Visit]], state: str, move: Move
) -> None:
    for visit in visits[state]:
        with of_an_order(visit.name):
            unwind, world, before = visit.again(), visit.life.world, visit.life.row()
            if world.move(visit.life.order_id, move) == 409:
                assert visit.life.row() == before
                continue
            world.run(unwind)
            must_have_ended(visit.life, visit.life.row()["status"])


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT", "UNREPORTED"])
def test_an_execution_of_no_order_leaves_no_order_behind(world: Tiffin, dawn: Moment, status: str) -> None:
    """Somebody started the order workflow by hand, or the order was deleted since."""
    world.go_back(dawn)
    unwind = world.unwind("ord_rndqixvxxdfefkuwp4z64hibjo", status)
    world.run(unwind)
    assert unwind.status == "SUCCEEDED"
    assert world.api.rows() == []
    assert world.bus == []


@pytest.mark.parametrize("state", [state for state in TASKS if asks_for("unwind", state) == "updateItem"])
def test_an_order_that_was_deleted_stays_deleted(visits: dict[str, list[Visit]], state: str) -> None:
    unwind, world = visits[state][0].again(), visits[state][0].life.world
    world.api.table.delete_item(Key={"order_id": visits[state][0].life.order_id})
    while unwind.can_step and unwind.at == state:
        unwind.step()
    assert world.api.rows() == []


@pytest.mark.parametrize(
    ("status", "error", "late", "end", "message"),
    [
        ("FAILED", "Lambda.Unknown", False, "FAILED", "The order could not be completed: Lambda.Unknown."),
        ("FAILED", None, False, "FAILED", "The order could not be completed."),
        ("ABORTED", None, False, "FAILED", "The order could not be completed."),
        ("UNREPORTED", None, False, "FAILED", "The order could not be completed."),
        # By Step Functions' clock or by that of the order: one of them is enough.
        ("TIMED_OUT", None, False, "EXPIRED", "The food was not delivered within three hours."),
        ("FAILED", "Lambda.Unknown", True, "EXPIRED", "The food was not delivered within three hours."),
        ("UNREPORTED", None, True, "EXPIRED", "The food was not delivered within three hours."),
    ],
)
def test_an_order_says_what_it_died_of(
    world: Tiffin, dawn: Moment, status: str, error: str | None, late: bool, end: str, message: str
) -> None:
    life = a_life_that_comes_to("AwaitDispatch", world, dawn)
    life.workflow.die("ABORTED")
    if late:
        let_three_hours_pass(world)
    world.run(world.unwind(life.order_id, status, error=error))
    assert life.row()["status"] == end
    assert life.row()["reason"]["message"] == message
    must_have_ended(life, end)


@pytest.mark.parametrize("header", [None, "nonsense", *USABLE])
@pytest.mark.parametrize("state", ["AnnouncePlaced", "AwaitDispatch", "AnnounceDelivered"])
def test_an_order_is_unwound_whatever_its_trace_header_is(
    world: Tiffin, dawn: Moment, state: str, header: str | None
) -> None:
    life = a_life_that_comes_to(state, world, dawn)
    row = life.row() | {"trace_header": header}
    world.api.table.put_item(Item={name: value for name, value in row.items() if value is not None})
    life.workflow.die("ABORTED")
    told = len(world.bus)
    world.run(world.report(life.workflow))
    [said] = {event["detail"]["metadata"]["trace_header"] for event in world.bus[told:]}
    assert said == header if header in USABLE else said.startswith("Root=1-")
    assert life.row()["status"] in ENDS
