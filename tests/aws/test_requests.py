"""A request that is repeated is one order, and one that is bad changes nothing."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from laptop import BusTap
from laptop.client import Client, Refused
from operations.deployed import Deployed
from payments.sandbox import Balance
from worlds.polling import eventually
from worlds.stack import balance


def payments_of(tap: BusTap, order_id: str, name: str) -> int:
    return sum(e["detail-type"] == name and e["detail"]["metadata"]["order_id"] == order_id for e in tap.events)


def test_ten_impatient_taps_are_one_order_and_one_payment(
    deployed: Deployed, tap: BusTap, client: Client, customer: str
) -> None:
    key = uuid.uuid4().hex
    with ThreadPoolExecutor(10) as pool:
        orders = list(pool.map(lambda _: client.place(customer=customer, key=key), range(10)))
    [order_id] = {order["order_id"] for order in orders}
    # The index that lists them follows the table.
    eventually(lambda: [order["order_id"] for order in client.orders(customer)] == [order_id], what="the list")
    delivered = client.deliver(order_id)
    price = delivered["total"]["amount"]
    assert balance(deployed, order_id) == Balance(held=price, captured=price, voided=0)
    tap.wait_for(lambda e: e["detail"]["metadata"]["event_id"] == f"{order_id}:PaymentCaptured")
    assert payments_of(tap, order_id, "PaymentAuthorized") == 1


def test_bad_input_over_the_wire_leaves_everything_as_it_was(client: Client, customer: str) -> None:
    for changes, status in (
        ({"lines": {"no-such-dish": 1}}, 422),
        ({"restaurant_id": "nowhere"}, 422),
        ({"lines": {"margherita": 0}}, 422),
        ({"lines": {"margherita": 10_000}}, 422),
        ({"total": {"amount": -1, "currency": "EUR"}}, 422),
        ({"key": "k" * 200}, 422),
    ):
        try:
            client.place(customer=customer, **changes)
        except Refused as refusal:
            assert (refusal.status, refusal.problem["status"]) == (status, status)
            assert refusal.problem["type"].startswith("https://tiffin.example/problems/")
        else:
            raise AssertionError(f"{changes} was accepted")
    assert client.orders(customer) == []
