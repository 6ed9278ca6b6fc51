"""Customers are told by e-mail what becomes of their orders, and only those who gave an address."""

import pytest
from laptop import Stack
from laptop.client import Client
from laptop.mailbox import mails, verify
from worlds.polling import eventually
from worlds.stack import SENDER

pytestmark = pytest.mark.laptop("inside")

INSUFFICIENT = "pm_card_mastercard_chargeDeclinedInsufficientFunds"


@pytest.fixture
def address(stack: Stack, customer: str) -> str:
    """The address that the test's customer gave."""
    address = stack.people.confirm(customer)
    verify(stack, SENDER, address)
    return address


def told(stack: Stack, address: str, *subjects: str) -> None:
    """Wait for mails, and see that there are no others."""
    eventually(lambda: len(mails(stack, address)) >= len(subjects), what=f"the mail {subjects[-1]!r}")
    assert [mail["Subject"] for mail in mails(stack, address)] == list(subjects)


def test_a_delivered_order_is_told_in_four_mails(stack: Stack, client: Client, customer: str, address: str) -> None:
    order_id = client.place(customer=customer)["order_id"]
    silent = client.place(customer=f"{customer[:60]}-x")
    subjects = ["We have your order"]
    told(stack, address, *subjects)
    # Each move once the last one was told: nothing says that events come in their order.
    for status, move, subject in (
        ("AWAITING_RESTAURANT", "accept", "Your order is being prepared"),
        ("PREPARING", "dispatch", "Your order is on its way"),
        ("OUT_FOR_DELIVERY", "deliver", "Enjoy your meal"),
    ):
        client.until(order_id, status)
        client.move(order_id, move)
        subjects.append(subject)
        told(stack, address, *subjects)
    assert all(mail["Source"] == SENDER and order_id in mail["BodyText"] for mail in mails(stack, address))
    assert not any(silent["order_id"] in mail["BodyText"] for mail in mails(stack))


def test_a_declined_order_is_told_in_one_mail_with_the_reason(
    stack: Stack, client: Client, customer: str, address: str
) -> None:
    order_id = client.place(customer=customer, payment_method=INSUFFICIENT)["order_id"]
    order = client.until(order_id, "DECLINED")
    told(stack, address, "Your payment was declined")
    [mail] = mails(stack, address)
    assert f"Why: {order['reason']['message']} (Card network: mastercard)" in mail["BodyText"]
    assert "Nothing was taken from your card." in mail["BodyText"]


@pytest.mark.parametrize(
    ("move", "end", "subject"),
    [
        ("reject", "REJECTED", "The restaurant did not take your order"),
        ("cancel", "CANCELLED", "Your order is cancelled"),
        (None, "FAILED", "We are sorry: we could not complete your order"),
    ],
)
def test_an_end_without_food_is_told_with_the_reason_that_the_orders_page_gives(
    stack: Stack, client: Client, move: str | None, end: str, subject: str, customer: str, address: str
) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.until(order_id, "AWAITING_RESTAURANT")
    told(stack, address, "We have your order")
    if move:
        client.move(order_id, move, {"reason": "out_of_stock"} if move == "reject" else None)
    else:
        arn = stack.outputs["OrderWorkflowArn"].replace(":stateMachine:", ":execution:")
        stack.client("stepfunctions").stop_execution(executionArn=f"{arn}:{order_id}")
    order = client.until(order_id, end)
    told(stack, address, "We have your order", subject)
    text = mails(stack, address)[-1]["BodyText"]
    assert f"Why: {order['reason']['message']}" in text
    assert "Nothing was taken from your card." in text


def test_an_order_cancelled_at_once_is_told_to_be_cancelled_last(
    stack: Stack, client: Client, customer: str, address: str
) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.move(order_id, "cancel")
    client.until(order_id, "CANCELLED")
    eventually(
        lambda: [mail["Subject"] for mail in mails(stack, address)[-1:]] == ["Your order is cancelled"],
        what="the last mail",
    )
    assert {mail["Subject"] for mail in mails(stack, address)[:-1]} <= {"We have your order"}
