"""Customers are told by e-mail what becomes of their orders, and only those who gave an address."""

from laptop import Stack
from laptop.client import Client
from laptop.mailbox import mails, verify
from worlds.polling import eventually
from worlds.stack import SENDER


def test_a_delivered_order_is_told_in_four_mails(stack: Stack, client: Client, customer: str) -> None:
    address = f"{customer}@customers.example"
    verify(stack, SENDER, address)
    stack.client("dynamodb").put_item(
        TableName=stack.outputs["ContactsTableName"], Item={"customer_id": {"S": customer}, "email": {"S": address}}
    )
    order = client.place(customer_id=customer)
    client.deliver(order["order_id"])
    silent = client.place(customer_id=f"{customer[:60]}-x")

    eventually(lambda: len(mails(stack, address)) == 4, what="the fourth mail")
    assert {mail["Subject"] for mail in mails(stack, address)} == {
        "We have your order",
        "Your order is being prepared",
        "Your order is on its way",
        "Enjoy your meal",
    }
    assert all(mail["Source"] == SENDER and order["order_id"] in mail["BodyText"] for mail in mails(stack, address))
    assert not any(silent["order_id"] in mail["BodyText"] for mail in mails(stack))
