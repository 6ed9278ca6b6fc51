"""Whoever is granted a turn decides: of all that race for it one is, and only a callback of this order is taken."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asl import WAITS
from orders.model import GRACE, LEGAL_IN, Move, OrderStatus
from tiffin.events import rfc3339
from worlds.lives import DELIVERED, Life, Story, let_three_hours_pass
from worlds.tiffin import Tiffin, tiffin_world
from worlds.verdicts import must_be_over
from worlds.workflows import MACHINES

STORY = Story("DELIVERED", DELIVERED)
WAITING = [state for state, body in MACHINES["order"]["States"].items() if body.get("Resource", "").endswith(WAITS)]
# Where the order is in each status in which somebody may move it.
MOVED_IN = [OrderStatus.AWAITING_RESTAURANT, OrderStatus.PREPARING, OrderStatus.OUT_FOR_DELIVERY]
COMES_TO = dict(zip(MOVED_IN, WAITING, strict=True))
ENDS_AS = {Move.REJECT: "REJECTED", Move.CANCEL: "CANCELLED"}
TURNS = [(status, move) for status in COMES_TO for move in Move if status in LEGAL_IN[move]]
RACES = [(status, slow, fast) for status, slow in TURNS for other, fast in TURNS if status == other]


@pytest.fixture
def world() -> Iterator[Tiffin]:
    with tiffin_world() as world:
        yield world


def let(world: Tiffin, happen: Callable[[], object]) -> None:
    """Let something happen between the next reading of an order and what is written then."""
    store = world.api.module.store()
    find = store._find

    def finding(order_id: str) -> dict[str, Any] | None:
        store._find = find
        found: dict[str, Any] | None = find(order_id)
        happen()
        return found

    store._find = finding


def a_life_in(status: OrderStatus, world: Tiffin) -> Life:
    life = Life(world, STORY)
    assert life.until(COMES_TO[status])
    life.workflow.step()
    return life


def must_end(life: Life, end: str) -> None:
    life.until()
    if life.workflow.status != "SUCCEEDED":
        life.world.run(life.world.report(life.workflow))
    life.world.hear_all()
    row = life.row()
    assert row["status"] == end
    must_be_over(life.world, row)


@pytest.mark.parametrize(("status", "slow", "fast"), RACES, ids=["-".join(race) for race in RACES])
@pytest.mark.parametrize("goes_on", [False, True], ids=["at once", "the workflow goes on"])
def test_of_two_moves_that_race_one_is_granted_and_decides(
    world: Tiffin, status: OrderStatus, slow: Move, fast: Move, goes_on: bool
) -> None:
    life = a_life_in(status, world)

    def overtakes() -> None:
        life.move(fast)
        if goes_on:
            world.run(life.workflow)

    let(world, overtakes)
    assert world.move(life.order_id, slow) == 409
    assert life.row()["claims"][status]["move"] == fast
    must_end(life, ENDS_AS.get(fast, "DELIVERED"))


def test_a_cancel_that_the_workflow_overtakes_is_one_of_the_status_that_it_went_to(world: Tiffin) -> None:
    life = Life(world, STORY)
    life.until("AwaitRestaurant")
    let(world, life.workflow.step)
    life.move(Move.CANCEL)
    assert life.row()["claims"].keys() == {"AWAITING_RESTAURANT"}
    assert world.move(life.order_id, Move.ACCEPT) == 409
    must_end(life, "CANCELLED")


@pytest.mark.parametrize("move", [move for move in Move if OrderStatus.AWAITING_RESTAURANT in LEGAL_IN[move]])
def test_silence_is_a_turn_too(world: Tiffin, move: Move) -> None:
    life = a_life_in(OrderStatus.AWAITING_RESTAURANT, world)
    life.silence()
    let(world, life.workflow.step)
    assert world.move(life.order_id, move) == 409
    assert life.row()["claims"]["AWAITING_RESTAURANT"]["move"] == "silence"
    must_end(life, "REJECTED")


@pytest.mark.parametrize(("status", "move"), TURNS, ids=["-".join(turn) for turn in TURNS])
def test_a_turn_that_nobody_told_the_workflow_is_told_by_a_sweep(
    world: Tiffin, status: OrderStatus, move: Move
) -> None:
    life = a_life_in(status, world)
    life.move(move, told=False)
    world.sweep(timedelta(minutes=2))
    assert not life.workflow.token
    must_end(life, ENDS_AS.get(move, "DELIVERED"))
    assert world.now < life.deadline - timedelta(hours=2)


def test_a_cancel_of_an_order_that_was_just_placed_is_told_by_a_sweep(world: Tiffin) -> None:
    life = Life(world, STORY)
    life.move(Move.CANCEL, told=False)
    world.sweep(timedelta(minutes=2))
    assert life.workflow.status == "ABORTED"
    must_end(life, "CANCELLED")


@pytest.mark.parametrize("state", WAITING)
class TestACallbackThatIsMeantForAnotherOrder:
    def test_is_not_taken(self, world: Tiffin, state: str) -> None:
        life, other = Life(world, STORY), Life(world, STORY)
        life.until(state)
        life.workflow.step()
        before = life.row()
        for _ in range(20):
            life.workflow.call_back({"order_id": other.order_id, "move": str(Move.ACCEPT)})
            assert life.workflow.at == state
            life.workflow.step()
        assert {**life.row(), "task_token": ""} == {**before, "task_token": ""}
        must_end(life, "DELIVERED")
        must_end(other, "DELIVERED")

    def test_makes_the_order_fail_in_the_end(self, world: Tiffin, state: str) -> None:
        life = Life(world, STORY)
        life.until(state)
        while life.workflow.status == "RUNNING":
            life.workflow.step()
            life.workflow.call_back({"order_id": "ord_rndqixvxxdfefkuwp4z64hibjo", "move": str(Move.ACCEPT)})
        must_end(life, "FAILED")


@pytest.mark.parametrize("status", COMES_TO)
def test_nobody_looks_at_an_order_that_waits_until_it_is_overdue(world: Tiffin, status: OrderStatus) -> None:
    life = a_life_in(status, world)
    assert life.row()["check_at"] == rfc3339(life.deadline + GRACE)


@pytest.mark.parametrize("move", list(Move))
@pytest.mark.parametrize("status", COMES_TO)
def test_from_the_deadline_on_no_turn_is_granted(world: Tiffin, status: OrderStatus, move: Move) -> None:
    life = a_life_in(status, world)
    let_three_hours_pass(world)
    before = life.row()
    # What no courier can have yet is nothing that a courier knows of.
    unknown = status == OrderStatus.AWAITING_RESTAURANT and move in {Move.DISPATCH, Move.DELIVER}
    assert world.move(life.order_id, move) == (404 if unknown else 409)
    assert life.row() == before
    life.workflow.die("TIMED_OUT")
    must_end(life, "EXPIRED")
