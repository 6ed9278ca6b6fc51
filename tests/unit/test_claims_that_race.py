"""Of all who move an order at once, one does, whoever gets in between another's reading and writing."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from moto import mock_aws
from orders.commands import PlaceOrder
from orders.model import GRACE, IllegalMove, Move, Order, Restaurant
from orders.operations import place
from orders.store import KeyReused, OrderStore, StoredOrder
from tiffin.events import rfc3339
from worlds.orders import MENU_ITEM, an_order
from worlds.templates import create_table

NOW = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
MENU = Restaurant.model_validate(MENU_ITEM)
REQUEST = PlaceOrder.model_validate(an_order())
# Written out, as docs/tour.md tells it: who may do what, and where.
LEGAL = {
    "PLACED": ["cancel"],
    "AWAITING_RESTAURANT": ["accept", "reject", "cancel"],
    "PREPARING": ["dispatch"],
    "OUT_FOR_DELIVERY": ["deliver"],
}
RACES = [(status, *pair) for status, moves in LEGAL.items() for pair in product(moves, moves)]


class Interrupted(OrderStore):
    """A store in whose readings something happens before anybody acts upon them.

    Attributes:
        meanwhile: what happens after the next reading.
    """

    meanwhile: Callable[[], object] | None = None

    def get(self, order_id: str) -> StoredOrder:
        read = super().get(order_id)
        self._happens()
        return read

    def find_repeat(self, order_id: str, request: PlaceOrder) -> StoredOrder | None:
        found = super().find_repeat(order_id, request)
        self._happens()
        return found

    def _happens(self) -> None:
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()


class World:
    def __init__(self) -> None:
        self.table = create_table("orders", "OrdersTable")
        self.slow, self.quick = Interrupted(self.table), OrderStore(self.table)

    def order(self, order_id: str = "ord_1") -> Order:
        return place(REQUEST, MENU, customer_id="cust-1", order_id=order_id, now=NOW)

    def an_order(self, status: str) -> str:
        """An order in a status, new each time: what was there before is gone."""
        self.table.delete_item(Key={"order_id": "ord_1"})
        self.quick.add(self.order(), REQUEST, "Root=1")
        self.goes_to(status)
        return "ord_1"

    def goes_to(self, status: str) -> None:
        """As the workflow takes it on."""
        self.table.update_item(
            Key={"order_id": "ord_1"},
            UpdateExpression="SET #s = :s, task_token = :t",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": status, ":t": f"token-{status}"},
        )

    def row(self) -> dict[str, Any]:
        return dict(self.table.get_item(Key={"order_id": "ord_1"})["Item"])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


@pytest.mark.parametrize(("status", "first", "second"), RACES)
def test_a_move_that_was_made_since_the_order_was_read_stands_alone(
    world: World, status: str, first: str, second: str
) -> None:
    order_id = world.an_order(status)
    reason = {"reason": "closing"} if first == "reject" else {}
    granted = list[StoredOrder]()

    def somebody_is_faster() -> None:
        granted.append(world.quick.claim(order_id, Move(first), NOW, reason.get("reason")))

    world.slow.meanwhile = somebody_is_faster
    with pytest.raises(IllegalMove) as refused:
        world.slow.claim(order_id, Move(second), NOW + timedelta(seconds=1), "too_busy")
    assert (refused.value.taken, refused.value.status) == (first, status)
    assert world.row()["claims"] == {status: {"move": first, "at": rfc3339(NOW)} | reason}
    [winner] = granted
    assert (winner.order.pending_move, winner.task_token) == (first, f"token-{status}")
    assert winner.callback == {"order_id": order_id, "move": first, "at": rfc3339(NOW)} | reason


@pytest.mark.parametrize(("status", "move"), [(status, move) for status, moves in LEGAL.items() for move in moves])
def test_a_move_that_is_made_makes_its_order_due_within_a_minute(world: World, status: str, move: str) -> None:
    order_id = world.an_order(status)
    claimed = world.quick.claim(order_id, Move(move), NOW)
    row = world.row()
    assert (row["check_at"], row["updated_at"]) == (rfc3339(NOW + timedelta(minutes=1)), rfc3339(NOW))
    assert row["status"] == status
    assert claimed.open


def test_a_cancellation_follows_the_order_to_where_it_has_gone_meanwhile(world: World) -> None:
    order_id = world.an_order("PLACED")
    world.slow.meanwhile = lambda: world.goes_to("AWAITING_RESTAURANT")
    claimed = world.slow.claim(order_id, Move.CANCEL, NOW)
    assert world.row()["claims"] == {"AWAITING_RESTAURANT": {"move": "cancel", "at": rfc3339(NOW)}}
    assert claimed.task_token == "token-AWAITING_RESTAURANT"


@pytest.mark.parametrize(
    ("status", "move", "then"),
    [
        ("AWAITING_RESTAURANT", "cancel", "PREPARING"),
        ("AWAITING_RESTAURANT", "accept", "REJECTED"),
        ("PREPARING", "dispatch", "EXPIRED"),
        ("OUT_FOR_DELIVERY", "deliver", "EXPIRED"),
    ],
)
def test_a_move_is_refused_where_the_order_has_gone_to_meanwhile(
    world: World, status: str, move: str, then: str
) -> None:
    order_id = world.an_order(status)
    world.slow.meanwhile = lambda: world.goes_to(then)
    with pytest.raises(IllegalMove) as refused:
        world.slow.claim(order_id, Move(move), NOW)
    assert (refused.value.status, refused.value.taken) == (then, None)
    assert world.row()["claims"] == {}


class TestPlacing:
    def test_of_twins_the_second_finds_the_first_ones_order(self, world: World) -> None:
        world.table.delete_item(Key={"order_id": "ord_1"})
        assert world.quick.find_repeat("ord_1", REQUEST) is None
        first = world.quick.add(world.order(), REQUEST, "Root=first")
        world.goes_to("AWAITING_RESTAURANT")
        second = world.quick.add(world.order(), REQUEST, "Root=second")
        assert second.order.status == "AWAITING_RESTAURANT"
        assert (first.order.order_id, world.row()["trace_header"]) == ("ord_1", "Root=first")

    def test_of_two_bodies_under_one_key_the_second_is_refused_though_nobody_knew_of_the_first(
        self, world: World
    ) -> None:
        world.table.delete_item(Key={"order_id": "ord_1"})
        world.quick.add(world.order(), REQUEST, "Root=1")
        before = world.row()
        other = REQUEST.model_copy(update={"note": "no basil"})
        with pytest.raises(KeyReused):
            world.quick.add(world.order(), other, "Root=2")
        assert world.row() == before

    def test_a_new_order_is_open_and_due_in_two_minutes(self, world: World) -> None:
        world.an_order("PLACED")
        row = world.row()
        assert row["check_at"] == rfc3339(NOW + timedelta(minutes=2))
        assert row["open_shard"] in {f"open-{n}" for n in range(8)}
        assert (row["claims"], row["timeline"]) == ({}, {"PLACED": rfc3339(NOW)})


class TestTheReconcilersLook:
    AT = NOW + timedelta(hours=3) + GRACE

    def test_a_moment_that_somebody_set_since_stands_unless_something_was_repaired(self, world: World) -> None:
        order_id = world.an_order("AWAITING_RESTAURANT")
        seen = world.quick.get(order_id)
        world.quick.claim(order_id, Move.ACCEPT, NOW)
        assert world.quick.look_again(seen, self.AT, repaired=False) == 0
        assert world.row()["check_at"] == rfc3339(NOW + timedelta(minutes=1))
        assert world.quick.look_again(seen, self.AT, repaired=True) == 1
        assert world.row()["check_at"] == rfc3339(self.AT)
        assert world.quick.look_again(seen, self.AT, repaired=True) == 2

    def test_an_order_that_was_closed_meanwhile_stays_closed(self, world: World) -> None:
        order_id = world.an_order("DELIVERED")
        seen = world.quick.get(order_id)
        world.table.update_item(Key={"order_id": order_id}, UpdateExpression="REMOVE open_shard, check_at")
        for repaired in (False, True):
            assert world.quick.look_again(seen, self.AT, repaired=repaired) == 0
        assert "check_at" not in world.row()
        assert "repairs" not in world.row()
