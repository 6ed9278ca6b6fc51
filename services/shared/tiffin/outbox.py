"""The transactional outbox: an event is written with the change that it announces, then relayed to the bus.

A service puts `item(...)` into the same DynamoDB transaction as its own change, so that there is never one without the
other. `handler` reads those items from the table's stream and announces them, at least once. It begins in the order of
writing, but when the bus refuses one event of a request, those behind it are on the bus already: consumers must do with
any order, and recognise a repetition by `metadata.event_id`.

What the bus does not take is tried again until Lambda's event source mapping finds it too old. What can never be
announced, by itself or by the bus's word, would hold up everything behind it for as long, so its key goes to the
dead-letter queue at once, with the reason.

Pattern: "Transactional outbox", AWS Prescriptive Guidance, Cloud design patterns.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from tiffin import events
from tiffin.clients import client, once
from tiffin.dead_letters import set_aside
from tiffin.dynamodb import deserialize
from tiffin.telemetry import logger, metrics, tracer
from tiffin.unmendable import Unmendable, no_retry_mends

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sqs import SQSClient

RECORD_PREFIX = "EVENT#"
# Long enough to announce everything again after a bad week on the bus; the stream itself forgets after a day.
RETENTION_SECONDS = 7 * 24 * 3600
# Both from the EventBridge API reference, PutEvents: entries per request, and bytes over all of them.
MAX_ENTRIES = 10
MAX_REQUEST_BYTES = 256 * 1024
# Of the "non-retryable" errors (EventBridge API reference, PutEventsResultEntry) those that are the entry's own fault.
# The others say who may send what, which a person mends while the relay goes on trying.
REFUSED_FOR_GOOD = {"InvalidArgument", "MalformedDetail", "RedactionFailure"}

Record = dict[str, Any]
_Ready: TypeAlias = "tuple[Record, PutEventsRequestEntryTypeDef]"


class NotAnEvent(Unmendable):
    """An outbox item that can never be announced: it is not one of ours, or the bus will never take it."""


def item(
    key: Mapping[str, str],
    *,
    source: str,
    name: str,
    order_id: str,
    data: dict[str, Any],
    trace_header: str,
    identity: tuple[str, ...] = (),
    occurred_at: str | None = None,
) -> dict[str, str | int]:
    """Build the outbox item of one event, to be put in the transaction that makes it true.

    Args:
        key: the table's whole key; its `record` begins with `EVENT#`.
        source: EventBridge source, such as `tiffin.payments`.
        name: the event's name, past tense.
        order_id: the order that the event belongs to.
        data: the event's payload.
        trace_header: X-Ray header of the request that caused it.
        identity: further parts of the event id, see `tiffin.events.event_id`.
        occurred_at: RFC 3339 moment; now by default.

    Returns:
        The item in plain Python values; `expires_at` is the table's TTL attribute, in epoch seconds.

    Raises:
        ValueError: the key is not one that the relay would pick up.
    """
    if not key.get("record", "").startswith(RECORD_PREFIX):
        raise ValueError(f"an outbox item's record begins with {RECORD_PREFIX}")
    detail = events.detail(
        name, order_id=order_id, data=data, trace_header=trace_header, identity=identity, occurred_at=occurred_at
    )
    return {
        **key,
        "source": source,
        "detail_type": name,
        "detail": _compact(detail),
        "expires_at": int(time.time()) + RETENTION_SECONDS,
    }


def _compact(detail: dict[str, Any]) -> str:
    return json.dumps(detail, separators=(",", ":"), ensure_ascii=False)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Announce a batch of outbox items from a DynamoDB stream.

    Environment:
        EVENT_BUS_NAME: name or ARN of the event bus.
        DEAD_LETTER_QUEUE_URL: queue that is told of what can never be announced.

    Lambda takes up the batch again from the sequence number reported here, so everything behind it is sent again as
    well: sending stops at the first failure, and the answer names that one record.

    Returns:
        `batchItemFailures`, empty or with one entry (Lambda developer guide, "Partial batch response", streams).
    """
    failed = relay(_bus(), os.environ["EVENT_BUS_NAME"], event["Records"])
    # Zero is a data point too: an alarm on this metric is never short of data.
    metrics.add_metric(name="OutboxRelayFailed", unit=MetricUnit.Count, value=1 if failed else 0)
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


