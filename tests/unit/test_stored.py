"""Rows of payments and promotions that today's rules would refuse: money is let go, and lists show the rest."""

import importlib
import json
from typing import Any

import boto3
import pytest
from moto import mock_aws
from promotions.store import PromotionsStore
from tiffin.money import Money, StoredMoney
from tiffin.stored import UnreadableRow, read, reading
from worlds.payments import ORDER, World, authorize, capture, release
from worlds.templates import create_table


@pytest.mark.parametrize("currency", ["EURO", "eur", ""])
@pytest.mark.parametrize("amount", [10**12, 2350])
def test_money_held_in_a_currency_that_is_no_longer_one_is_let_go(currency: str, amount: int) -> None:
    with mock_aws():
        world = World()
        world.ask(authorize())
        world.client.update_item(
            TableName=world.table,
            Key={"order_id": {"S": ORDER}, "record": {"S": "PAYMENT"}},
            UpdateExpression="SET amount = :a, decline = :d",
            ExpressionAttributeValues={
                ":a": {"M": {"amount": {"N": str(amount)}, "currency": {"S": currency}, "added": {"S": "later"}}},
                ":d": {"M": {part: {"S": "x"} for part in ("network", "code", "message", "added_later")}},
            },
        )
        assert world.ask(release()) == {"status": "RELEASED"}
        assert world.balance().open == 0
        assert world.payment().amount == Money.stored({"amount": amount, "currency": currency})


def test_money_held_in_a_currency_that_is_no_longer_one_is_taken() -> None:
    with mock_aws():
        world = World()
        world.ask(authorize())
        world.client.update_item(
            TableName=world.table,
            Key={"order_id": {"S": ORDER}, "record": {"S": "PAYMENT"}},
            UpdateExpression="SET amount.currency = :c",
            ExpressionAttributeValues={":c": {"S": "EURO"}},
        )
        assert world.ask(capture()) == {"status": "CAPTURED"}
        assert world.balance().captured == 2350


@pytest.mark.parametrize("discount", ["much", '{"type": "love"}', None])
def test_a_promo_code_that_cannot_be_read_hides_no_other(discount: str | None) -> None:
    with mock_aws():
        create_table("promotions", "PromotionsTable")
        table = boto3.resource("dynamodb", region_name="eu-central-1").Table("PromotionsTable")
        store = importlib.import_module("promotions.store")
        for n in range(3):
            item: dict[str, Any] = {
                "customer_id": "cust-1",
                "record": f"CODE#LOYALTY#{n}",
                "code": f"LOYAL-{n}",
                "reason": "loyalty",
                "discount": json.dumps({"type": "free_delivery"}),
                "minimum_order": {"amount": 10**12, "currency": "EURO"},
                "order_id": ORDER,
                "earned_at": "2026-05-04T18:30:00.000Z",
                "valid_until": "2026-06-04T18:30:00.000Z",
            }
            if n == 1:
                item["discount"] = discount
            table.put_item(Item=item)
        codes, last = PromotionsStore(table).codes("cust-1", 10)
        assert ([code.code for code in codes], last) == (["LOYAL-0", "LOYAL-2"], None)
        with pytest.raises(UnreadableRow, match=r"^promo code LOYAL-1: "):
            store._code(table.get_item(Key={"customer_id": "cust-1", "record": "CODE#LOYALTY#1"})["Item"])


@pytest.mark.parametrize(
    "value",
    [None, 5, "5 EUR", {}, {"amount": 1}, {"amount": 1.5, "currency": "EUR"}, {"amount": "1", "currency": "EUR"}],
)
def test_what_is_no_amount_is_not_read_as_one(value: Any) -> None:
    with pytest.raises(ValueError, match="no amount of money"):
        Money.stored(value)


def test_an_unreadable_row_is_named_by_its_fields_and_nothing_is_chained_to_it() -> None:
    from tiffin.models import BaseModel

    class Price(BaseModel):
        price: StoredMoney
        name: str = "none"

    assert read(Price, {"price": {"amount": 1, "currency": "EUR"}, "name": 7}, kind="price", row_id="p").name == "none"
    with pytest.raises(UnreadableRow, match=r"^price p: price: Value error, no amount of money$") as failed:
        read(Price, {"price": "1 Analytical Row"}, kind="price", row_id="p")
    assert (failed.value.__cause__, failed.value.__suppress_context__) == (None, True)
    with pytest.raises(UnreadableRow, match=r"^price p: ValueError$"), reading("price", "p"):
        raise ValueError("1 Analytical Row")
