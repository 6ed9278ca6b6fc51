"""An order may be priced by a menu remembered for seconds, never by an older one; it is refused by the menu of now."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from orders.menus import MOST, MenuStore
from tiffin import clients
from worlds.orders import MENU_ITEM, PROBLEM, Api, orders_world

START = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
BOUND = timedelta(seconds=10)
DISH = MENU_ITEM["dishes"][0]


class Evening:
    """An API whose clock goes on by itself, with a menu that may change behind its back.

    Attributes:
        now: the API's moment.
        menus: the menus table.
    """

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api, self.now, self._keys = api, START, 0
        self.menus = clients.table("MenusTable")
        monkeypatch.setattr(api.module, "datetime", SimpleNamespace(now=lambda _: self.now))

    def serve(self, price: int, **changes: Any) -> str:
        """Put a menu there, as another process does; its version."""
        version = f"menu_{price}"
        row = MENU_ITEM | {"menu_version": version, "dishes": [DISH | {"price": price}]} | changes
        self.menus.put_item(Item=row)
        return version

    def order(self, **changes: Any) -> tuple[int, Any]:
        """Place another order; its status, and what a dish costs or why it is refused."""
        self._keys += 1
        changes = {"lines": [{"dish_id": "margherita", "quantity": 1}]} | changes
        status, answer = self.api.place(f"key-{self._keys}", **changes)
        said = answer["subtotal"]["amount"] if status == 201 else answer["type"].removeprefix(PROBLEM)
        return status, said


@pytest.fixture
def evening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Evening]:
    with orders_world(monkeypatch) as api:
        yield Evening(api, monkeypatch)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=1), BOUND], ids=str)
def test_a_menu_that_was_read_seconds_ago_prices_the_next_order(evening: Evening, later: timedelta) -> None:
    evening.serve(900)
    assert evening.order() == (201, 900)
    evening.serve(1000)
    evening.now += later
    assert evening.order() == (201, 900)


@pytest.mark.parametrize(
    "later", [BOUND + timedelta(milliseconds=1), timedelta(hours=1), -timedelta(seconds=1)], ids=str
)
def test_a_price_older_than_the_bound_is_never_charged(evening: Evening, later: timedelta) -> None:
    """Nor one of which nobody knows how old it is, as the clock was set back."""
    evening.serve(900)
    evening.order()
    evening.serve(1000)
    evening.now += later
    assert evening.order() == (201, 1000)


def test_orders_do_not_make_a_menu_younger(evening: Evening) -> None:
    evening.serve(900)
    evening.order()
    evening.serve(1000)
    for _ in range(11):
        said = evening.order()
        evening.now += timedelta(seconds=1)
    assert said == (201, 900)
    assert evening.order() == (201, 1000)


class TestWhoSaysWhatTheySaw:
    def test_gets_that_menu_though_another_one_is_remembered(self, evening: Evening) -> None:
        evening.serve(900)
        evening.order()
        seen = evening.serve(1000)
        assert evening.order(menu_version=seen) == (201, 1000)
        assert evening.order() == (201, 1000)

    def test_is_refused_by_the_menu_of_now_alone(self, evening: Evening) -> None:
        old = evening.serve(900)
        evening.order()
        new = evening.serve(1000)
        assert evening.order(menu_version="menu_of-another-day") == (409, "menu-changed")
        # By then the new one is remembered, and the old one is no menu any more.
        assert evening.order(menu_version=old) == (409, "menu-changed")
        assert evening.order(menu_version=new) == (201, 1000)

    def test_is_told_the_version_of_now(self, evening: Evening) -> None:
        evening.serve(900)
        evening.order()
        new = evening.serve(1000)
        status, problem = evening.api.place("key", menu_version="menu_of-another-day")
        assert (status, problem["menu_version"]) == (409, new)

    def test_is_charged_what_they_saw_for_as_long_as_it_is_remembered(self, evening: Evening) -> None:
        seen = evening.serve(900)
        evening.order()
        evening.serve(1000)
        evening.now += BOUND
        assert evening.order(menu_version=seen) == (201, 900)
        evening.now += timedelta(seconds=1)
        assert evening.order(menu_version=seen) == (409, "menu-changed")


class TestRefusal:
    """What the remembered menu would refuse, the menu of now may take; what both refuse, is refused."""

    def test_a_dish_that_came_in_a_moment_ago_is_sold(self, evening: Evening) -> None:
        evening.serve(900)
        evening.order()
        evening.serve(1000, dishes=[DISH | {"dish_id": "lasagne", "price": 1100}])
        assert evening.order(lines=[{"dish_id": "lasagne", "quantity": 1}]) == (201, 1100)
        assert evening.order() == (422, "unknown-dish")

    def test_an_order_that_became_payable_is_placed(self, evening: Evening) -> None:
        evening.serve(10, delivery_fee=0)
        assert evening.order() == (422, "order-total-too-small")
        evening.serve(900)
        assert evening.order() == (201, 900)

    def test_a_restaurant_that_came_in_a_moment_ago_is_known(self, evening: Evening) -> None:
        assert evening.order(restaurant_id="sakura") == (422, "unknown-restaurant")
        evening.serve(900, restaurant_id="sakura")
        assert evening.order(restaurant_id="sakura") == (201, 900)

    def test_a_restaurant_that_is_gone_is_sold_from_no_longer_than_a_price_is(self, evening: Evening) -> None:
        evening.serve(900)
        evening.order()
        evening.menus.delete_item(Key={"restaurant_id": MENU_ITEM["restaurant_id"]})
        evening.now += BOUND
        assert evening.order() == (201, 900)
        evening.now += timedelta(seconds=1)
        assert evening.order() == (422, "unknown-restaurant")


class TestWhoWasShownAMenu:
    def test_orders_by_it_without_a_word(self, evening: Evening) -> None:
        evening.serve(900)
        evening.order()
        evening.serve(1000)
        assert evening.api.call("GET", "/restaurants/bella/menu")[1]["dishes"][0]["price"] == 1000
        assert evening.order() == (201, 1000)

    def test_is_shown_none_that_is_remembered(self, evening: Evening) -> None:
        evening.serve(900)
        evening.order()
        evening.menus.delete_item(Key={"restaurant_id": MENU_ITEM["restaurant_id"]})
        assert evening.api.call("GET", "/restaurants/bella/menu")[0] == 404
        assert evening.order() == (422, "unknown-restaurant")


def test_no_more_menus_are_remembered_than_there_is_room_for_and_those_least_asked_for_go(evening: Evening) -> None:
    store = MenuStore(evening.menus)
    names = [f"r-{number}" for number in range(MOST + 1)]
    for name in names:
        evening.serve(900, restaurant_id=name)

    def just_read(name: str) -> bool:
        return store.to_price_by(name, START)[1]

    assert [name for name in names[:MOST] if not just_read(name)] == []
    assert not just_read(names[0])
    assert just_read(names[MOST])  # for which the one goes that was asked for longest ago
    assert len(store._known) == MOST
    assert [just_read(name) for name in (names[0], names[1])] == [False, True]
