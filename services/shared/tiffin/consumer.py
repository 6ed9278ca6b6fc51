"""A consumer of events: EventBridge rule → queue or stream → Lambda, one record's trouble kept away from the others.

Where no queue can lie between, it is EventBridge rule → Lambda, with Lambda's own retries (`Consumer.invoked`).

A consumer says which events it reads and by which model, and what to do with one of them. Everything that every
consumer must get right stands here:

- What no retry can mend goes to the dead-letter queue at once, with the reason as message attributes, instead of coming
  back five times and arriving there without one: an event that can never be read (no envelope, an unknown name or
  version, another shape), and one that fails in the same way each time it is acted upon (`tiffin.unmendable`).
- Whatever else goes wrong may go right on the next attempt: that record alone is reported as a batch item failure. SQS
  hands it out again by itself (Lambda developer guide, "Implementing partial batch responses"). A stream knows one
  position only, so it hands out that record and all that come after it in its shard ("Configuring partial batch
  response with Kinesis Data Streams and Lambda"): what had its effect comes again, and must have none then.
- Each record is its own subsegment, annotated with its order and with the trace of the request that caused it: SQS
  starts a new trace, and Kinesis carries none, so the join is by annotation.
"""

import base64
import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypedDict, TypeVar

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict, Field, ValidationError

from tiffin.dead_letters import set_aside
from tiffin.events import EventMetadata, names
from tiffin.models import BaseModel, faults
from tiffin.telemetry import about_order, came_to, logger, metrics, tracer
from tiffin.unmendable import Unmendable, no_retry_mends, reason

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Data = TypeVar("Data", bound=BaseModel)


class Unreadable(Unmendable):
    """An event that no further attempt will make readable: it belongs in the dead-letter queue."""


class NotAnEvent(Unreadable):
    """The message is not an EventBridge event with Tiffin's metadata."""


class UnknownEvent(Unreadable):
    """Nobody here reads events of this name."""


class UnknownVersion(Unreadable):
    """The event's shape is of a version that this consumer does not know."""


class UnexpectedShape(Unreadable):
    """The event's data lacks what this consumer reads, or holds it in another form."""


class NotTaken(Exception):
    """What was to be done with an event has failed; the message says where and why, and repeats no value."""


@contextmanager
def saying_why() -> Iterator[None]:
    """Around the work of a function that is invoked asynchronously: what is raised is fit to be kept and traced.

    Lambda tries again what raised, twice at most and whatever it was, and then sends the event with the error's type
    and message to the function's destination for failures (Lambda developer guide, "Configuring error handling settings
    for asynchronous invocations"). How often is a setting of the function: what no retry mends is tried again as well.

    Raises:
        Unmendable: no retry mends it; `NotTaken` if one may. The destination gets the type and the message.
    """
    try:
        yield
    except Exception as error:
        hopeless = no_retry_mends(error)
        came_to("refused" if hopeless else "to-be-retried")
        kind, said = type(error).__name__, reason(error)
        logger.error("Event not consumed", error_type=kind, reason=said, retry_may_mend=not hopeless)
        if isinstance(error, Unmendable):
            raise
        raise (Unmendable if hopeless else NotTaken)(f"{kind}: {said}") from None


class _Failure(TypedDict):
    itemIdentifier: str


class BatchFailures(TypedDict):
    """What a function answers to Lambda about a batch: the records that are to come again."""

    batchItemFailures: list[_Failure]


class Event(NamedTuple, Generic[Data]):
    """One event, read.

    Attributes:
        name: what happened: the EventBridge `detail-type`.
        metadata: what is true of every event.
        data: what this consumer reads of the payload.
    """

    name: str
    metadata: EventMetadata
    data: Data


class _Subscription(NamedTuple):
    reads: type[BaseModel]
    act: Callable[[Event[Any]], None]


class _Detail(BaseModel):
    metadata: EventMetadata
    data: dict[str, Any]


class _EventBridgeEvent(BaseModel):
    """Of the envelope, what matters here (EventBridge user guide, "Event structure")."""

    model_config = ConfigDict(extra="ignore")

    detail_type: str = Field(alias="detail-type", min_length=1)
    detail: _Detail


