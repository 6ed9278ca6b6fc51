"""Where an order goes lies by itself: shown to whoever may, read back from older rows, and forgotten."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from tiffin import clients
from worlds.orders import PROBLEM, Api, an_order, orders_world

PERSONAL = {"delivery": {"name": "Ada", "address": "1 Analytical Row"}, "note": "Ring twice."}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as ready:
        yield ready


def kept() -> list[dict[str, Any]]:
    return list(deliveries().scan()["Items"])


def deliveries() -> Any:
    return clients.table("DeliveriesTable")


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in PERSONAL}


def test_it_is_in_a_table_of_its_own_and_in_no_order_or_workflow(api: Api) -> None:
    _, order = api.place(note="Ring twice.")
    placed_at = datetime.fromisoformat(order["placed_at"])
    expires_at = int((placed_at + timedelta(days=30)).timestamp())
    assert kept() == [PERSONAL | {"order_id": order["order_id"], "expires_at": expires_at}]
    elsewhere = json.dumps([api.rows(), api.workflow.inputs], default=str)
    assert "Analytical" not in elsewhere
    assert "twice" not in elsewhere


def test_the_order_s_own_page_shows_it_and_a_list_does_not(api: Api) -> None:
    _, order = api.place(note="Ring twice.")
    assert shown(order) == PERSONAL
    assert shown(api.call("GET", f"/orders/{order['order_id']}")[1]) == PERSONAL
    assert shown(api.place(note="Ring twice.")[1]) == PERSONAL
    assert [one.keys() & PERSONAL.keys() for one in api.call("GET", "/orders")[1]["orders"]] == [set()]


def test_an_order_whose_row_has_it_is_read_as_before(api: Api) -> None:
    _, order = api.place()
    deliveries().delete_item(Key={"order_id": order["order_id"]})
    api.table.update_item(
        Key={"order_id": order["order_id"]},
        UpdateExpression="SET delivery = :delivery, note = :note",
        ExpressionAttributeValues={f":{name}": value for name, value in PERSONAL.items()},
    )
    assert shown(api.call("GET", f"/orders/{order['order_id']}")[1]) == PERSONAL


def test_what_is_forgotten_is_not_shown_and_the_order_is(api: Api) -> None:
    _, order = api.place()
    deliveries().delete_item(Key={"order_id": order["order_id"]})
    status, answer = api.call("GET", f"/orders/{order['order_id']}")
    assert (status, answer["total"]) == (200, order["total"])
    assert shown(answer) == {"delivery": None, "note": None}


def test_an_order_that_is_refused_leaves_none(api: Api) -> None:
    status, problem = api.place(lines=an_order()["lines"] + [{"dish_id": "none", "quantity": 1}])
    assert (status, problem["type"]) == (422, PROBLEM + "unknown-dish")
    assert kept() == []


def test_one_that_makes_no_sense_is_left_out(api: Api) -> None:
    _, order = api.place(note="Ring twice.")
    deliveries().update_item(
        Key={"order_id": order["order_id"]},
        UpdateExpression="SET delivery = :nothing",
        ExpressionAttributeValues={":nothing": "nowhere"},
    )
    assert shown(api.call("GET", f"/orders/{order['order_id']}")[1]) == {"delivery": None, "note": "Ring twice."}
