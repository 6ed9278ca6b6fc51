"""What no retry can mend is set aside at once, with its reason; what may pass comes back, as does what nobody knows."""

import decimal
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError
from contracts.schemas import example
from moto import mock_aws
from notifications.mailer import Mailer, MailRefused
from notifications.messages import Message
from pydantic import TypeAdapter
from tiffin import clients, outbox
from tiffin.consumer import Consumer, Event
from tiffin.models import BaseModel
from tiffin.money import Money
from tiffin.stored import UnreadableRow
from tiffin.unmendable import Unmendable, no_retry_mends
from worlds.feed import failures, raw
from worlds.logs import Log, captured
from worlds.runtime import context
from worlds.templates import create_table

ONE, TWO, THREE = (f"ord_{word:a<26}" for word in ("one", "two", "three"))
SECRET = "Karlsplatz 1, 1010 Wien"


class Read(BaseModel):
    customer_id: str


class Busy(Exception):
    """Trouble of our own that passes, or may: nobody has said that it does not."""


class TooOld(Unmendable):
    """Trouble of our own that does not pass."""


def refused(code: str, *reasons: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": SECRET}}
    if reasons:
        response["CancellationReasons"] = [{"Code": reason, "Message": SECRET} for reason in reasons]
    return ClientError(response, "TransactWriteItems")


def invalid() -> Exception:
    try:
        TypeAdapter(Money).validate_python({"amount": SECRET, "currency": "EUR"})
    except ValueError as error:
        return error
    raise AssertionError


PERMANENT: list[tuple[Exception, str]] = [
    (OverflowError(SECRET), "in act"),
    (ZeroDivisionError(), "in act"),
    (decimal.Inexact(), "in act"),
    (ValueError(SECRET), "in act"),
    (UnicodeEncodeError("utf-8", SECRET, 0, 1, "surrogates not allowed"), "in act"),
    (invalid(), "amount: Input should be a valid integer"),
    (KeyError(SECRET), "in act"),
    (IndexError(), "in act"),
    (TypeError("Float types are not supported"), "in act"),
    (AttributeError(), "in act"),
    (RecursionError(), "in act"),
    (NotImplementedError(), "in act"),
    (ParamValidationError(report=SECRET), "in act"),
    (refused("ValidationException"), "TransactWriteItems: Validation"),
    (refused("TransactionCanceledException", "None", "ValidationError"), "TransactWriteItems: None, ValidationError"),
    (TooOld("of last year"), "of last year"),
    (UnreadableRow("promo code", "SPRING-1", "terms: Field required"), "promo code SPRING-1: terms: Field required"),
    (TooOld(), "TooOld"),
    (TooOld("a bell \x07 and half a character \ud800"), "a bell � and half a character �"),
]
PASSING: list[Exception] = [
    Busy(SECRET),
    RuntimeError(),
    MemoryError(),
    OSError(),
    TimeoutError(),
    # A ValueError too, by its class; but a connection may be better next time.
    ssl.SSLCertVerificationError(),
    EndpointConnectionError(endpoint_url="https://dynamodb"),
    ReadTimeoutError(endpoint_url="https://dynamodb"),
    refused("ProvisionedThroughputExceededException"),
    refused("InternalServerError"),
    # A permission or a table that was lost is given back.
    refused("AccessDeniedException"),
    refused("ResourceNotFoundException"),
    refused("TransactionCanceledException", "ThrottlingError", "None"),
    refused("TransactionCanceledException", "TransactionConflict", "ConditionalCheckFailed"),
]


def name(error: Exception) -> str:
    return f"{type(error).__name__}-{error.response['Error']['Code']}" if isinstance(error, ClientError) else ""


@pytest.fixture
def dead_letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with mock_aws():
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", url)

        def read() -> list[dict[str, Any]]:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            return list(answer.get("Messages", []))  # type: ignore[arg-type]

        yield read


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Log:
    return captured(monkeypatch)


def event(order_id: str) -> str:
    made = example("OrderDelivered")
    made["detail"]["metadata"] |= {"order_id": order_id, "event_id": f"{order_id}:OrderDelivered"}
    return json.dumps(made)


def run(act: Callable[[], object]) -> tuple[list[str], list[str]]:
    """A batch of three, the second of which is acted upon like that: what comes back, and what was taken."""
    consumer, taken = Consumer(), list[str]()

    @consumer.on("OrderDelivered", reads=Read)
    def delivered(told: Event[Read]) -> None:
        if told.metadata.order_id == TWO:
            act()
        taken.append(told.metadata.order_id)

    answer = consumer(raw(*(event(order_id) for order_id in (ONE, TWO, THREE))), context())
    return failures(answer), taken


def failing(error: Exception) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(("error", "reason"), PERMANENT, ids=lambda value: name(value) or None)
def test_it_is_set_aside_with_its_reason_and_the_others_are_taken(
    dead_letters: Callable[[], list[dict[str, Any]]], logged: Log, error: Exception, reason: str
) -> None:
    assert run(failing(error)) == ([], [ONE, THREE])

    [letter] = dead_letters()
    assert letter["Body"] == event(TWO)
    told = {key: value["StringValue"] for key, value in letter["MessageAttributes"].items()}
    assert told["error_type"] == type(error).__name__
    assert reason in told["reason"]
    # What an error says may hold what the event or a table holds.
    assert SECRET not in told["reason"] + logged.text
    line = logged.lines[-1]
    assert (line["message"], line["order_id"]) == ("Event sent to the dead-letter queue", TWO)


@pytest.mark.parametrize("error", PASSING, ids=lambda error: name(error) or None)
def test_what_may_pass_comes_back_alone(dead_letters: Callable[[], list[dict[str, Any]]], error: Exception) -> None:
    assert run(failing(error)) == (["message-1"], [ONE, THREE])
    assert dead_letters() == []
    assert not no_retry_mends(error)


def test_an_item_that_is_too_large_for_its_table_is_set_aside(
    dead_letters: Callable[[], list[dict[str, Any]]],
) -> None:
    create_table("promotions", "PromotionsTable")
    table = clients.table("PromotionsTable")
    large = {"customer_id": "anna", "record": "TALLY", "text": "x" * 410_000}
    assert run(lambda: table.put_item(Item=large)) == ([], [ONE, THREE])
    [letter] = dead_letters()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "PutItem: Validation"


def test_a_reason_is_as_long_as_a_person_reads(dead_letters: Callable[[], list[dict[str, Any]]]) -> None:
    run(failing(TooOld("very " * 10_000)))
    [letter] = dead_letters()
    assert len(letter["MessageAttributes"]["reason"]["StringValue"]) == 1024


@pytest.mark.parametrize(
    ("error", "never"),
    [
        (refused("BadRequestException"), True),
        (ParamValidationError(report=SECRET), True),
        # A person must act first: verify an address, appeal, make what is missing.
        (refused("MessageRejected"), True),
        (refused("MailFromDomainNotVerifiedException"), True),
        (refused("AccountSuspendedException"), True),
        (refused("NotFoundException"), True),
        # Over the rate, over the day's quota, paused.
        (refused("TooManyRequestsException"), False),
        (refused("ThrottlingException"), False),
        (refused("LimitExceededException"), False),
        (refused("SendingPausedException"), False),
        (refused("AccessDeniedException"), False),
        (ReadTimeoutError(endpoint_url="https://email"), False),
    ],
)
def test_a_mail_that_ses_will_never_take_is_told_from_one_that_it_may(error: Exception, never: bool) -> None:
    class Ses:
        def send_email(self, **_: Any) -> Any:
            raise error

    with pytest.raises(MailRefused) as refusal:
        Mailer(Ses(), "orders@tiffin.example").send("nobody", Message("subject", "text"))
    assert no_retry_mends(refusal.value) is never
    assert SECRET not in str(refusal.value)


class TestTheRelay:
    """What the bus will never take is set aside, and holds up nothing behind it for six hours."""

    @staticmethod
    def records(*numbers: int) -> list[dict[str, Any]]:
        return [
            {
                "eventName": "INSERT",
                "dynamodb": {
                    "Keys": {"record": {"S": f"EVENT#X{number}"}},
                    "SequenceNumber": f"seq-{number}",
                    "NewImage": {
                        "source": {"S": "tiffin.payments"},
                        "detail_type": {"S": f"X{number}"},
                        "detail": {"S": json.dumps(example("PaymentCaptured")["detail"])},
                    },
                },
            }
            for number in numbers
        ]

    class Bus:
        """Refuses some entries with a code, or any request that holds one of them with an error.

        Args:
            refused: codes by the names of events.
            error: what a request with one of them fails with, in place of the entry alone.
        """

        def __init__(self, refused: dict[str, str], error: Exception | None = None) -> None:
            self.refused, self.error, self.taken = refused, error, set[str]()

        def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
            names = [entry["DetailType"] for entry in Entries]
            if self.error and not self.refused.keys().isdisjoint(names):
                raise self.error
            self.taken |= {one for one in names if one not in self.refused}
            return {
                "Entries": [
                    {"ErrorCode": self.refused[one], "ErrorMessage": ""} if one in self.refused else {"EventId": "e"}
                    for one in names
                ]
            }

    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        outbox._sqs.cache_clear()
        yield
        outbox._sqs.cache_clear()

    @pytest.mark.parametrize("code", ["MalformedDetail", "InvalidArgument", "RedactionFailure"])
    def test_an_entry_that_the_bus_will_never_take_holds_nothing_up(
        self, dead_letters: Callable[[], list[dict[str, Any]]], code: str
    ) -> None:
        bus: Any = self.Bus({"X2": code})
        assert outbox.relay(bus, "bus", self.records(*range(1, 15))) is None
        assert bus.taken == {f"X{number}" for number in range(1, 15) if number != 2}
        [letter] = dead_letters()
        assert json.loads(letter["Body"]) == {"record": {"S": "EVENT#X2"}}
        assert letter["MessageAttributes"]["reason"]["StringValue"] == code

    @pytest.mark.parametrize("error", [ParamValidationError(report="Entries[1]"), refused("ValidationException")])
    def test_a_request_that_can_never_be_made_is_made_again_entry_by_entry(
        self, dead_letters: Callable[[], list[dict[str, Any]]], error: Exception
    ) -> None:
        bus: Any = self.Bus({"X2": ""}, error)
        assert outbox.relay(bus, "bus", self.records(1, 2, 3)) is None
        assert bus.taken == {"X1", "X3"}
        [letter] = dead_letters()
        assert json.loads(letter["Body"]) == {"record": {"S": "EVENT#X2"}}

    @pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "AccessDeniedException", "Unheard"])
    def test_what_the_bus_may_take_later_is_tried_again(
        self, dead_letters: Callable[[], list[dict[str, Any]]], code: str
    ) -> None:
        bus: Any = self.Bus({"X2": code})
        assert outbox.relay(bus, "bus", self.records(1, 2, 3)) == "seq-2"
        assert dead_letters() == []

    def test_one_that_cannot_be_set_aside_comes_back(self, dead_letters: object, monkeypatch: Any) -> None:
        bus: Any = self.Bus({"X2": "MalformedDetail"})
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/none")
        assert outbox.relay(bus, "bus", self.records(1, 2, 3)) == "seq-2"

    def test_a_detail_nested_beyond_reason_is_no_event(self, dead_letters: Callable[[], list[dict[str, Any]]]) -> None:
        deep, *others = self.records(1, 2)
        deep["dynamodb"]["NewImage"]["detail"]["S"] = "[" * 100_000
        bus: Any = self.Bus({})
        assert outbox.relay(bus, "bus", [deep, *others]) is None
        assert bus.taken == {"X2"}
        [letter] = dead_letters()
        assert letter["MessageAttributes"]["reason"]["StringValue"] == "RecursionError"