class Consumer:
    """What one service reads from the bus, and what it does with it.

    Environment:
        DEAD_LETTER_QUEUE_URL: queue that unreadable events are sent to.

    Example:
        >>> consumer = Consumer()
        >>> class Delivered(BaseModel):
        ...     customer_id: str
        >>> @consumer.on("OrderDelivered", reads=Delivered)
        ... def delivered(event: Event[Delivered]) -> None: ...
        >>> consumer.names
        frozenset({'OrderDelivered'})
    """

    def __init__(self) -> None:
        self._subscriptions: dict[tuple[str, int], _Subscription] = {}

    @property
    def names(self) -> frozenset[str]:
        """Names of the events that are read."""
        return frozenset(name for name, _ in self._subscriptions)

    @property
    def reads(self) -> dict[tuple[str, int], type[BaseModel]]:
        """By which model the data of each event is read, by name and version."""
        return {known: subscription.reads for known, subscription in self._subscriptions.items()}

    def parse(self, name: str, version: int, data: dict[str, Any]) -> BaseModel:
        """Read an event's data.

        Args:
            name: of an event that is read.
            version: of its contract.
            data: of its detail. Members that the model does not know are ignored however deep they lie: producers may
                add them within a version, also where a shared model, such as money, forbids them elsewhere.

        Raises:
            ValidationError: the data lacks what is read, or holds it in another form.
        """
        return self._subscriptions[name, version].reads.model_validate(data, extra="ignore")

    def on(
        self, *names: str, reads: type[Data], version: int = 1
    ) -> Callable[[Callable[[Event[Data]], None]], Callable[[Event[Data]], None]]:
        """Subscribe a function to events. It must be idempotent: events come at least once, and in any order.

        Args:
            names: `detail-type` of the events.
            reads: model of the part of `data` that is read. Let it ignore the rest, which is not ours to judge.
            version: the `event_version` that `reads` fits. While a new version comes, subscribe to both: what waits in
                queues and archives is still of the old one.

        Raises:
            ValueError: an event of that name and version is read already.
        """

        for name in names:
            if (name, version) in self._subscriptions:
                raise ValueError(f"{name}, version {version}, is read already")

        def subscribe(act: Callable[[Event[Data]], None]) -> Callable[[Event[Data]], None]:
            for name in names:
                self._subscriptions[name, version] = _Subscription(reads, act)
            return act

        return subscribe

    def __call__(self, batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
        """Take a batch of a queue or of a stream.

        Args:
            batch: event that Lambda makes of SQS messages or of Kinesis records, each holding one EventBridge event.
            context: of the invocation.

        Returns:
            The messages that SQS must hand out again, and all others count as done; or the records of which the first
            is where the stream is to be read from again.
        """
        failures = list[_Failure]()
        for record in batch["Records"]:
            try:
                self._take(record)
            except Exception:
                position = record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["messageId"]
                failures.append({"itemIdentifier": position})
        return {"batchItemFailures": failures}

    def invoked(self, event: dict[str, Any]) -> None:
        """Take one event that EventBridge invokes the function with, where no queue lies between.

        Args:
            event: the EventBridge event.

        Raises:
            Unmendable, NotTaken: see `saying_why`.
        """
        with saying_why():
            self._act(json.dumps(event))

    @tracer.capture_method(capture_response=False)
    def _take(self, record: dict[str, Any]) -> None:
        known_keys = set(logger.get_current_keys())
        body, message_id = _opened(record)
        try:
            try:
                self._act(body)
                metrics.add_metric("EventsConsumed", MetricUnit.Count, 1)
            except Exception as error:
                if not no_retry_mends(error):
                    raise
                self._bury(body, message_id, error)
                came_to("dead-lettered")
        except Exception:
            came_to("to-be-retried")
            logger.exception("Event not consumed: it will be tried again", message_id=message_id)
            metrics.add_metric("EventsToRetry", MetricUnit.Count, 1)
            raise
        finally:
            # The next record of the batch is about another order.
            logger.remove_keys(set(logger.get_current_keys()) - known_keys)

    def _act(self, body: str) -> None:
        subscription, event = self._read(body)
        about_order(
            event.metadata.order_id,
            event_name=event.name,
            event_id=event.metadata.event_id,
            caused_by=event.metadata.trace_header,
        )
        subscription.act(event)
        came_to("consumed")

    def _read(self, body: str) -> tuple[_Subscription, Event[Any]]:
        try:
            envelope = _EventBridgeEvent.model_validate_json(body)
        except ValidationError as error:
            raise NotAnEvent(faults(error)) from None
        metadata = envelope.detail.metadata
        name, version = envelope.detail_type, metadata.event_version
        if name not in self.names:
            raise UnknownEvent("nobody here reads events of this name")
        subscription = self._subscriptions.get((name, version))
        if subscription is None:
            known = ", ".join(str(v) for n, v in sorted(self._subscriptions) if n == name)
            raise UnknownVersion(f"{name} is of a version that nobody here reads; known is {known}")
        if not names(metadata.event_id, metadata.order_id, name):
            raise UnexpectedShape(f"{name}: metadata.event_id: it names another order, or another event")
        try:
            data = self.parse(name, version, envelope.detail.data)
        except ValidationError as error:
            raise UnexpectedShape(f"{name}: {faults(error)}") from None
        return subscription, Event(name, metadata, data)

    def _bury(self, body: str, message_id: str, error: Exception) -> None:
        """Send a message to the dead-letter queue; if that fails, the error makes the record a batch item failure."""
        set_aside(self._sqs, body, error)
        # Where it happened, and not what the error says.
        stack = {} if isinstance(error, Unmendable) else {"stack": traceback.format_tb(error.__traceback__)}
        logger.error(
            "Event sent to the dead-letter queue",
            message_id=message_id,
            error_type=type(error).__name__,
            reason=reason(error),
            extra=stack,
        )
        metrics.add_metric("EventsDeadLettered", MetricUnit.Count, 1)

    @cached_property
    def _sqs(self) -> "SQSClient":
        # Imported and made when first needed, which should be never: a client costs every cold start, and a consumer
        # that calls AWS for nothing else imports no other.
        from tiffin.clients import client

        sqs: SQSClient = client("sqs")
        return sqs


# What SQS does not take in a message (API reference, SendMessage); it takes one character at least.
# UTF-8 has no surrogates.
_NOT_SENDABLE = frozenset(map(chr, (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)))


def _opened(record: dict[str, Any]) -> tuple[str, str]:
    """What a record holds, as text that a dead-letter queue takes, and by what it is found in the logs."""
    if "kinesis" not in record:
        return record["body"], record["messageId"]
    data = record["kinesis"]["data"]
    try:
        text = base64.b64decode(data).decode()
    except ValueError:
        text = ""
    # Bytes that are no text are no event either: they stay as Lambda hands them over, in Base64.
    return (text if text and _NOT_SENDABLE.isdisjoint(text) else f"Base64: {data}"), record["eventID"]
