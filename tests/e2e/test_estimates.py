"""Accepted orders get estimates, off the order's path: whatever is broken there, orders go on, and nothing is lost.

The tests follow each other: at first there is no model.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from lab import estimating
from laptop import Stack
from laptop.client import Client
from operations import dead_letters
from operations.deployed import Deployed
from worlds.estimates import hand_made, model
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("all")

LATER = 40
"""Minutes by which one model differs from another."""


@pytest.fixture
def deployed(stack: Stack) -> Deployed:
    return Deployed(stack.client, stack.outputs)


@pytest.fixture
def accepted(client: Client, customer: str) -> Callable[[], str]:
    """Places an order, and has it accepted."""

    def accept() -> str:
        order_id = str(client.place(customer=customer)["order_id"])
        client.until(order_id, "AWAITING_RESTAURANT")
        client.move(order_id, "accept")
        return order_id

    return accept


def estimate(client: Client, order_id: str) -> dict[str, Any]:
    found: dict[str, Any] = eventually(lambda: client.estimate(order_id), what="the estimate")
    return found


def goes_on(client: Client, order_id: str) -> None:
    """The order is delivered, whatever became of its estimate."""
    for status, move in (("PREPARING", "dispatch"), ("OUT_FOR_DELIVERY", "deliver")):
        client.until(order_id, status)
        client.move(order_id, move)
    client.until(order_id, "DELIVERED")


def letter_of(deployed: Deployed, order_id: str) -> dead_letters.Letter:
    def find() -> dead_letters.Letter | None:
        return next((one for one in dead_letters.redrive(deployed, "estimates") if one.order_id == order_id), None)

    found: dead_letters.Letter = eventually(find, what="the dead letter")
    return found


def test_without_a_model_an_order_is_delivered_and_gets_its_estimate_later(
    stack: Stack, client: Client, deployed: Deployed, accepted: Callable[[], str]
) -> None:
    order_id = accepted()
    goes_on(client, order_id)
    letter = letter_of(deployed, order_id)
    assert letter.name == "OrderAccepted"
    assert letter.reason.startswith("NotTaken: NoModel: ")
    assert client.estimate(order_id) is None

    estimating.put_in_force(stack, model())
    dead_letters.redrive(deployed, "estimates", letter.message_id, send=True)

    assert 10 < estimate(client, order_id)["minutes"] < 100


def test_an_accepted_order_gets_an_estimate_and_the_next_model_makes_another_one(
    stack: Stack, client: Client, accepted: Callable[[], str]
) -> None:
    estimating.put_in_force(stack, model())
    first = estimate(client, accepted())
    estimating.put_in_force(stack, model(3_000_000, bias=LATER))
    second = estimate(client, accepted())
    assert LATER - 2 <= second["minutes"] - first["minutes"] <= LATER + 2


def test_a_corrupt_model_changes_nothing_and_is_kept_with_the_reason(
    stack: Stack, client: Client, deployed: Deployed, accepted: Callable[[], str]
) -> None:
    estimating.put_in_force(stack, model())
    before = estimate(client, accepted())
    estimating.upload(stack, hand_made(lambda header: header.pop("hours")))

    def find() -> dead_letters.Letter | None:
        found = dead_letters.redrive(deployed, "models")
        return next((one for one in found if "hours: there is no such tensor" in one.reason), None)

    letter: dead_letters.Letter = eventually(find, what="the dead letter")

    assert letter.reason == "UnusableModel: hours: there is no such tensor"
    assert json.loads(letter.body)["detail"]["object"]["key"] == estimating.KEY
    assert abs(estimate(client, accepted())["minutes"] - before["minutes"]) <= 2


def test_without_its_table_an_order_is_delivered_and_gets_its_estimate_later(
    stack: Stack, client: Client, deployed: Deployed, accepted: Callable[[], str]
) -> None:
    estimating.put_in_force(stack, model())
    mend = estimating.deny(stack, "dynamodb:PutItem")
    try:
        order_id = accepted()
        goes_on(client, order_id)
        letter = letter_of(deployed, order_id)
        assert letter.reason == "NotTaken: AccessDeniedException: PutItem: AccessDenied"
    finally:
        mend()
    dead_letters.redrive(deployed, "estimates", letter.message_id, send=True)
    estimate(client, order_id)


def test_an_event_that_nobody_can_read_is_kept_with_the_reason(stack: Stack, deployed: Deployed) -> None:
    """No producer sends one; so it is given to the function as EventBridge would."""
    order_id = "ord_" + "z" * 26
    event = {"detail-type": "OrderAccepted", "detail": {"metadata": {"order_id": order_id}, "data": {}}}
    stack.client("lambda").invoke(
        FunctionName=stack.outputs["EstimatesFunctionArn"], InvocationType="Event", Payload=json.dumps(event).encode()
    )
    letter = letter_of(deployed, order_id)
    assert letter.reason.startswith("NotAnEvent: detail.metadata.event_id: Field required")
    assert json.loads(letter.body) == event
