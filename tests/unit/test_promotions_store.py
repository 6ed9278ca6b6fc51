"""The promotions table, against moto's DynamoDB: what is written, once, whoever else writes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from promotions.ledger import News
from promotions.model import Delivery, euros
from promotions.redemption import Happened
from promotions.rules import RULES
from promotions.store import PromotionsStore

ANNA = "5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TRACE = "Root=1-6926e5b0-4c1d2f3a5b6c7d8e9f0a1b2c;Parent=53995c3f42cd8ad8;Sampled=1"


def order(number: int) -> str:
    return f"ord_{chr(ord('a') + number) * 26}"


def delivered(number: int, promo_code: str | None = None) -> News:
    fact = Delivery(order(number), NOON + timedelta(hours=number), euros(21))
    return News(ANNA, order(number), Happened.DELIVERED, promo_code, fact)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.resource("dynamodb").create_table(
            TableName="promotions",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "customer_id", "AttributeType": "S"},
                {"AttributeName": "record", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "customer_id", "KeyType": "HASH"},
                {"AttributeName": "record", "KeyType": "RANGE"},
            ],
        )


@pytest.fixture
def store(table: Any) -> PromotionsStore:
    return PromotionsStore(table, RULES, pause=lambda _: None)


def events(table: Any) -> list[dict[str, Any]]:
    return [json.loads(item["detail"]) for item in table.scan()["Items"] if item["record"].startswith("EVENT#")]


def test_a_first_delivery_is_recorded_with_its_code_and_its_announcement(store: PromotionsStore, table: Any) -> None:
    store.record(delivered(0), TRACE)

    anna = store.customer(ANNA)
    assert [d.order_id for d in anna.history.deliveries] == [order(0)]
    [code] = anna.codes.values()
    assert code.reason == "welcome_back"
    [event] = events(table)
    assert event["data"]["code"] == code.code
    assert event["metadata"]["trace_header"] == TRACE


def test_the_same_event_again_changes_nothing(store: PromotionsStore, table: Any) -> None:
    store.record(delivered(0), TRACE)
    before = table.scan()["Items"]

    assert store.record(delivered(0), TRACE) == []

    assert table.scan()["Items"] == before
