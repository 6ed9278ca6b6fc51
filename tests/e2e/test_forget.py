"""A customer is shown what there is about them, is forgotten, and then found nowhere."""

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from laptop import BusTap, Stack
from laptop.client import Client, Refused
from laptop.environment import STATE_DIR
from operations.deployed import Deployed
from operations.personal import METHOD, Personal, StillOpen, UnknownCustomer
from worlds.polling import eventually
from worlds.stack import names_on_bus
from worlds.written import accounts, everything, found, tables

pytestmark = pytest.mark.laptop("inside")

# Nobody else's, and no former run's, whose files may still lie about.
MARK = uuid.uuid4().hex[:10]
CUSTOMER = f"thaddeus-{MARK}"
NAME, ADDRESS, NOTE = f"Thaddeus Wren{MARK}", f"9 Lapwing{MARK} Stairs", f"knock as the grebe{MARK} does"
EMAIL = f"{CUSTOMER}@tiffin.example"
WORDS = (NAME, ADDRESS, NOTE, EMAIL, CUSTOMER)
INSUFFICIENT = "pm_card_mastercard_chargeDeclinedInsufficientFunds"


@pytest.fixture
def personal(stack: Stack) -> Personal:
    return Personal(Deployed(stack.client, stack.outputs))


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with closing(Client(stack.outputs, stack.people)) as calls:
        yield calls


def place(client: Client, **more: Any) -> str:
    order = client.place(customer=CUSTOMER, delivery={"name": NAME, "address": ADDRESS}, note=NOTE, **more)
    return str(order["order_id"])


def test_a_customer_who_is_forgotten_is_found_nowhere(
    stack: Stack, tap: BusTap, client: Client, personal: Personal
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    delivered, declined = place(client), place(client, payment_method=INSUFFICIENT)
    client.deliver(delivered, seconds=60)
    client.until(declined, "DECLINED", seconds=60)
    open_one = place(client)
    client.until(open_one, "AWAITING_RESTAURANT", seconds=60)
    names_on_bus(tap, delivered, "OrderDelivered", "PromoCodeIssued")
    names_on_bus(tap, declined, "OrderDeclined")

    def shown() -> dict[str, list[dict[str, object]]] | None:
        rows = personal.export(CUSTOMER)
        return rows if all(rows[name] for name in ("promo_codes", "promotions", "mails")) else None

    before = eventually(shown, 60, what="hearing of the orders everywhere")
    text = json.dumps(before, default=str, ensure_ascii=False)
    assert [word for word in WORDS if word not in text] == []
    assert {row["order_id"] for row in before["orders"]} == {delivered, declined, open_one}
    assert {row["order_id"] for row in before["deliveries"]} == {delivered, declined, open_one}
    assert before["payments"]
    assert before["limits"]
    elsewhere = {str(one["where"]): one["kept"] for one in before["elsewhere"]}
    assert elsewhere["Observability/EventArchive"] == "30 days"
    assert elsewhere["Orders/Logs"] == "30 days"
    # The search finds what there is: else it would be no sign that it finds nothing later.
    assert len(found(tables(stack), NAME, NOTE)) == 3
    assert len(found(accounts(stack), EMAIL)) == 1

    with pytest.raises(StillOpen, match=open_one):
        list(personal.forget(EMAIL))
    assert place(client) != open_one
    for order in client.orders(CUSTOMER):
        if order["status"] not in ("DELIVERED", "DECLINED"):
            client.until(order["order_id"], "AWAITING_RESTAURANT", seconds=60)
            client.move(order["order_id"], "cancel")
            client.until(order["order_id"], "CANCELLED", seconds=60)
            names_on_bus(tap, order["order_id"], "OrderCancelled")

    def forgotten() -> list[str] | None:
        try:
            return list(personal.forget(EMAIL))
        except StillOpen:
            # The announcement of an end is owed a moment longer than the end is to be seen.
            return None

    steps = eventually(forgotten, 60, what="forgetting")
    assert steps[0].startswith("account: disabled")
    assert "account: deleted" in steps

    scratch = Path(stack._process.scratch)
    texts = [*everything(stack, began, STATE_DIR, scratch), *(json.dumps(event) for event in tap.events)]
    assert found(texts, *WORDS) == []
    assert any(delivered in text for text in texts)

    # What bookkeeping needs is there, and reads.
    order = client.order(delivered, by="sue")
    assert (order["status"], order["payment_method"], order.get("delivery")) == ("DELIVERED", METHOD, None)
    assert client.order(declined, by="sue")["status"] == "DECLINED"
    # The token is good for some minutes yet.
    with pytest.raises(Refused) as refused:
        place(client)
    assert (refused.value.status, refused.value.problem["type"].rpartition("/")[2]) == (429, "too-many-open-orders")

    subject = str(before["customer_id"])
    again = list(personal.forget(subject))
    assert [step for step in again if "deleted" in step] == []
    after = personal.export(subject)
    assert (after["account"], after["deliveries"], after["promotions"], after["mails"]) == (None, [], [], [])
    assert {payment["record"] for payment in after["payments"]} == {"PAYMENT"}
    assert not any({"customer_id", "decline"} & payment.keys() for payment in after["payments"])
    with pytest.raises(UnknownCustomer):
        personal.export(EMAIL)


class Interrupted(Exception):
    """The tool was ended."""


class SoManyWrites:
    """A client of DynamoDB or of the user pool, with writes left for a tool that is ended before its next one."""

    def __init__(self, client: Any, left: list[int]) -> None:
        self._client, self._left = client, left

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in ("delete_item", "update_item", "admin_delete_user", "admin_disable_user"):
            return call

        def write(**request: Any) -> Any:
            if not self._left:
                raise Interrupted(name)
            self._left.pop()
            return call(**request)

        return write


def test_forgetting_that_is_ended_before_each_write_is_begun_again_until_it_is_done(
    stack: Stack, tap: BusTap, client: Client, customer: str
) -> None:
    mark = f"Ottoline Wren{uuid.uuid4().hex[:10]}"
    order_id = client.place(customer=customer, delivery={"name": mark, "address": "1 Pier"}, note=mark)["order_id"]
    client.deliver(order_id, seconds=60)
    names_on_bus(tap, order_id, "OrderDelivered", "PromoCodeIssued")
    eventually(lambda: Personal(Deployed(stack.client, stack.outputs)).export(customer)["promo_codes"], 60)

    def forget(writes: int) -> bool:
        left = [1] * writes
        told = Personal(Deployed(lambda name: SoManyWrites(stack.client(name), left), stack.outputs))
        try:
            list(told.forget(customer))
        except (Interrupted, StillOpen):
            return False
        return True

    # Each time it comes one write further than what it began with alone.
    assert next(writes for writes in range(50) if forget(writes)) >= 5
    assert found([*tables(stack), *accounts(stack)], mark, customer) == []


def test_a_customer_whom_nobody_knows_is_not_forgotten(personal: Personal) -> None:
    for nobody in ("nobody-at-all", "nobody@tiffin.example", str(uuid.uuid4())):
        with pytest.raises(UnknownCustomer):
            list(personal.forget(nobody))
        with pytest.raises(UnknownCustomer):
            personal.export(nobody)


def test_a_courier_is_no_customer(stack: Stack, personal: Personal) -> None:
    stack.people.token("carl")
    with pytest.raises(UnknownCustomer, match="courier"):
        list(personal.forget("carl"))
