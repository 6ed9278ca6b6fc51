"""The crowd of `make up CROWD=1`: what it does with its orders, and what it leaves alone."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from lab import crowd as the_crowd
from lab import crowd_process
from lab.crowd import GIVES_UP, LEFT, MOST_LEFT, MOST_OPEN, Crowd, Unanswered, cook, rider
from laptop import NotLoopback
from laptop.client import Refused
from laptop.people import Person
from orders.model import ENDS

DISHES = [{"dish_id": f"dish-{n}"} for n in range(5)]
NEXT = {"accept": "PREPARING", "reject": "REJECTED", "cancel": "CANCELLED", "dispatch": "OUT_FOR_DELIVERY"}
HOUR = 3600.0


class World:
    """The APIs with their workflows, at once, and seconds that pass as the crowd waits for them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rows = dict[str, dict[str, Any]]()
        self.moves = list[tuple[str, str, str]]()
        self.keys = list[str]()
        self.trouble: Callable[[str], None] = lambda _: None
        self.said = list[str]()

    # What the crowd asks of `laptop.client.Client`.

    def restaurants(self) -> list[dict[str, str]]:
        self.trouble("restaurants")
        return [{"restaurant_id": f"r-{n}"} for n in range(3)]

    def menu(self, of: str) -> dict[str, Any]:
        return {"restaurant_id": of, "version": "menu_1", "dishes": DISHES}

    def quote(self, customer: str, **basket: Any) -> None:
        assert basket.keys() <= {"restaurant_id", "lines", "menu_version", "promo_code"}

    def promo_codes(self, customer: str) -> list[dict[str, str]]:
        return [{"code": f"CODE-{customer}"}]

    def place(self, *, customer: str, key: str, **body: Any) -> dict[str, Any]:
        self.keys.append(key)
        self.trouble("place")
        order_id = f"ord_{key}"
        if order_id not in self.rows:
            status = "DECLINED" if "payment_method" in body else "AWAITING_RESTAURANT"
            self.put(order_id, customer, status, **body)
        self.trouble("placed")
        return self.order(order_id, customer)

    def put(self, order_id: str, customer: str, status: str, **body: Any) -> None:
        more = {"order_id": order_id, "customer": customer, "status": status, "pending_move": None, "courier": None}
        self.rows[order_id] = {"placed": self.now, "restaurant_id": "r-0"} | body | more

    def order(self, order_id: str, by: Any) -> dict[str, Any]:
        self.trouble("order")
        assert by == self.rows[order_id]["customer"]
        return dict(self.rows[order_id])

    def orders(self, customer: str) -> list[dict[str, Any]]:
        return [order for order in self.rows.values() if order["customer"] == customer]

    def move(self, order_id: str, move: str, body: dict[str, str] | None, by: Any) -> None:
        self.trouble(move)
        order = self.rows[order_id]
        name = by.name if isinstance(by, Person) else str(by)
        if move in ("dispatch", "deliver"):
            if order["courier"] not in (None, name):
                raise refusal(404, "unknown-order")
            order["courier"] = name
        if order["status"] in ENDS:
            raise refusal(409, "illegal-move")
        self.moves.append((order_id, move, name))
        order["status"] = NEXT.get(move, "DELIVERED")

    # What happens besides.

    def live(self, crowd: Crowd, until: Callable[[], bool], seconds: float = 10 * HOUR) -> None:
        """Let the crowd live, until something is so."""
        over = self.now + seconds
        while not until() and self.now < over:
            self.now += max(0.05, crowd.turn())
        assert until()


def refusal(status: int, problem: str) -> Refused:
    return Refused(status, {"type": f"https://tiffin.example/problems/{problem}"})


@pytest.fixture
def world() -> World:
    return World()


def a_crowd(world: World, seed: int = 1, **how: Any) -> Crowd:
    client: Any = world
    return Crowd(client, world.said.append, chance=random.Random(seed), now=lambda: world.now, **how)


@pytest.fixture
def crowd(world: World) -> Crowd:
    return a_crowd(world)


