"""What a customer writes is for the kitchen and the courier: it reaches no log line, no trace, no event, no history.

Orders of every kind run, with words that occur nowhere else; then everything that was written down is searched for
them.
"""

import base64
import json
import re
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from laptop import BusTap, Stack
from laptop.client import Client, Refused
from laptop.pace import patience
from worlds.polling import eventually
from worlds.stack import execution_arn, names_on_bus, row
from worlds.written import found, histories, log_lines, segments

pytestmark = pytest.mark.laptop("inside")

NAME, ADDRESS, NOTE = "Zephyrine Quixwood", "77 Xylophone Passage", "strike the obsidian gong"
WORDS = ("Zephyrine", "Quixwood", "Xylophone", "obsidian")
INSUFFICIENT = "pm_card_mastercard_chargeDeclinedInsufficientFunds"
# The gateway's names of cards begin so; nothing else does.
CARD = "pm_"
UNKNOWN_CARD = "pm_vermilion0Tortoise"


@dataclass
class Run:
    """A run of orders.

    Attributes:
        began: when.
        orders: how each was meant to end, by id.
    """

    began: datetime
    orders: dict[str, str]


def place(client: Client, customer: str, **more: Any) -> str:
    order: dict[str, Any] = client.place(
        customer=customer, **{"delivery": {"name": NAME, "address": ADDRESS}, "note": NOTE} | more
    )
    return str(order["order_id"])


@pytest.fixture(scope="module")
def run(stack: Stack, tap: BusTap) -> Run:
    """Every end that an order can have, and every way in which a request is refused."""
    client, customer = Client(stack.outputs, stack.people), "cust-private"
    workflows = stack.client("stepfunctions")
    made = Run(datetime.now(UTC) - timedelta(seconds=2), {})

    def waiting() -> str:
        order_id = place(client, customer)
        client.until(order_id, "AWAITING_RESTAURANT", seconds=60)
        return order_id

    delivered = place(client, customer)
    client.deliver(delivered, seconds=60)
    rejected = waiting()
    client.move(rejected, "reject", {"reason": "too_busy"})
    cancelled = waiting()
    client.move(cancelled, "cancel")
    failed = waiting()
    workflows.stop_execution(executionArn=execution_arn(stack, failed))
    expired = waiting()
    workflows.start_execution(
        stateMachineArn=stack.outputs["UnwindWorkflowArn"],
        name=f"{expired}-expired",
        input=json.dumps({"detail": {"name": expired, "status": "TIMED_OUT"}}),
    )
    made.orders = {
        delivered: "DELIVERED",
        place(client, customer, payment_method=INSUFFICIENT): "DECLINED",
        place(client, customer, payment_method=UNKNOWN_CARD): "DECLINED",
        rejected: "REJECTED",
        cancelled: "CANCELLED",
        failed: "FAILED",
        expired: "EXPIRED",
    }
    for order_id, end in made.orders.items():
        client.until(order_id, end, seconds=60)
        names_on_bus(tap, order_id, f"Order{end.capitalize()}")
    workflows.stop_execution(executionArn=execution_arn(stack, expired))
    refuse_in_every_way(stack, client, customer, delivered)
    client.close()
    return made


def refuse_in_every_way(stack: Stack, client: Client, customer: str, ended: str) -> None:
    """Requests that are refused, each with something personal in the very part that is at fault."""
    key = uuid.uuid4().hex
    place(client, customer, key=key)
    refusals: list[Callable[[], Any]] = [
        lambda: place(client, customer, key=key, note=f"{NOTE}, twice"),
        lambda: place(client, customer, delivery={"name": NAME * 20, "address": ADDRESS}),
        lambda: place(client, customer, delivery={"name": NAME, "street": ADDRESS}),
        lambda: place(client, customer, note=[NOTE]),
        lambda: place(client, customer, note=f"{NOTE}\x07"),
        lambda: place(client, customer, payment_method=f"{UNKNOWN_CARD} 4242"),
        lambda: place(client, customer, lines={"no-such-dish": 1}),
        lambda: place(client, customer, promo_code="WELCOME-NEVER1"),
        lambda: client.move(ended, "reject", {"reason": NOTE}),
        lambda: client.move(ended, "cancel"),
    ]
    for refused in refusals:
        with pytest.raises(Refused) as refusal:
            refused()
        assert 400 <= refusal.value.status < 500
    broken = f'{{"delivery": {{"name": "{NAME}", "address": "{ADDRESS}"}}, "note": "{NOTE}'
    headers = {
        "Idempotency-Key": uuid.uuid4().hex,
        "Content-Type": "application/json",
        "Authorization": f"Bearer {stack.people.token(customer)}",
    }
    url = f"{stack.outputs['ApiUrl']}/orders"
    assert httpx.post(url, content=broken, headers=headers, timeout=patience(30)).status_code == 400


