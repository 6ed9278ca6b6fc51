"""A promo code's life across two contexts that never call each other: earned, spent, given back, spent again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from laptop import BusTap
from laptop.client import Client, Refused
from operations.deployed import Deployed
from payments.sandbox import Balance
from worlds.polling import eventually
from worlds.stack import balance

FEAST = {"margherita": 3}


def earn(deployed: Deployed, client: Client, customer: str) -> str:
    """Have an order delivered; the welcome code, once orders know of it."""
    client.deliver(client.place(customer=customer)["order_id"])
    eventually(lambda: known(deployed, client, customer), what="orders hearing of the code")
    [code] = client.promo_codes(customer)
    assert code["reason"] == "welcome_back"
    return str(code["code"])


def known(deployed: Deployed, client: Client, customer: str) -> list[Any]:
    """The codes that orders know of a customer."""
    answer = deployed.client("dynamodb").query(
        TableName=deployed.outputs["PromoCodesTableName"],
        KeyConditionExpression="customer_id = :c",
        ExpressionAttributeValues={":c": {"S": client.people.subject(customer)}},
    )
    return list(answer["Items"])


def free(deployed: Deployed, client: Client, customer: str) -> bool:
    """Whether no order has the customer's only code."""
    [code] = known(deployed, client, customer)
    return "reserved_by" not in code


def refusal(client: Client, customer: str, code: str, **more: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        client.place(customer=customer, promo_code=code, **({"lines": FEAST} | more))
    return refused.value.status, refused.value.problem["type"].rsplit("/", 1)[1]


def test_a_code_discounts_one_order_and_comes_back_from_one_that_died(
    deployed: Deployed, tap: BusTap, client: Client, customer: str
) -> None:
    code = earn(deployed, client, customer)
    key = "the-first-with-a-code"
    order = client.place(customer=customer, promo_code=code.lower(), lines=FEAST, key=key)
    assert order["discount"]["amount"] == 500  # a fifth of 28.50, at most 5
    assert order["total"]["amount"] == order["subtotal"]["amount"] + order["delivery_fee"]["amount"] - 500
    assert (
        client.place(customer=customer, promo_code=code.lower(), lines=FEAST, key=key)["order_id"] == order["order_id"]
    )

    assert refusal(client, customer, code) == (409, "promo-code-already-used")

    client.until(order["order_id"], "AWAITING_RESTAURANT")
    assert balance(deployed, order["order_id"]).held == order["total"]["amount"]
    client.move(order["order_id"], "reject", {"reason": "out_of_stock"})
    client.until(order["order_id"], "REJECTED")
    eventually(lambda: free(deployed, client, customer), what="the code coming back")

    second = client.place(customer=customer, promo_code=code, lines=FEAST)
    client.deliver(second["order_id"])
    paid = second["total"]["amount"]
    assert balance(deployed, second["order_id"]) == Balance(held=paid, captured=paid, voided=0)
    assert refusal(client, customer, code) == (409, "promo-code-already-used")

    def told(name: str, order_id: str) -> int:
        return sum(
            (e["detail-type"], e["detail"]["metadata"]["order_id"], e["detail"]["data"].get("code"))
            == (name, order_id, code)
            for e in tap.events
        )

    eventually(lambda: told("PromoCodeRedeemed", second["order_id"]), what="promotions hearing of the second use")
    assert told("PromoCodeRedeemed", order["order_id"]) == told("PromoCodeRestored", order["order_id"]) == 1
    assert told("PromoCodeRestored", second["order_id"]) == 0


def test_a_cancelled_order_gives_its_code_back(deployed: Deployed, client: Client, customer: str) -> None:
    code = earn(deployed, client, customer)
    order = client.place(customer=customer, promo_code=code, lines=FEAST)
    client.move(order["order_id"], "cancel")
    client.until(order["order_id"], "CANCELLED")
    eventually(lambda: free(deployed, client, customer), what="the code coming back")


def test_of_ten_orders_at_once_one_gets_the_code(deployed: Deployed, client: Client, customer: str) -> None:
    code = earn(deployed, client, customer)

    def attempt(_: int) -> str:
        try:
            return str(client.place(customer=customer, promo_code=code, lines=FEAST)["order_id"])
        except Refused as refused:
            assert refused.problem["type"].endswith("promo-code-already-used")
            return ""

    with ThreadPoolExecutor(10) as pool:
        winners = [order_id for order_id in pool.map(attempt, range(10)) if order_id]
    assert len(winners) == 1
    [row] = known(deployed, client, customer)
    assert row["reserved_by"] == {"S": winners[0]}
    placed = [client.order(order["order_id"]) for order in client.orders(customer)]
    assert sum(order["promo_code"] == code for order in placed) == 1


def test_an_unusable_code_is_refused_with_the_reason(deployed: Deployed, client: Client, customer: str) -> None:
    code = earn(deployed, client, customer)
    assert refusal(client, customer, "WELCOME-00000000") == (422, "unknown-promo-code")
    assert refusal(client, f"{customer}-2"[-64:], code) == (422, "unknown-promo-code")
    assert refusal(client, customer, code, lines={"margherita": 1}) == (422, "promo-code-minimum-not-met")
    assert free(deployed, client, customer)
