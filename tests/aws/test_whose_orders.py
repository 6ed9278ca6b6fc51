"""An order that is somebody else's does not exist. The whole table, row by row, is the laptop's: e2e/test_access.py."""

import random
import string

import pytest
from laptop.client import Client, Refused
from laptop.people import Person
from operations.visiting import Visit
from tiffin.callers import Role


def strangers(visit: Visit, customer: str) -> list[tuple[Person, str | None]]:
    """People whom an order is none of, and a move that is nevertheless their role's; None asks where it is."""
    kitchen = Person(f"{visit.name}-next-door", Role.RESTAURANT, "r-of-nobody-else")
    courier = Person("rider", Role.COURIER)
    return [
        (Person(f"{customer[:40]}-x"), None),
        (Person(f"{customer[:40]}-x"), "cancel"),
        (kitchen, None),
        (kitchen, "accept"),
        (kitchen, "reject"),
        (courier, None),
        (courier, "dispatch"),
        (courier, "deliver"),
    ]


def told(client: Client, order_id: str, who: Person, move: str | None) -> tuple[int, dict[str, object]]:
    """How somebody is refused, but for what differs from one request to the next."""
    with pytest.raises(Refused) as refused:
        client.move(order_id, move, by=who) if move else client.order(order_id, by=who)
    return refused.value.status, {n: said for n, said in refused.value.problem.items() if n != "request_id"}


def test_to_whom_an_order_is_none_of_theirs_it_is_as_if_there_were_none(
    visit: Visit, client: Client, customer: str
) -> None:
    order = client.place(customer=customer)
    before = client.until(order["order_id"], "AWAITING_RESTAURANT")
    nobodys = "ord_" + "".join(random.choices(string.ascii_lowercase + "234567", k=26))
    for who, move in strangers(visit, customer):
        answer = told(client, order["order_id"], who, move)
        assert answer == told(client, nobodys, who, move), (who, move)
        assert (answer[0], str(answer[1]["type"]).rpartition("/")[2]) == (404, "unknown-order"), (who, move)
    assert client.order(order["order_id"]) == before


def test_a_role_is_kept_out_of_what_is_another_s(client: Client, customer: str) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.until(order_id, "AWAITING_RESTAURANT")
    for move in ("accept", "dispatch"):
        with pytest.raises(Refused) as refused:
            client.move(order_id, move, by=Person(customer))
        assert (refused.value.status, refused.value.problem["type"].rpartition("/")[2]) == (403, "not-your-role")


def test_support_sees_an_order_and_moves_none(client: Client, customer: str) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.until(order_id, "AWAITING_RESTAURANT")
    assert client.order(order_id, by="sue")["status"] == "AWAITING_RESTAURANT"
    with pytest.raises(Refused) as refused:
        client.move(order_id, "cancel", by="sue")
    assert refused.value.status == 403