class TestWhatItDoes:
    def test_orders_come_to_every_end_and_about_every_seven_seconds(self, world: World, crowd: Crowd) -> None:
        world.live(crowd, lambda: len(world.rows) >= 400, HOUR)
        ends = Counter(order["status"] for order in world.rows.values())
        assert {"DELIVERED", "DECLINED", "REJECTED", "CANCELLED"} <= ends.keys()
        assert ends["DELIVERED"] > 0.6 * 400
        assert 400 * 5 < world.now < 400 * 12

    def test_people_take_their_time(self, world: World, crowd: Crowd) -> None:
        world.live(crowd, lambda: sum(move == "deliver" for _, move, _ in world.moves) >= 1)
        assert 60 < world.now < 600

    def test_on_a_fast_clock_they_take_as_much_less(self, world: World) -> None:
        crowd = a_crowd(world, rate=lambda: 540.0, every=0.1)
        world.live(crowd, lambda: sum(move == "deliver" for _, move, _ in world.moves) >= 10)
        assert world.now < 10

    def test_so_many_are_under_way_at_once_and_few_are_left_lying(self, world: World) -> None:
        crowd = a_crowd(world, every=0.5)
        most = left = 0

        def enough() -> bool:
            nonlocal most, left
            most, left = max(most, len(crowd.going)), max(left, sum(one.kind in LEFT for one in crowd.going))
            return len(world.rows) >= 500

        world.live(crowd, enough)
        assert (most, left) == (MOST_OPEN, MOST_LEFT)

    def test_it_ends(self, world: World) -> None:
        crowd = a_crowd(world, orders=30, every=1.0)
        for _ in range(3):
            world.live(crowd, lambda: not [one for one in crowd.going if one.kind not in LEFT] and crowd.begun == 30)
        for order in world.rows.values():
            order["status"] = order["status"] if order["status"] in ENDS else "EXPIRED"
        world.live(crowd, lambda: crowd.over)
        assert len(world.rows) == 30

    def test_a_customer_spends_a_code_once(self, world: World, crowd: Crowd) -> None:
        world.live(crowd, lambda: len(world.rows) >= 300)
        spent = [order["promo_code"] for order in world.rows.values() if "promo_code" in order]
        assert len(spent) > 5
        assert len(spent) == len(set(spent))

    def test_nobody_orders_more_in_an_hour_than_anybody_may(self, world: World) -> None:
        crowd = a_crowd(world, every=5.0)
        world.live(crowd, lambda: world.now > HOUR)
        assert max(Counter(order["customer"] for order in world.rows.values()).values()) <= 20

    def test_its_log_names_nobody(self, world: World, crowd: Crowd) -> None:
        world.live(crowd, lambda: len(world.rows) >= 100)
        text = "\n".join(world.said)
        assert "ord_" in text
        assert [name for name in the_crowd._NAMES if name in text] == []
        assert [street for street in the_crowd._STREETS if street in text] == []


class TestWhatItLeavesAlone:
    def test_no_order_but_its_own_is_moved_or_looked_at(self, world: World, crowd: Crowd) -> None:
        world.put("ord_by-hand", "ada", "AWAITING_RESTAURANT")
        world.live(crowd, lambda: len(world.rows) >= 100)
        assert world.rows["ord_by-hand"]["status"] == "AWAITING_RESTAURANT"
        assert "ord_by-hand" not in {order_id for order_id, *_ in world.moves}

    def test_everybody_in_it_has_an_account_of_its_own(self, world: World, crowd: Crowd) -> None:
        world.live(crowd, lambda: len(world.rows) >= 100)
        people = {name for *_, name in world.moves} | {order["customer"] for order in world.rows.values()}
        assert {name.partition("-")[0] for name in people} == {"crowd"}
        assert cook("r-bella-napoli").name != "bella"

    def test_what_somebody_else_has_taken_is_theirs(self, world: World, crowd: Crowd) -> None:
        world.live(crowd, lambda: any(order["status"] == "PREPARING" for order in world.rows.values()))
        [order] = [order for order in world.rows.values() if order["status"] == "PREPARING"][:1]
        order |= {"status": "OUT_FOR_DELIVERY", "courier": "carl"}
        world.live(crowd, lambda: order["order_id"] not in {one.order_id for one in crowd.going})
        assert order["status"] == "OUT_FOR_DELIVERY"

    def test_what_somebody_else_accepted_goes_on_though_it_was_to_be_rejected(self, world: World, crowd: Crowd) -> None:
        def to_be_rejected() -> list[dict[str, Any]]:
            ours = {one.order_id for one in crowd.going if one.kind.name == "rejected" and one.order_id}
            return [world.rows[order_id] for order_id in ours]

        world.live(crowd, lambda: bool(to_be_rejected()))
        [order] = to_be_rejected()
        order["status"] = "PREPARING"
        world.live(crowd, lambda: order["status"] == "DELIVERED")

    def test_of_a_move_that_somebody_else_was_faster_with_it_is_seen_what_came(
        self, world: World, crowd: Crowd
    ) -> None:
        def faster(what: str) -> None:
            if what == "accept":
                world.trouble = lambda _: None
                order = next(o for o in world.rows.values() if o["status"] == "AWAITING_RESTAURANT")
                order["status"] = "PREPARING"
                raise refusal(409, "illegal-move")

        world.trouble = faster
        world.live(crowd, lambda: sum(move == "deliver" for _, move, _ in world.moves) >= 5)

    def test_what_an_earlier_crowd_left_of_its_customers_is_brought_to_an_end(self, world: World) -> None:
        first = a_crowd(world)
        world.live(first, lambda: sum(order["status"] == "OUT_FOR_DELIVERY" for order in world.rows.values()) >= 2)
        left = [order for order in world.rows.values() if order["status"] not in ENDS]
        second = a_crowd(world, seed=2)
        world.live(second, lambda: all(order["status"] in ENDS for order in left))
        assert {order["courier"] for order in left} - {None} <= {rider(order["order_id"]).name for order in left}


