"""The past is played again to one consumer: what it missed takes effect, and what it knew stays as it is."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from laptop import BusTap, Stack
from laptop.client import Client
from laptop.pace import patience
from operations.deployed import Deployed
from operations.replaying import CannotReplay, Replayer
from worlds.polling import eventually
from worlds.stack import names_on_bus

pytestmark = pytest.mark.laptop("fault")


@pytest.fixture
def replayer(stack: Stack) -> Replayer:
    return Replayer(Deployed(stack.client, stack.outputs), patience=patience(60))


def rows(stack: Stack, customer: str) -> list[dict[str, Any]]:
    """Everything that promotions know of a customer."""
    return sorted(
        stack.client("dynamodb").query(
            TableName=stack.outputs["PromotionsTableName"],
            KeyConditionExpression="customer_id = :c",
            ExpressionAttributeValues={":c": {"S": stack.people.subject(customer)}},
            ConsistentRead=True,
        )["Items"],
        key=lambda row: str(row["record"]),
    )


def settled(stack: Stack) -> bool:
    """Whether promotions have taken in all there was."""
    attributes = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs["PromotionsQueueUrl"],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return set(attributes.values()) == {"0"}


def delivered_order(stack: Stack, tap: BusTap, client: Client, customer: str) -> str:
    order_id: str = client.place(customer=customer)["order_id"]
    client.deliver(order_id)
    names_on_bus(tap, order_id, "OrderDelivered", "PromoCodeIssued")
    return order_id


def forget(stack: Stack, customer: str) -> None:
    """As if promotions had never heard of the customer."""
    for row in rows(stack, customer):
        key = {"customer_id": row["customer_id"], "record": row["record"]}
        stack.client("dynamodb").delete_item(TableName=stack.outputs["PromotionsTableName"], Key=key)


def test_what_a_consumer_knew_stays_as_it_is(
    stack: Stack, tap: BusTap, client: Client, customer: str, replayer: Replayer
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    order_id = delivered_order(stack, tap, client, customer)
    before = rows(stack, customer)
    # A new tap, as one that saw an event before shows it no second time.
    others = stack.tap()
    replayer.between("promotions", began, datetime.now(UTC) + timedelta(seconds=2))
    replayer.between("promotions", began, datetime.now(UTC) + timedelta(seconds=2))
    assert eventually(lambda: settled(stack), what="taking in the replay")
    assert rows(stack, customer) == before
    assert [event for event in others.events if event["detail"]["metadata"]["order_id"] == order_id] == []
    others.close()


def test_the_events_of_one_order_alone_are_replayed(
    stack: Stack, tap: BusTap, client: Client, customer: str, replayer: Replayer
) -> None:
    other = f"{customer[:50]}-other"
    order_id = delivered_order(stack, tap, client, customer)
    delivered_order(stack, tap, client, other)
    for who in (customer, other):
        forget(stack, who)
        assert client.promo_codes(who) == []
    assert replayer.order("promotions", order_id) == 2  # placed and delivered: what promotions listen to
    codes = eventually(lambda: client.promo_codes(customer), what="the code, again")
    assert [code["reason"] for code in codes] == ["welcome_back"]
    assert eventually(lambda: settled(stack), what="taking in the replay")
    assert client.promo_codes(other) == []
    names = [rule["Name"] for rule in stack.client("events").list_rules(EventBusName="tiffin")["Rules"]]
    assert not [name for name in names if name.startswith("replay-")]


def test_replayed_events_are_counted_once(
    stack: Stack, tap: BusTap, client: Client, customer: str, replayer: Replayer
) -> None:
    rule = stack.client("events").list_rules(EventBusName="tiffin")["Rules"]
    (pattern,) = [r["EventPattern"] for r in rule if "MetricsRule" in r["Name"]]
    order_id = delivered_order(stack, tap, client, customer)
    event = next(e for e in tap.events if e["detail"]["metadata"]["order_id"] == order_id)
    matches = stack.client("events").test_event_pattern
    assert matches(EventPattern=pattern, Event=json.dumps(event))["Result"]
    assert not matches(EventPattern=pattern, Event=json.dumps(event | {"replay-name": "again"}))["Result"]


def test_an_unknown_order_and_an_empty_span_are_refused(replayer: Replayer) -> None:
    with pytest.raises(CannotReplay, match="no order"):
        replayer.order("promotions", "ord_nowhere")
    now = datetime.now(UTC)
    with pytest.raises(CannotReplay, match="before it begins"):
        replayer.between("promotions", now, now)
