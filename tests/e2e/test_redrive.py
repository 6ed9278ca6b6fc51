"""Dead letters are listed with their reasons, and what is sent back takes effect, once."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from laptop import BusTap, Stack
from laptop.client import Client
from operations import dead_letters
from operations.dead_letters import CannotRedrive, Letter
from operations.deployed import Deployed
from worlds import feed
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("fault")


@pytest.fixture
def deployed(stack: Stack) -> Deployed:
    return Deployed(stack.client, stack.outputs)


def new_order_id() -> str:
    return "ord_" + uuid.uuid4().hex.translate(str.maketrans("0189", "abcd"))[:26]


def poison(stack: Stack, event: dict[str, Any]) -> None:
    stack.client("sqs").send_message(QueueUrl=stack.outputs["PromotionsQueueUrl"], MessageBody=json.dumps(event))


def letter_of(deployed: Deployed, order_id: str) -> Letter:
    def find() -> Letter | None:
        return next(
            (found for found in dead_letters.redrive(deployed, "promotions") if found.order_id == order_id), None
        )

    return eventually(find, what="becoming a dead letter")


def test_a_poison_message_mended_is_sent_back_and_takes_effect(
    stack: Stack, deployed: Deployed, client: Client, customer: str, subject: str
) -> None:
    order_id = new_order_id()
    event = feed.event("OrderDelivered", order_id, customer_id=subject)
    broken = json.loads(json.dumps(event))
    del broken["detail"]["data"]["delivered_at"]
    poison(stack, broken)
    letter = letter_of(deployed, order_id)
    assert letter.reason.startswith("UnexpectedShape: OrderDelivered: delivered_at")
    assert client.promo_codes(customer) == []

    with pytest.raises(CannotRedrive, match="no valid event"):
        dead_letters.redrive(deployed, "promotions", letter.message_id, letter.body, send=True)
    assert letter_of(deployed, order_id).message_id == letter.message_id

    (sent,) = dead_letters.redrive(deployed, "promotions", letter.message_id, json.dumps(event), send=True)
    assert sent.message_id == letter.message_id
    codes = eventually(lambda: client.promo_codes(customer), what="the promo code")
    assert [code["reason"] for code in codes] == ["welcome_back"]
    assert order_id not in [left.order_id for left in dead_letters.redrive(deployed, "promotions")]


def test_a_message_sent_back_as_it_was_becomes_a_dead_letter_again(
    stack: Stack, deployed: Deployed, customer: str
) -> None:
    order_id = new_order_id()
    event = feed.event("OrderDelivered", order_id, customer_id=customer)
    event["detail"]["metadata"]["event_version"] = 7
    poison(stack, event)
    first = letter_of(deployed, order_id)
    dead_letters.redrive(deployed, "promotions", first.message_id, send=True)
    second = letter_of(deployed, order_id)
    assert second.message_id != first.message_id
    assert second.reason == "UnknownVersion: OrderDelivered is of a version that nobody here reads; known is 1"
    stack.client("sqs").purge_queue(QueueUrl=stack.outputs["PromotionsDeadLetterQueueUrl"])


def test_looking_leaves_the_dead_letters_where_they_are(stack: Stack, deployed: Deployed) -> None:
    url = stack.outputs["MetricsDeadLetterQueueUrl"]
    for number in range(12):
        stack.client("sqs").send_message(QueueUrl=url, MessageBody=f"no event {number}")

    def look() -> set[str]:
        # Other tests leave dead letters here too.
        letters = dead_letters.redrive(deployed, "metrics")
        return {letter.message_id for letter in letters if letter.body.startswith("no event ")}

    looks = [look() for _ in range(2)]
    assert len(looks[0]) == 12
    assert looks[0] == looks[1]
    stack.client("sqs").purge_queue(QueueUrl=url)


def test_a_death_sent_back_starts_the_unwind(stack: Stack, deployed: Deployed, client: Client, customer: str) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.deliver(order_id)
    event = {"detail-type": "Step Functions Execution Status Change", "detail": {"name": order_id, "status": "FAILED"}}
    stack.client("sqs").send_message(QueueUrl=stack.outputs["DeathsDeadLetterQueueUrl"], MessageBody=json.dumps(event))
    dead_letters.redrive(deployed, "deaths", send=True)

    def unwound() -> str | None:
        executions = stack.client("stepfunctions").list_executions(
            stateMachineArn=stack.outputs["UnwindWorkflowArn"], statusFilter="SUCCEEDED"
        )["executions"]
        return next((e["name"] for e in executions if e["name"].startswith(f"{order_id}-redrive-")), None)

    eventually(unwound, what="the unwind")
    assert client.order(order_id)["status"] == "DELIVERED"


def test_a_malformed_outbox_item_becomes_a_dead_letter_and_the_others_go_on(
    stack: Stack, deployed: Deployed, client: Client, tap: BusTap, customer: str
) -> None:
    order_id = new_order_id()
    key = {"order_id": {"S": order_id}, "record": {"S": "EVENT#Nonsense"}}
    stack.client("dynamodb").put_item(TableName=stack.outputs["PaymentsTableName"], Item=key)

    def find() -> Letter | None:
        return next(
            (one for one in dead_letters.redrive(deployed, "payments-outbox") if one.order_id == order_id), None
        )

    letter = eventually(find, what="becoming a dead letter")
    assert (letter.name, letter.reason) == ("EVENT#Nonsense", "NotAnEvent: KeyError")
    assert json.loads(letter.body) == key
    stack.client("sqs").purge_queue(QueueUrl=stack.outputs["PaymentsOutboxDeadLetterQueueUrl"])
    order = client.place(customer=customer)["order_id"]
    tap.wait_for(lambda event: event["detail"]["metadata"]["event_id"] == f"{order}:PaymentAuthorized")


def test_sending_back_stream_positions_is_refused(deployed: Deployed) -> None:
    with pytest.raises(CannotRedrive, match="outbox"):
        dead_letters.redrive(deployed, "payments-outbox", send=True)


def test_every_dead_letter_queue_of_the_stack_can_be_looked_into(deployed: Deployed) -> None:
    runbook = Path("docs/runbooks/redrive.md").read_text("utf-8")
    for whose, _ in dead_letters.counts(deployed):
        assert dead_letters.redrive(deployed, whose.name) is not None
        assert f"`{whose.name}`" in runbook, whose.name