class TestWhere:
    @pytest.mark.parametrize("name", ["ApiUrl", "PromotionsApiUrl", "SignInUrl"])
    def test_it_goes_nowhere_but_to_this_machine(self, name: str) -> None:
        here = dict.fromkeys(("ApiUrl", "PromotionsApiUrl", "SignInUrl"), "http://127.0.0.1:4566/v1")
        stack: Any = SimpleNamespace(outputs=here)
        crowd_process.must_be_here(stack)
        stack.outputs[name] = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1"
        with pytest.raises(NotLoopback):
            crowd_process.must_be_here(stack)

    def test_where_none_was_none_is_sent_home(self, tmp_path: Path) -> None:
        assert not crowd_process.stop(tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestTrouble:
    def test_what_was_not_answered_is_asked_again_by_the_same_key(self, world: World, crowd: Crowd) -> None:
        failures = iter(["placed", "placed", "order", "dispatch"])
        awaited = next(failures)

        def trouble(what: str) -> None:
            nonlocal awaited
            if what == awaited:
                awaited = next(failures, "")
                raise httpx.ReadTimeout("late")

        world.trouble = trouble
        world.live(crowd, lambda: sum(move == "deliver" for _, move, _ in world.moves) >= 3)
        assert awaited == ""
        assert len(world.keys) > len(set(world.keys)) == len(world.rows)
        assert "no answer, ReadTimeout" in "\n".join(world.said)

    @pytest.mark.parametrize(("status", "problem"), [(503, "unavailable"), (500, "internal-error"), (429, "throttled")])
    def test_what_was_refused_for_the_moment_is_asked_again(
        self, world: World, crowd: Crowd, status: int, problem: str
    ) -> None:
        times = iter(range(3))

        def trouble(what: str) -> None:
            if what == "place" and next(times, None) is not None:
                raise refusal(status, problem)

        world.trouble = trouble
        world.live(crowd, lambda: len(world.rows) >= 1)

    def test_what_may_not_be_ordered_is_not(self, world: World, crowd: Crowd) -> None:
        def trouble(what: str) -> None:
            if what == "place":
                raise refusal(409, "menu-changed")

        world.trouble = trouble
        world.live(crowd, lambda: crowd.begun >= 10)
        assert len(crowd.going) <= 1
        assert len(world.keys) == len(set(world.keys))

    def test_it_goes_home_when_nobody_answers_any_more(self, world: World, crowd: Crowd) -> None:
        world.live(crowd, lambda: len(world.rows) >= 5)
        gone = world.now

        def trouble(_: str) -> None:
            raise httpx.ConnectError("gone")

        world.trouble = trouble
        with pytest.raises(Unanswered):
            world.live(crowd, lambda: False)
        assert GIVES_UP - 30 < world.now - gone < GIVES_UP + 30
