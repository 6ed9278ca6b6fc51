"""A customer is shown what there is about them, and is forgotten. Files, logs and queues: e2e/test_forget.py."""

import json
from typing import Any

import pytest
from laptop.client import Client
from laptop.people import Person
from operations.deployed import Deployed
from operations.personal import METHOD, Personal, StillOpen, UnknownCustomer
from operations.visiting import Visit
from tiffin.callers import Role
from worlds.polling import eventually

NAME, ADDRESS = "Philomena Larkspur", "3 Curlew Stairs"


def test_a_customer_is_shown_everything_forgotten_and_known_to_nobody(
    deployed: Deployed, visit: Visit, client: Client, customer: str
) -> None:
    personal, email = Personal(deployed), visit.guests.email(Person(customer))
    order_id = client.place(customer=customer, delivery={"name": NAME, "address": ADDRESS})["order_id"]
    # The index of orders by customer follows the table.
    eventually(lambda: personal.export(email)["orders"], what="the order in the list")
    with pytest.raises(StillOpen, match=order_id):
        list(personal.forget(email))
    client.deliver(order_id)

    def shown() -> dict[str, Any] | None:
        rows = personal.export(email)
        return rows if rows["promotions"] and rows["promo_codes"] else None

    before = eventually(shown, what="hearing of the delivery everywhere")
    text = json.dumps(before, default=str)
    assert [word for word in (NAME, ADDRESS, email, order_id) if word not in text] == []

    def forgotten() -> list[str] | None:
        try:
            return list(personal.forget(email))
        except StillOpen:
            # Until its end is announced, which follows in a moment.
            return None

    steps = eventually(forgotten, 60, "forgetting", pause=0.5)
    assert "account: deleted" in steps

    subject = str(before["customer_id"])
    after = personal.export(subject)
    kept = ("account", "deliveries", "promo_codes", "promotions", "mails")
    assert {name: after[name] for name in kept} == {name: None if name == "account" else [] for name in kept}
    assert not [word for word in (NAME, ADDRESS, email) if word in json.dumps(after, default=str)]
    [order] = after["orders"]
    assert (order["order_id"], order["status"], order["payment_method"]) == (order_id, "DELIVERED", METHOD)
    with pytest.raises(UnknownCustomer):
        personal.export(email)


def test_a_courier_is_no_customer(deployed: Deployed, visit: Visit) -> None:
    courier = Person("rider", Role.COURIER)
    visit.guests.token(courier)
    with pytest.raises(UnknownCustomer, match="courier"):
        list(Personal(deployed).forget(visit.guests.email(courier)))
