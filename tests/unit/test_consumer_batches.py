"""The shared consumer: what cannot be read is set aside with its reason, what may yet succeed comes back, alone."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from botocore.exceptions import ClientError
from contracts.schemas import example
from moto import mock_aws
from pydantic import Field
from tiffin import clients
from tiffin import consumer as module
from tiffin.consumer import Consumer, Event
from tiffin.models import BaseModel
from tiffin.telemetry import logger, tracer
from worlds.feed import dead_letter_queue, failures, raw
from worlds.logs import Log, captured
from worlds.runtime import context

Message = dict[str, Any]
ONE, TWO, BUSY = (f"ord_{word:a<26}" for word in ("one", "two", "busy"))


class Delivered(BaseModel):
    """What the consumer under test reads."""

    customer_id: Annotated[str, Field(max_length=40)]


class Busy(Exception):
    """Trouble that passes."""


@pytest.fixture
def dead_letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Message]]]:
    with mock_aws():
        yield dead_letter_queue(monkeypatch)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Log:
    return captured(monkeypatch)


@pytest.fixture
def taken() -> list[Event[Delivered]]:
    return []


@pytest.fixture
def consumer(taken: list[Event[Delivered]]) -> Consumer:
    made = Consumer()

    @made.on("OrderDelivered", reads=Delivered)
    def delivered(event: Event[Delivered]) -> None:
        if event.metadata.order_id == BUSY:
            raise Busy
        logger.info("taken")
        taken.append(event)

    return made


def delivered(order_id: str = ONE, **data: Any) -> dict[str, Any]:
    event = example("OrderDelivered")
    event["detail"]["metadata"] |= {"order_id": order_id, "event_id": f"{order_id}:OrderDelivered"}
    event["detail"]["data"] |= data
    return event


def run(consumer: Consumer, *bodies: Any) -> list[str]:
    """Give the consumer a batch; the ids of the messages that it wants to see again."""
    return failures(consumer(raw(*bodies), context()))


def with_version(version: Any) -> dict[str, Any]:
    event = delivered()
    event["detail"]["metadata"]["event_version"] = version
    return event


def without(*path: str) -> dict[str, Any]:
    event = delivered()
    parent = event
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return event


POISON = [
    ("this is no JSON", "NotAnEvent", "Invalid JSON"),
    ("[]", "NotAnEvent", "message"),
    ("", "NotAnEvent", "Invalid JSON"),
    (without("detail-type"), "NotAnEvent", "detail-type: Field required"),
    (without("detail", "metadata"), "NotAnEvent", "detail.metadata: Field required"),
    (without("detail", "metadata", "order_id"), "NotAnEvent", "detail.metadata.order_id: Field required"),
    (with_version("one"), "NotAnEvent", "detail.metadata.event_version"),
    (delivered() | {"detail-type": "OrderAte"}, "UnknownEvent", "nobody here reads events of this name"),
    (with_version(2), "UnknownVersion", "OrderDelivered is of a version that nobody here reads; known is 1"),
    (without("detail", "data", "customer_id"), "UnexpectedShape", "OrderDelivered: customer_id: Field required"),
    (delivered(customer_id=["anna"]), "UnexpectedShape", "customer_id: Input should be a valid string"),
]


def test_old_and_new_version_are_both_read_during_a_change(consumer: Consumer, taken: list[Event[Delivered]]) -> None:
    """Queues and archives still hold the old one when the first of the new one arrives."""

    class Renamed(BaseModel):
        customer: str

    new = with_version(2)
    new["detail"]["data"] = {"customer": "anna"}
    told: list[str] = []
    consumer.on("OrderDelivered", reads=Renamed, version=2)(lambda event: told.append(event.data.customer))
    assert run(consumer, delivered(ONE), new, delivered(TWO)) == []
    assert ([event.metadata.order_id for event in taken], told) == ([ONE, TWO], ["anna"])


def test_a_second_reader_of_one_version_is_refused(consumer: Consumer) -> None:
    with pytest.raises(ValueError, match="OrderDelivered, version 1, is read already"):
        consumer.on("OrderDelivered", reads=Delivered)


@pytest.mark.parametrize(("poison", "error_type", "reason"), POISON)
def test_a_poisonous_message_is_set_aside_with_its_reason_and_the_others_are_taken(
    consumer: Consumer,
    taken: list[Event[Delivered]],
    dead_letters: Callable[[], list[Message]],
    poison: Any,
    error_type: str,
    reason: str,
) -> None:
    assert run(consumer, delivered(ONE), poison, delivered(TWO)) == []

    assert [event.metadata.order_id for event in taken] == [ONE, TWO]
    [letter] = dead_letters()
    assert letter["Body"] == (poison if isinstance(poison, str) else json.dumps(poison))
    assert letter["MessageAttributes"]["error_type"]["StringValue"] == error_type
    assert reason in letter["MessageAttributes"]["reason"]["StringValue"]


def test_trouble_that_may_pass_brings_back_that_message_alone(
    consumer: Consumer, taken: list[Event[Delivered]], dead_letters: Callable[[], list[Message]]
) -> None:
    assert run(consumer, delivered(ONE), delivered(BUSY), delivered(TWO)) == ["message-1"]
    assert [event.metadata.order_id for event in taken] == [ONE, TWO]
    assert dead_letters() == []


def test_when_everything_fails_everything_comes_back(consumer: Consumer) -> None:
    assert run(consumer, delivered(BUSY), delivered(BUSY)) == ["message-0", "message-1"]


def test_a_message_that_the_dead_letter_queue_refuses_comes_back(
    consumer: Consumer, taken: list[Event[Delivered]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")

    monkeypatch.setattr(clients, "client", lambda *_: SimpleNamespace(send_message=refuse))
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/dead")

    assert run(consumer, "poison", delivered(ONE)) == ["message-0"]
    assert len(taken) == 1


def test_a_consumer_may_itself_call_an_event_unreadable(dead_letters: Callable[[], list[Message]]) -> None:
    class NoSuchCustomer(module.Unreadable):
        pass

    consumer = Consumer()

    @consumer.on("OrderDelivered", reads=Delivered)
    def picky(event: Event[Delivered]) -> None:
        raise NoSuchCustomer("nobody of that id")

    assert run(consumer, delivered()) == []
    [letter] = dead_letters()
    assert letter["MessageAttributes"]["error_type"]["StringValue"] == "NoSuchCustomer"


def test_an_event_that_has_grown_is_still_read(consumer: Consumer, taken: list[Event[Delivered]]) -> None:
    event = delivered(tip={"amount": 200, "currency": "EUR"})
    event["replay-name"] = "after-the-outage"
    event["detail"]["metadata"]["caused_by"] = "a producer of tomorrow"
    assert run(consumer, event) == []
    assert len(taken) == 1


def test_log_lines_name_their_own_order_and_the_trace_that_caused_it(
    consumer: Consumer, logged: Log, dead_letters: Callable[[], list[Message]]
) -> None:
    run(consumer, delivered(ONE), "poison", delivered(BUSY), delivered(TWO))

    lines = logged.lines
    told = [(line["message"].split(":")[0], line.get("order_id")) for line in lines]
    assert told == [
        ("taken", ONE),
        ("Event sent to the dead-letter queue", None),
        ("Event not consumed", BUSY),
        ("taken", TWO),
    ]
    assert lines[0]["caused_by_trace"] == "1-6926e5b0-4c1d2f3a5b6c7d8e9f0a1b2c"


def test_logs_and_reasons_are_free_of_what_is_personal(
    consumer: Consumer, logged: Log, dead_letters: Callable[[], list[Message]]
) -> None:
    name = "anna.example@tiffin.example, Karlsplatz 1, 1010 Wien"
    run(consumer, delivered(customer_id=name), delivered(customer_id=[name]), f'{{"detail": "{name}')

    letters = dead_letters()
    assert len(letters) == 3
    assert logged.text.count("Event sent to the dead-letter queue") == 3
    assert not any("anna" in json.dumps(letter["MessageAttributes"]) for letter in letters)
    assert "anna" not in logged.text


def test_each_record_is_searchable_by_its_order_in_the_traces(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotated: list[tuple[str, str]] = []
    monkeypatch.setattr(tracer, "put_annotation", lambda key, value: annotated.append((key, value)))
    run(consumer, delivered(ONE), delivered(TWO))
    assert [value for key, value in annotated if key == "order_id"] == [ONE, TWO]
    assert {value for key, value in annotated if key == "caused_by_trace"} == {"1-6926e5b0-4c1d2f3a5b6c7d8e9f0a1b2c"}