def relay(bus: "EventBridgeClient", bus_name: str, records: list[Record]) -> str | None:
    """Send the records' events to the bus, in order, up to the first that fails; set aside what can never be sent.

    Args:
        bus: EventBridge client.
        bus_name: name or ARN of the event bus.
        records: records of a DynamoDB stream.

    Returns:
        The sequence number of the first record that was neither announced nor set aside, or None.
    """
    ready: list[_Ready] = []
    for record in records:
        # The event source mapping filters already; a mapping without the filter must still announce no table row.
        if not _is_outbox_insert(record):
            continue
        try:
            ready.append((record, _entry(record, bus_name)))
        except NotAnEvent as error:
            # Only behind what stands before it: what fails there comes back with this, for another letter each time.
            if failed := _announce(bus, ready) or _bury(record, error):
                return failed
            ready = []
    return _announce(bus, ready)


def _is_outbox_insert(record: Record) -> bool:
    key = str(record["dynamodb"]["Keys"].get("record", {}).get("S", ""))
    return record["eventName"] == "INSERT" and key.startswith(RECORD_PREFIX)


def _entry(record: Record, bus_name: str) -> "PutEventsRequestEntryTypeDef":
    image = {name: deserialize(value) for name, value in record["dynamodb"].get("NewImage", {}).items()}
    try:
        detail = json.loads(image["detail"])
        metadata = events.EventMetadata.model_validate(detail["metadata"])
        # What is sent fits the contract, whatever was thought of trace headers when the item was written.
        detail["metadata"]["trace_header"] = metadata.trace_header
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": bus_name,
            "Source": image["source"],
            "DetailType": image["detail_type"],
            "Detail": _compact(detail),
            "Time": metadata.occurred_at,
            # X-Ray's context does not pass through a stream; with this header the consumers' traces are the request's.
            "TraceHeader": metadata.trace_header,
        }
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise NotAnEvent(type(error).__name__) from None
    if _size(entry) > MAX_REQUEST_BYTES:
        raise NotAnEvent(f"{_size(entry)} bytes")
    return entry


def _size(entry: "PutEventsRequestEntryTypeDef") -> int:
    """Bytes that count towards the limit (EventBridge user guide, "Calculating PutEvents event entry size")."""
    time_bytes = 14
    return time_bytes + sum(len(text.encode()) for text in (entry["Source"], entry["DetailType"], entry["Detail"]))


def _announce(bus: "EventBridgeClient", ready: list[_Ready]) -> str | None:
    return next((failed for failed in (_send(bus, chunk) for chunk in _chunks(ready)) if failed), None)


def _chunks(ready: list[_Ready]) -> Iterator[list[_Ready]]:
    chunk: list[_Ready] = []
    size = 0
    for one in ready:
        entry_size = _size(one[1])
        if chunk and (len(chunk) == MAX_ENTRIES or size + entry_size > MAX_REQUEST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += entry_size
    if chunk:
        yield chunk


def _send(bus: "EventBridgeClient", chunk: list[_Ready]) -> str | None:
    first = chunk[0][0]
    try:
        answer = bus.put_events(Entries=[entry for _, entry in chunk])
    except (ClientError, BotoCoreError) as error:
        reason = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        if no_retry_mends(error):
            # It is one entry's fault, and each alone shows which one's.
            if len(chunk) == 1:
                return _bury(first, NotAnEvent(reason))
            return next((failed for failed in (_send(bus, [one]) for one in chunk) if failed), None)
        logger.warning("The bus took no events", extra={"reason": reason, "count": len(chunk)})
        return str(first["dynamodb"]["SequenceNumber"])
    # HTTP 200 says nothing about the single entries: results come in the order of the request.
    for (record, _), result in zip(chunk, answer["Entries"], strict=True):
        code = result.get("ErrorCode")
        if code in REFUSED_FOR_GOOD:
            if failed := _bury(record, NotAnEvent(code)):
                return failed
        elif code is not None:
            logger.warning("The bus refused an event", extra={"reason": code})
            return str(record["dynamodb"]["SequenceNumber"])
    return None


def _bury(record: Record, error: NotAnEvent) -> str | None:
    """Tell the dead-letter queue of an item that can never be announced; its sequence number if that fails."""
    sequence_number = str(record["dynamodb"]["SequenceNumber"])
    try:
        # The key alone: an item may be larger than a message, and stays in the table for a week.
        set_aside(_sqs(), json.dumps(record["dynamodb"]["Keys"]), error)
    except (ClientError, BotoCoreError) as failure:
        logger.warning("The dead-letter queue took no letter", extra={"reason": type(failure).__name__})
        return sequence_number
    logger.error(
        "An outbox item cannot be announced",
        extra={"error_type": type(error).__name__, "reason": str(error), "at": sequence_number},
    )
    return None


@cache
def _sqs() -> "SQSClient":
    letters: SQSClient = client("sqs")
    return letters


@once
def _bus() -> "EventBridgeClient":
    # The stream retries for hours; a short wait keeps one slow call from eating the function's time.
    bus: EventBridgeClient = client("events", read_timeout=5, attempts=3)
    return bus
