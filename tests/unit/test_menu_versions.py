"""The menu that a customer saw is the menu by which they order, or they are told that it is another one by now."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from orders.menu_rules import Menu
from orders.menus import MenuStore
from orders.store import OrderStore
from tiffin import clients
from worlds.menus import a_menu
from worlds.orders import MENU_ITEM, PROBLEM, Api, orders_world

MENUS = "MenusTable"
ORDER: dict[str, Any] = {"restaurant_id": "r-bella"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as made:
        serve(a_menu(950))
        yield made


NUMBERS = count(1)


def serve(menu: dict[str, Any]) -> str:
    """Let a menu take effect; its version."""
    sound = Menu.model_validate(menu)
    assert MenuStore(clients.table(MENUS)).replace(sound, f"{next(NUMBERS):064x}", "v")
    return sound.version


def shown(api: Api) -> str | None:
    """The version of the menu that a customer is shown."""
    status, menu = api.call("GET", "/restaurants/r-bella/menu")
    assert status == 200
    version: str | None = menu["version"]
    return version


def test_a_menu_says_its_version_and_an_order_by_which_it_was_priced(api: Api) -> None:
    first = shown(api)
    status, order = api.place(restaurant_id="r-bella", menu_version=first)
    assert (status, order["menu_version"], order["subtotal"]["amount"]) == (201, first, 1900)
    second = serve(a_menu(1000))
    assert shown(api) == second != first
    status, order = api.place("key-2", restaurant_id="r-bella")
    assert (status, order["menu_version"], order["subtotal"]["amount"]) == (201, second, 2000)
    _, again = api.call("GET", f"/orders/{order['order_id']}")
    assert again["menu_version"] == second


def test_a_menu_that_changed_since_is_told_and_nothing_is_written(api: Api) -> None:
    seen = shown(api)
    now = serve(a_menu(1000))
    status, problem = api.place(**ORDER, menu_version=seen)
    assert (status, problem["type"], problem["menu_version"]) == (409, PROBLEM + "menu-changed", now)
    assert problem["detail"] == "The menu of r-bella has changed since. Nothing was ordered."
    assert (api.rows(), api.workflow.inputs) == ([], {})
    # Having seen the new one, the customer may order: the key has named no order yet.
    assert api.place(**ORDER, menu_version=now)[0] == 201


def test_who_does_not_say_what_they_saw_orders_by_the_menu_of_now(api: Api) -> None:
    serve(a_menu(1000))
    status, order = api.place(**ORDER)
    assert (status, order["subtotal"]["amount"]) == (201, 2000)


@pytest.mark.parametrize("version", ["", "a b", "x" * 65, 1, None])
def test_what_is_no_version_is_refused_as_the_request_is(api: Api, version: Any) -> None:
    status, _ = api.place(**ORDER, menu_version=version)
    assert status == (201 if version is None else 422)


AFTERWARDS = {
    "dearer": lambda: serve(a_menu(1000)),
    "beyond what a card pays": lambda: serve(a_menu(100_000, currency="ISK")),
    "in a currency of another step": lambda: serve(a_menu(960, currency="KWD")),
    "without the dish": lambda: serve(a_menu(dishes=[a_menu()["dishes"][0] | {"dish_id": "other"}])),
    "gone": lambda: clients.table(MENUS).delete_item(Key={"restaurant_id": "r-bella"}),
    "unreadable": lambda: clients.table(MENUS).put_item(Item={"restaurant_id": "r-bella"}),
}


@pytest.mark.parametrize("says", [True, False], ids=["with the version", "without"])
@pytest.mark.parametrize("change", AFTERWARDS.values(), ids=AFTERWARDS.keys())
class TestRepeat:
    """A request that was placed before finds its order, whatever became of the menu."""

    def test_it_is_the_order_of_before(self, api: Api, change: Callable[[], object], says: bool) -> None:
        request: dict[str, Any] = ORDER | ({"menu_version": shown(api)} if says else {})
        _, order = api.place(**request)
        change()
        status, again = api.place(**request)
        assert (status, again) == (200, order)
        assert len(api.rows()) == 1

    @pytest.mark.parametrize("before", [(MenuStore, "to_price_by"), (OrderStore, "add")], ids=["reading", "writing"])
    def test_it_is_so_for_a_twin_that_was_under_way_when_the_first_one_wrote(
        self,
        api: Api,
        monkeypatch: pytest.MonkeyPatch,
        change: Callable[[], object],
        says: bool,
        before: tuple[type, str],
    ) -> None:
        request: dict[str, Any] = ORDER | ({"menu_version": shown(api)} if says else {})
        store, step = before
        goes_on, placed = getattr(store, step), list[dict[str, Any]]()

        def interrupted(*asked: Any) -> Any:
            if not placed:
                placed.append({})
                placed[0] = api.place(**request)[1]
                change()
            return goes_on(*asked)

        monkeypatch.setattr(store, step, interrupted)
        assert api.place(**request) == (200, placed[0])
        assert len(api.rows()) == 1


def test_a_row_without_a_version_is_shown_and_sold(api: Api) -> None:
    _, menu = api.call("GET", "/restaurants/bella/menu")
    assert (menu["restaurant_id"], menu["version"]) == (MENU_ITEM["restaurant_id"], None)
    status, order = api.place()
    assert (status, order["menu_version"]) == (201, None)
    status, problem = api.place("key-2", menu_version="menu_of-another-day")
    assert (status, problem["menu_version"]) == (409, None)


def test_an_order_of_before_menus_had_versions_is_read(api: Api) -> None:
    _, order = api.place(**ORDER)
    api.table.update_item(Key={"order_id": order["order_id"]}, UpdateExpression="REMOVE menu_version")
    status, read = api.call("GET", f"/orders/{order['order_id']}")
    assert (status, read["menu_version"]) == (200, None)


def test_a_field_that_came_later_leaves_the_fingerprints_of_before(api: Api) -> None:
    api.place(**ORDER)
    [row] = api.rows()
    # Written out, as it was made before there was a `menu_version`: a retry across the deployment is the same order.
    assert row["request_fingerprint"] == "a90be886956fb1b763a0669f010f0637dd57fe76829ceb4e262ee983a21debaa"


class TestList:
    def test_it_is_in_the_order_of_ids_page_by_page(self, api: Api) -> None:
        for number in (3, 1, 2):
            serve(a_menu(restaurant_id=f"r-{number}"))
        found, token = [], None
        while True:
            query = {"limit": "2"} | ({"next": token} if token else {})
            status, page = api.call("GET", "/restaurants", query=query)
            assert status == 200
            found += [one["restaurant_id"] for one in page["restaurants"]]
            token = page["next"]
            if token is None:
                break
        assert found == ["bella", "r-1", "r-2", "r-3", "r-bella"]

    def test_it_says_what_a_list_needs(self, api: Api) -> None:
        _, page = api.call("GET", "/restaurants")
        assert page["restaurants"][1:] == [
            {
                "restaurant_id": "r-bella",
                "name": "Bella",
                "cuisine": "Italian",
                "currency": "EUR",
                "delivery_fee": 250,
            }
        ]
