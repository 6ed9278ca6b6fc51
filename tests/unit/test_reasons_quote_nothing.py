"""Why something was refused is told without a word of what was sent: in reasons, in log lines, and in traces.

A canary is planted in every place of every event, as a value and as a name, and looked for in all that is said.
"""

import copy
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from contracts import schemas
from orders.model import OrderStatus
from payments import handler as payments
from payments.model import InvalidPaymentRequest
from pydantic import TypeAdapter, ValidationError
from tiffin import clients, outbox
from tiffin.consumer import Consumer
from tiffin.discounts import Discount
from tiffin.models import faults
from tiffin.stored import UnreadableRow, reading
from tiffin.telemetry import logger, tracer
from worlds.doors import CONSUMERS
from worlds.feed import failures, raw
from worlds.logs import captured
from worlds.runtime import context

WORD, NUMBER = "Karlsplatz 1, https://evil.example", 4242424242424242
CANARIES: list[Any] = [WORD, NUMBER, -NUMBER, NUMBER + 0.5, [WORD], {WORD: WORD}, {"type": WORD}, None, True]
Path = tuple[str | int, ...]


def places(node: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a document below its root."""
    members: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, member in members:
        yield (*at, key)
        yield from places(member, (*at, key))


def planted(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with a canary in one place: instead of a value, of a name, or as a member of its own."""
    for place in places(document):
        *above, last = place
        for canary in [*CANARIES, RENAMED, ADDED]:
            changed = copy.deepcopy(document)
            parent: Any = changed
            for key in above:
                parent = parent[key]
            if canary is RENAMED and isinstance(parent, dict):
                parent[WORD] = parent.pop(last)
            elif canary is ADDED and isinstance(parent[last], dict):
                parent[last] |= {WORD: WORD, str(NUMBER): NUMBER}
            elif canary in CANARIES:
                parent[last] = canary
            else:
                continue
            yield changed


RENAMED, ADDED = object(), object()
READINGS = [(consumer, name) for consumer in CONSUMERS for name in sorted(consumer.names)]


class Said:
    """All that is said of a refusal.

    Attributes:
        reasons: attributes of the dead letters.
        traced: annotations and metadata.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reasons, self.traced, self.logged = list[dict[str, Any]](), list[Any](), captured(monkeypatch)
        queue = SimpleNamespace(send_message=lambda **letter: self.reasons.append(letter["MessageAttributes"]))
        monkeypatch.setattr(clients, "client", lambda *_: queue)
        monkeypatch.setattr(outbox, "_sqs", lambda: queue)
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", "https://queue.example")
        for method in ("put_annotation", "put_metadata"):
            monkeypatch.setattr(tracer, method, lambda *args, **more: self.traced.append((args, more)))

    def must_not_quote(self) -> None:
        said = json.dumps(self.reasons) + self.logged.stream.getvalue() + repr(self.traced)
        assert "Karlsplatz" not in said
        assert "evil" not in said
        assert str(NUMBER) not in said


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    return Said(monkeypatch)


def idle(consumer: Consumer) -> Consumer:
    """A consumer that reads the same, and does nothing with it."""
    reads = Consumer()
    for (name, version), model in consumer.reads.items():
        reads.on(name, reads=model, version=version)(lambda event: logger.info("taken"))
    return reads


@pytest.mark.parametrize(("consumer", "name"), READINGS, ids=lambda value: value if isinstance(value, str) else None)
def test_a_consumer_says_nothing_of_what_an_event_holds(said: Said, consumer: Consumer, name: str) -> None:
    reader, events = idle(consumer), list(planted(schemas.example(name)))

    assert failures(reader(raw(*events), context())) == []

    # Not in vain: many of them cannot be read.
    assert len(said.reasons) > 50
    said.must_not_quote()


@pytest.mark.parametrize("body", [f'{{"{WORD}": ', f'"{WORD}"', f'["{WORD}"]', str(NUMBER), WORD])
def test_nor_of_what_is_no_event_at_all(said: Said, body: str) -> None:
    assert failures(idle(CONSUMERS[0])(raw(body), context())) == []
    assert len(said.reasons) == 1
    said.must_not_quote()


@pytest.mark.parametrize("operation", ["authorize", "capture", "release"])
def test_payments_say_nothing_of_what_a_request_holds(
    said: Said, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr(payments, "payments", lambda: SimpleNamespace(perform=lambda _: {"status": "RELEASED"}))
    sample = json.loads((schemas.EVENTS / "invocations" / f"PaymentsFunction-{operation}.json").read_text("utf-8"))
    refused = 0
    for request in planted(sample):
        try:
            payments.handler(request, context("payments"))
        except InvalidPaymentRequest as error:
            refused += 1
            said.reasons.append({"message": str(error)})
    assert refused > 20
    said.must_not_quote()


@pytest.mark.parametrize("name", ["PaymentAuthorized", "PromoCodeIssued"])
def test_the_relay_says_nothing_of_what_an_outbox_holds(said: Said, name: str) -> None:
    bus: Any = SimpleNamespace(put_events=lambda Entries: {"Entries": [{"EventId": "1"} for _ in Entries]})  # noqa: N803
    event = schemas.example(name)
    image = {"source": {"S": event["source"]}, "detail_type": {"S": name}}
    keys = {"order_id": {"S": event["detail"]["metadata"]["order_id"]}, "record": {"S": f"EVENT#{name}"}}
    for detail in planted({"detail": event["detail"]}):
        kept = {**keys, **image, "detail": {"S": json.dumps(detail.get("detail"))}}
        record = {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": kept, "SequenceNumber": "1"}}
        assert outbox.relay(bus, "bus", [record]) is None
    assert len(said.reasons) > 10
    said.must_not_quote()


def test_a_row_is_told_by_the_names_that_the_code_knows(said: Said) -> None:
    """A `KeyError` holds what was looked up: the name of a member here, and what a member holds there."""
    row: dict[str, Any] = {"status": WORD}
    for look, reason in ((lambda: row["total"], "no total"), (lambda: OrderStatus[row["status"]], "nobody here knows")):
        with pytest.raises(UnreadableRow, match=reason), reading("order", "ord_1"):
            look()
    said.must_not_quote()


def test_a_place_is_told_by_the_names_of_fields_and_no_others() -> None:
    adapter = TypeAdapter[Any](Discount)
    capped = {"type": "percentage", "percent": 20, "cap": {"amount": WORD, "currency": "EUR", WORD: WORD}}
    for document, reason in (
        ({"type": WORD}, "message: Unknown tag"),
        (capped, "percentage.cap.amount: Input should be a valid integer; percentage.cap.?: Extra inputs are not"),
    ):
        with pytest.raises(ValidationError) as refused:
            adapter.validate_python(document)
        assert faults(refused.value).startswith(reason)
