"""The reconciler: whatever falls between two writes is found by the moment at which somebody should look."""

import importlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws
from orders.commands import PlaceOrder
from orders.model import GRACE, Restaurant
from orders.operations import place
from orders.store import OPEN_SHARDS, OrderStore
from orders.workflow import CallbackRefused
from tiffin.events import rfc3339
from worlds.logs import captured
from worlds.orders import MENU_ITEM, an_order
from worlds.runtime import context
from worlds.templates import create_table
from worlds.workflows import FakeOrderWorkflow, FakeUnwindWorkflow

NOW = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
MENU = Restaurant.model_validate(MENU_ITEM)
REQUEST = PlaceOrder.model_validate(an_order())


class World:
    def __init__(self, module: Any) -> None:
        self.module, self.sweep = module, module.sweep
        self.workflow, self.unwind = FakeOrderWorkflow(), FakeUnwindWorkflow()
        self.table = create_table("orders", "OrdersTable")
        self.store = OrderStore(self.table)

    def an_order(self, order_id: str = "ord_1", status: str = "PLACED", **attributes: Any) -> str:
        self.store.add(place(REQUEST, MENU, customer_id="cust-1", order_id=order_id, now=NOW), REQUEST, "Root=1")
        values = {":s": status, **{f":{k}": v for k, v in attributes.items()}}
        self.table.update_item(
            Key={"order_id": order_id},
            UpdateExpression="SET #s = :s" + "".join(f", {k} = :{k}" for k in attributes),
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues=values,
        )
        return order_id

    def row(self, order_id: str = "ord_1") -> dict[str, Any]:
        return self.table.get_item(Key={"order_id": order_id})["Item"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        monkeypatch.setenv("ORDERS_TABLE", "OrdersTable")
        monkeypatch.setenv("ORDER_WORKFLOW_ARN", "arn:aws:states:eu-central-1:123456789012:stateMachine:order")
        monkeypatch.setenv("UNWIND_WORKFLOW_ARN", "arn:aws:states:eu-central-1:123456789012:stateMachine:unwind")
        module = importlib.import_module("orders.reconciler")
        world = World(module)
        monkeypatch.setattr(module, "store", lambda: world.store)
        monkeypatch.setattr(module, "workflow", lambda: world.workflow)
        monkeypatch.setattr(module, "unwind", lambda: world.unwind)
        yield world


SOON, OVERDUE = NOW + timedelta(minutes=3), NOW + timedelta(hours=3, minutes=10)


class TestPlacedOrders:
    def test_an_order_without_an_execution_is_started(self, world: World) -> None:
        world.an_order()
        assert world.sweep(SOON) == {"execution-started": 1}
        assert world.workflow.started == ["ord_1"]

    def test_an_order_that_was_started_is_left_alone_until_it_is_overdue(self, world: World) -> None:
        world.an_order()
        world.sweep(SOON)
        assert world.sweep(SOON + timedelta(minutes=30)) == {}
        assert world.row()["check_at"] == rfc3339(NOW + timedelta(hours=3) + GRACE)

    def test_an_order_that_was_just_placed_is_left_alone(self, world: World) -> None:
        world.an_order()
        assert world.sweep(NOW + timedelta(seconds=30)) == {}
        assert world.workflow.started == []

    def test_an_order_whose_execution_runs_is_left_alone(self, world: World) -> None:
        world.an_order()
        world.workflow.state = "running"
        assert world.sweep(SOON) == {}

    def test_an_order_whose_execution_ended_unheard_is_unwound(self, world: World) -> None:
        world.an_order()
        world.workflow.state = "ended"
        assert world.sweep(SOON) == {"execution-ended": 1}
        assert world.unwind.started == ["ord_1"]
        # Not settled: if the unwind fails too, the next look is minutes away, not hours.
        assert world.row()["check_at"] < rfc3339(SOON + timedelta(minutes=6))


class TestUnheardMoves:
    def test_a_claim_is_told_again_with_the_present_token(self, world: World) -> None:
        claim = {"move": "accept", "at": rfc3339(NOW)}
        world.an_order(status="AWAITING_RESTAURANT", claims={"AWAITING_RESTAURANT": claim}, task_token="t-2")
        assert world.sweep(SOON) == {"callback-lost": 1}
        assert world.workflow.callbacks == [("t-2", {"order_id": "ord_1"} | claim)]

    def test_a_move_made_during_the_sweep_keeps_its_own_moment(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claim = {"move": "accept", "at": rfc3339(NOW)}
        world.an_order(status="AWAITING_RESTAURANT", claims={"AWAITING_RESTAURANT": claim}, task_token="t-2")
        theirs = rfc3339(SOON + timedelta(minutes=1))

        def answered_meanwhile(token: str, output: dict[str, Any]) -> None:
            values = {":s": "PREPARING", ":at": theirs}
            world.table.update_item(
                Key={"order_id": "ord_1"},
                UpdateExpression="SET #s = :s, check_at = :at",
                ExpressionAttributeNames={"#s": "status"},
                ExpressionAttributeValues=values,
            )
            raise CallbackRefused("TaskTimedOut")

        monkeypatch.setattr(world.workflow, "call_back", answered_meanwhile)
        world.sweep(SOON)
        assert world.row()["check_at"] == theirs

    def test_a_workflow_that_has_moved_on_is_left_alone(self, world: World) -> None:
        claim = {"move": "deliver", "at": rfc3339(NOW)}
        world.an_order(status="OUT_FOR_DELIVERY", claims={"OUT_FOR_DELIVERY": claim}, task_token="t-9")
        world.workflow.waits = False
        assert world.sweep(SOON) == {}
        assert world.unwind.started == []

    @pytest.mark.parametrize("running", [True, False])
    def test_a_cancellation_left_half_done_is_completed(self, world: World, running: bool) -> None:
        claim = {"move": "cancel", "at": rfc3339(NOW)}
        world.an_order(status="AWAITING_RESTAURANT", claims={"AWAITING_RESTAURANT": claim})
        world.workflow.runs = running
        assert world.sweep(SOON) == {"cancel-not-done": 1}
        assert world.workflow.stopped == ([("ord_1", "OrderCancelled")] if running else [])
        assert world.unwind.started == ["ord_1"]


class TestOverdueOrders:
    def test_an_overdue_order_that_still_runs_is_stopped_and_unwound(self, world: World) -> None:
        world.an_order(status="OUT_FOR_DELIVERY")
        assert world.sweep(OVERDUE) == {"overdue": 1}
        assert world.workflow.stopped == [("ord_1", "OrderExpired")]
        assert world.unwind.started == ["ord_1"]

    def test_an_overdue_order_whose_status_event_was_lost_is_unwound(self, world: World) -> None:
        world.an_order(status="OUT_FOR_DELIVERY")
        world.workflow.runs = False
        assert world.sweep(OVERDUE) == {"overdue": 1}
        assert world.unwind.started == ["ord_1"]

    def test_an_unwind_that_failed_is_tried_again_and_counted(self, world: World) -> None:
        world.an_order(status="OUT_FOR_DELIVERY")
        world.workflow.runs = False
        for attempt in range(6):
            world.sweep(OVERDUE + timedelta(minutes=6 * attempt))
        assert world.unwind.started == ["ord_1"] * 6
        assert world.row()["repairs"] == 6


class TestEnds:
    @pytest.mark.parametrize("end", ["DELIVERED", "DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED"])
    def test_an_end_whose_announcement_is_missing_is_handed_to_the_unwind(self, world: World, end: str) -> None:
        world.an_order(status=end)
        assert world.sweep(SOON) == {"end-not-announced": 1}
        assert world.unwind.started == ["ord_1"]
        assert world.row()["status"] == end

    def test_a_closed_order_is_left_alone(self, world: World) -> None:
        world.an_order(status="DELIVERED")
        world.table.update_item(Key={"order_id": "ord_1"}, UpdateExpression="REMOVE open_shard, check_at")
        assert world.sweep(OVERDUE) == {}


class TestTheSweep:
    def test_the_others_are_repaired_when_one_order_is_in_trouble(self, world: World) -> None:
        for n in range(4):
            world.an_order(f"ord_{n}")
        world.workflow.down_for = {"ord_2"}
        assert world.sweep(SOON) == {"execution-started": 3}
        world.workflow.down_for = set()
        assert world.sweep(SOON + timedelta(minutes=1)) == {"execution-started": 1}

    def test_open_orders_are_spread_over_the_shards(self, world: World) -> None:
        shards = {world.row(world.an_order(f"ord_{n}"))["open_shard"] for n in range(64)}
        assert len(shards) == OPEN_SHARDS

    def test_many_due_orders_are_repaired_in_one_sweep(self, world: World) -> None:
        for n in range(OPEN_SHARDS * 30):
            world.an_order(f"ord_{n}")
        assert world.sweep(SOON) == {"execution-started": OPEN_SHARDS * 30}

    def test_a_sweep_that_runs_out_of_time_has_served_all_shards_alike(self, world: World) -> None:
        shards = {order_id: world.row(order_id)["open_shard"] for order_id in map(world.an_order, map(str, range(96)))}
        time_for = iter([True] * OPEN_SHARDS * 3 + [False])
        assert world.sweep(SOON, lambda: next(time_for)) == {"execution-started": OPEN_SHARDS * 3}
        assert Counter(shards[order_id] for order_id in world.workflow.started) == dict.fromkeys(shards.values(), 3)
        assert world.sweep(SOON) == {"execution-started": 96 - OPEN_SHARDS * 3}

    @pytest.mark.parametrize(("seconds", "repairs"), [(14, {}), (16, {"overdue": 1})])
    def test_an_order_is_begun_only_while_there_is_time_to_finish(
        self, world: World, monkeypatch: pytest.MonkeyPatch, seconds: int, repairs: dict[str, int]
    ) -> None:
        world.an_order()
        last = context()
        monkeypatch.setattr(last, "get_remaining_time_in_millis", lambda: seconds * 1000)
        assert world.module.handler({}, last) == repairs

    def test_the_others_are_repaired_when_one_order_is_unreadable(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counted, log = [], captured(monkeypatch)
        monkeypatch.setattr(world.module.metrics, "add_metric", lambda name, *_: counted.append(name))
        for n in range(4):
            world.an_order(f"ord_{n}")
        world.an_order("ord_2", deadline_at="when Ada is hungry")
        assert world.sweep(SOON) == {"execution-started": 3}
        assert counted == ["RowsUnreadable", "OrdersStuck"]
        assert "Cannot be reconciled" in [line["message"] for line in log.lines]
        assert "Ada" not in log.text