def complete(run: Run, texts: Callable[[], Iterator[str]]) -> list[str]:
    """Texts, once every order of the run is in them and no more of it come: a search of nothing finds nothing.

    What others write meanwhile is among them: lanes share the record of traces.
    """

    def about_the_run(texts: list[str]) -> int:
        return sum(any(order in text for order in run.orders) for text in texts)

    def settled() -> list[str] | None:
        before = list(texts())
        time.sleep(0.5)  # nothing says that a function's last line is written; two equal looks do
        after = list(texts())
        everything = "\n".join(after)
        no_more = about_the_run(before) == about_the_run(after)
        return after if no_more and all(order in everything for order in run.orders) else None

    return eventually(settled, 60, what="writing down every order")


def test_the_personal_words_of_an_order_lie_by_themselves(stack: Stack, run: Run) -> None:
    for order_id in run.orders:
        assert [word for word in WORDS if word in json.dumps(row(stack, order_id))] == []
        written = json.dumps(row(stack, order_id, "DeliveriesTableName"))
        assert set(WORDS) <= {word for word in WORDS if word in written}


def test_log_lines_are_free_of_personal_words(stack: Stack, run: Run) -> None:
    assert found(complete(run, lambda: log_lines(stack)), *WORDS, CARD) == []


def test_trace_segments_are_free_of_personal_words(stack: Stack, run: Run) -> None:
    assert found(complete(run, lambda: segments(stack, run.began)), *WORDS, CARD) == []


def test_trace_segments_are_free_of_the_customers_id(stack: Stack, run: Run) -> None:
    assert found(complete(run, lambda: segments(stack, run.began)), stack.people.subject("cust-private")) == []


def test_events_are_free_of_personal_words(tap: BusTap, run: Run) -> None:
    assert found(complete(run, lambda: (json.dumps(event) for event in tap.events)), *WORDS, CARD) == []


def test_histories_are_free_of_personal_words_except_the_name_of_the_card(stack: Stack, run: Run) -> None:
    texts = complete(run, lambda: histories(stack, "OrderWorkflowArn"))
    texts += histories(stack, "UnwindWorkflowArn")
    assert found(texts, *WORDS) == []
    # The one exception: the gateway's name of the card, which is in the order's input and in the call that needs it;
    # and so in the status event of an order that died, which the unwind begins with.
    known = re.compile(r'payment_method[\\": ]{1,40}pm_')
    assert any(known.search(text) for text in texts)
    assert found([known.sub("", text) for text in texts], CARD) == []


def test_every_line_about_an_order_says_which_and_from_where(stack: Stack, run: Run) -> None:
    lines = [json.loads(text) for text in complete(run, lambda: log_lines(stack)) if text.startswith("{")]
    about = [line for line in lines if line.get("order_id") in run.orders]
    assert {line["service"] for line in about} >= {"orders", "payments"}
    for line in about:
        assert {"level", "message", "timestamp", "service", "correlation_id", "xray_trace_id", "cold_start"} <= set(
            line
        )


def test_what_support_is_told_is_free_of_personal_words(stack: Stack, run: Run) -> None:
    """Of the customer not even the id; and so is what is kept of it."""
    words = (*WORDS, CARD, stack.people.subject("cust-private"))
    with closing(Client(stack.outputs, stack.people)) as client:
        stories = {order_id: json.dumps(client.story(order_id)) for order_id in run.orders}
    for order_id, end in run.orders.items():
        assert json.loads(stories[order_id])["status"] == end
    assert found(list(stories.values()), *words) == []
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["StoriesTableName"])
    kept = {item["story"]["S"]: item["text"]["S"] for page in pages for item in page["Items"] if "text" in item}
    texts = [zlib.decompress(base64.b85decode(kept[order_id])).decode() for order_id in run.orders]
    assert all("timeline" in text for text in texts)
    assert found(texts, *words) == []


def test_no_part_of_a_token_is_written_down(stack: Stack, tap: BusTap, run: Run) -> None:
    texts = complete(run, lambda: log_lines(stack)) + complete(run, lambda: segments(stack, run.began))
    texts += [json.dumps(event) for event in tap.events] + list(histories(stack, "OrderWorkflowArn"))
    for person in ("cust-private", "bella", "carl", "sue"):
        # Whoever logs a token cuts it somewhere; a part that is long enough to be nothing else is enough.
        head, claims, signature = stack.people.token(person).split(".")
        parts = [part[at : at + 24] for part in (head, claims, signature) for at in range(0, len(part) - 24, 24)]
        assert len(parts) > 20
        assert found(texts, *parts) == []
