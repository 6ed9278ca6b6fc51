"""Of all who move an order at once, one does whose it is, whoever gets in between another's reading and writing."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from moto import mock_aws
from orders.commands import PlaceOrder
from orders.model import GRACE, IllegalMove, Move, Order, Restaurant
from orders.operations import place
from orders.store import KeyReused, OrderStore, StoredOrder, UnknownOrder
from tiffin.events import rfc3339
from tiffin.roles import Caller, Role
from worlds.orders import MENU_ITEM, an_order
from worlds.templates import create_table

NOW = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
MENU = Restaurant.model_validate(MENU_ITEM)
REQUEST = PlaceOrder.model_validate(an_order())
# Written out, as docs/tour/one-order.md tells it: who may do what, and where.
LEGAL = {
    "PLACED": ["cancel"],
    "AWAITING_RESTAURANT": ["accept", "reject", "cancel"],
    "PREPARING": ["dispatch"],
    "OUT_FOR_DELIVERY": ["deliver"],
}
CUSTOMER, ANOTHER_CUSTOMER = (Caller(f"cust-{n}", Role.CUSTOMER) for n in (1, 2))
RESTAURANT, ANOTHER_RESTAURANT = (Caller("owner-1", Role.RESTAURANT, name) for name in ("bella", "sakura"))
COURIER, ANOTHER_COURIER = (Caller(f"courier-{n}", Role.COURIER) for n in (1, 2))
SUPPORT = Caller("support-1", Role.SUPPORT)
BY = {
    "accept": RESTAURANT,
    "reject": RESTAURANT,
    "cancel": CUSTOMER,
    "dispatch": COURIER,
    "deliver": COURIER,
}
RACES = [(status, *pair) for status, moves in LEGAL.items() for pair in product(moves, moves)]


class Interrupted(OrderStore):
    """A store in whose readings something happens before anybody acts upon them.

    Attributes:
        meanwhile: what happens after the next reading.
    """

    meanwhile: Callable[[], object] | None = None

    def _find(self, order_id: str) -> dict[str, Any] | None:
        found = super()._find(order_id)
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
        return found


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

    def becomes(self, **attributes: str) -> None:
        """Change the row as nobody does who keeps to the rules, or as an earlier version of the service did."""
        for name, value in attributes.items():
            self.table.update_item(
                Key={"order_id": "ord_1"},
                UpdateExpression="SET #n = :v",
                ExpressionAttributeNames={"#n": name},
                ExpressionAttributeValues={":v": value},
            )

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
        granted.append(world.quick.claim(order_id, Move(first), BY[first], NOW, reason.get("reason")))

    world.slow.meanwhile = somebody_is_faster
    with pytest.raises(IllegalMove) as refused:
        world.slow.claim(order_id, Move(second), BY[second], NOW + timedelta(seconds=1), "too_busy")
    assert (refused.value.taken, refused.value.status) == (first, status)
    by = BY[first].subject
    assert world.row()["claims"] == {status: {"move": first, "at": rfc3339(NOW), "by": by} | reason}
    [winner] = granted
    assert (winner.order.pending_move, winner.task_token) == (first, f"token-{status}")
    assert winner.callback == {"order_id": order_id, "move": first, "at": rfc3339(NOW)} | reason


@pytest.mark.parametrize(("status", "move"), [(status, move) for status, moves in LEGAL.items() for move in moves])
def test_a_move_that_is_made_makes_its_order_due_within_a_minute(world: World, status: str, move: str) -> None:
    order_id = world.an_order(status)
    claimed = world.quick.claim(order_id, Move(move), BY[move], NOW)
    row = world.row()
    assert (row["check_at"], row["updated_at"]) == (rfc3339(NOW + timedelta(minutes=1)), rfc3339(NOW))
    assert row["status"] == status
    assert claimed.open


def test_a_cancellation_follows_the_order_to_where_it_has_gone_meanwhile(world: World) -> None:
    order_id = world.an_order("PLACED")
    world.slow.meanwhile = lambda: world.goes_to("AWAITING_RESTAURANT")
    claimed = world.slow.claim(order_id, Move.CANCEL, CUSTOMER, NOW)
    claim = {"move": "cancel", "at": rfc3339(NOW), "by": "cust-1"}
    assert world.row()["claims"] == {"AWAITING_RESTAURANT": claim}
    assert claimed.task_token == "token-AWAITING_RESTAURANT"


@pytest.mark.parametrize(
    ("status", "move", "then"),
    [
        ("AWAITING_RESTAURANT", "cancel", "PREPARING"),
        ("AWAITING_RESTAURANT", "accept", "REJECTED"),
        ("OUT_FOR_DELIVERY", "deliver", "EXPIRED"),
    ],
)
def test_a_move_is_refused_where_the_order_has_gone_to_meanwhile(
    world: World, status: str, move: str, then: str
) -> None:
    order_id = world.an_order(status)
    if move == "deliver":
        world.becomes(courier_id=COURIER.subject)
    world.slow.meanwhile = lambda: world.goes_to(then)
    with pytest.raises(IllegalMove) as refused:
        world.slow.claim(order_id, Move(move), BY[move], NOW)
    assert (refused.value.status, refused.value.taken) == (then, None)
    assert world.row()["claims"] == {}


class TestCouriers:
    """What is to be fetched is any courier's; from dispatch on it is the one's who left with it."""

    @pytest.mark.parametrize(("status", "move"), [("PREPARING", Move.DISPATCH), ("OUT_FOR_DELIVERY", Move.DELIVER)])
    def test_of_two_who_race_one_has_the_order_and_to_the_other_there_is_none(
        self, world: World, status: str, move: Move
    ) -> None:
        order_id = world.an_order(status)
        world.slow.meanwhile = lambda: world.quick.claim(order_id, move, ANOTHER_COURIER, NOW)
        with pytest.raises(UnknownOrder):
            world.slow.claim(order_id, move, COURIER, NOW)
        row = world.row()
        assert row["courier_id"] == ANOTHER_COURIER.subject
        assert row["claims"] == {status: {"move": move, "at": rfc3339(NOW), "by": ANOTHER_COURIER.subject}}

    def test_who_dispatched_delivers_and_nobody_else_does(self, world: World) -> None:
        order_id = world.an_order("PREPARING")
        world.quick.claim(order_id, Move.DISPATCH, COURIER, NOW)
        world.goes_to("OUT_FOR_DELIVERY")
        before = world.row()
        with pytest.raises(UnknownOrder):
            world.quick.claim(order_id, Move.DELIVER, ANOTHER_COURIER, NOW)
        assert world.row() == before
        assert world.quick.claim(order_id, Move.DELIVER, COURIER, NOW).order.pending_move == "deliver"

    @pytest.mark.parametrize("status", ["PREPARING", "OUT_FOR_DELIVERY"])
    def test_an_order_that_expires_while_nobody_has_it_is_gone(self, world: World, status: str) -> None:
        order_id = world.an_order(status)
        world.slow.meanwhile = lambda: world.goes_to("EXPIRED")
        with pytest.raises(UnknownOrder):
            world.slow.claim(order_id, Move.DISPATCH if status == "PREPARING" else Move.DELIVER, COURIER, NOW)
        assert (world.row()["claims"], "courier_id" in world.row()) == ({}, False)

    def test_a_dispatch_of_before_couriers_were_recorded_is_told_as_it_was_made(self, world: World) -> None:
        """By whom it was made, its row does not say; the reconciler needs not know."""
        order_id = world.an_order("PREPARING")
        world.table.update_item(
            Key={"order_id": order_id},
            UpdateExpression="SET claims.PREPARING = :c",
            ExpressionAttributeValues={":c": {"move": "dispatch", "at": rfc3339(NOW)}},
        )
        with pytest.raises(IllegalMove):
            world.quick.claim(order_id, Move.DISPATCH, COURIER, NOW)
        assert world.quick.get(order_id).callback == {"order_id": order_id, "move": "dispatch", "at": rfc3339(NOW)}
        world.goes_to("OUT_FOR_DELIVERY")
        world.quick.claim(order_id, Move.DELIVER, COURIER, NOW)
        assert world.row()["courier_id"] == COURIER.subject


@pytest.mark.parametrize(
    ("status", "move", "hands"),
    [
        ("AWAITING_RESTAURANT", "accept", {"restaurant_id": "sakura"}),
        ("AWAITING_RESTAURANT", "reject", {"restaurant_id": "sakura"}),
        ("PLACED", "cancel", {"customer_id": "cust-2"}),
        ("PREPARING", "dispatch", {"courier_id": "courier-2"}),
        ("OUT_FOR_DELIVERY", "deliver", {"courier_id": "courier-2"}),
    ],
)
def test_an_order_that_changed_hands_since_it_was_read_is_not_claimed(
    world: World, status: str, move: str, hands: dict[str, str]
) -> None:
    """Though its status is the same and nobody moved it: whose it is stands in the write's own condition."""
    order_id = world.an_order(status)
    world.slow.meanwhile = lambda: world.becomes(**hands)
    with pytest.raises(UnknownOrder):
        world.slow.claim(order_id, Move(move), BY[move], NOW)
    assert world.row()["claims"] == {}


# Written out, once more: whose moves are. Couriers come by the order's own.
OWNERS = {"accept": [RESTAURANT], "reject": [RESTAURANT], "cancel": [CUSTOMER]}
PEOPLE = [
    *(CUSTOMER, ANOTHER_CUSTOMER, RESTAURANT, ANOTHER_RESTAURANT),
    *(COURIER, ANOTHER_COURIER, SUPPORT),
]
STATUSES = [*LEGAL, "DELIVERED", "DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED"]


@pytest.mark.parametrize("taken_by", [None, COURIER])
@pytest.mark.parametrize("caller", PEOPLE, ids=lambda caller: f"{caller.subject}-{caller.restaurant_id}")
def test_whose_it_is_comes_first_and_then_what_is_legal(world: World, caller: Caller, taken_by: Caller | None) -> None:
    for status, move in product(STATUSES, BY):
        order_id = world.an_order(status)
        if taken_by:
            world.becomes(courier_id=taken_by.subject)
        anybodys = status in ("PREPARING", "OUT_FOR_DELIVERY")
        couriers = [taken_by] if taken_by else [COURIER, ANOTHER_COURIER] if anybodys else []
        theirs = caller in OWNERS.get(move, couriers)
        before = world.row()
        try:
            claimed = world.quick.claim(order_id, Move(move), caller, NOW)
        except UnknownOrder:
            assert (theirs, world.row()) == (False, before), (status, move)
        except IllegalMove as refused:
            assert (theirs, move in LEGAL.get(status, [])) == (True, False), (status, move)
            assert (refused.status, world.row()) == (status, before)
        else:
            assert (theirs, move in LEGAL.get(status, [])) == (True, True), (status, move)
            assert claimed.claim == {"move": move, "at": rfc3339(NOW), "by": caller.subject}
            assert "by" not in claimed.callback
            taken = caller.subject if caller in couriers else before.get("courier_id")
            assert world.row().get("courier_id") == taken


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
        world.quick.claim(order_id, Move.ACCEPT, RESTAURANT, NOW)
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
