"""The messages of dead-letter queues with their reasons, and their way back.

SQS can only move messages back that SQS moved itself (SQS developer guide, "Configuring a dead-letter queue redrive").
Most of ours were put there by a consumer or by EventBridge, so they are sent to the source queue by name: first sent,
then deleted, so that an interruption leaves one twice rather than none. Consumers know an event that they saw before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError
from contracts import schemas

from .consumers import Consumer
from .deployed import Deployed

# Positions in a stream, and keys of what is no event, can be sent nowhere: what to do, by the end of the name.
_RUNBOOKS = {"outbox": "docs/runbooks/outbox.md", "positions": "docs/runbooks/stream.md"}
# While one person looks at the messages, another one's look finds none of them: no longer than necessary.
_LOOK_SECONDS = 60


class CannotRedrive(Exception):
    """What was asked for cannot be done; the message says why."""


@dataclass(frozen=True)
class Letter:
    """A message of a dead-letter queue.

    Attributes:
        message_id: SQS's id of it.
        body: the whole event, without what Lambda wrote around it.
        handle: to delete it by, for as long as it is hidden.
        reason: why it is here, as far as the message tells.
        name: the event's name, if it is one, or the outbox item's `record`.
        order_id: its order, if it says; of a menu, the file.
    """

    message_id: str
    body: str
    handle: str
    reason: str
    name: str
    order_id: str


def letters(sqs: Any, queue_url: str) -> Iterator[Letter]:
    """Every message that a queue has when the first of them is received; each is hidden from others for a minute, or
    until it is released. What comes later is left, so that there is an end, however fast more of it comes.
    """
    seen: set[str] = set()
    began: float | None = None
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            # Long polling asks every server of the queue; short polling may find a full queue empty.
            WaitTimeSeconds=1,
            VisibilityTimeout=_LOOK_SECONDS,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        began = began or _now(answer)
        batch = answer.get("Messages", [])
        later = [message for message in batch if int(message["Attributes"]["SentTimestamp"]) > began]
        _release(sqs, queue_url, [message["ReceiptHandle"] for message in later])
        fresh = [message for message in batch if message["MessageId"] not in seen and message not in later]
        if not fresh:
            return
        for message in fresh:
            seen.add(message["MessageId"])
            yield _letter(message)


def _now(answer: dict[str, Any]) -> float:
    """The queue's own clock, in milliseconds as in `SentTimestamp`: this machine's may be minutes off.

    Its second has not passed: what was sent in it may have come before.
    """
    said = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (said + timedelta(seconds=1)).timestamp() * 1000


def _release(sqs: Any, queue_url: str, handles: list[str]) -> None:
    for handle in handles:
        try:
            sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0)
        except ClientError as error:
            # Its minute is over: it is released.
            if "MessageNotInflight" not in str(error):
                raise


def _letter(message: dict[str, Any]) -> Letter:
    attributes = {key: value.get("StringValue", "") for key, value in message.get("MessageAttributes", {}).items()}
    text, record = message["Body"], _record(message["Body"])
    if record is not None:
        text = json.dumps(record["requestPayload"])
    try:
        body = json.loads(text)
        detail = body.get("detail", {})
        # An outbox item is named by its key, as DynamoDB writes it.
        key = {attribute: value["S"] for attribute, value in body.items() if attribute in ("order_id", "record")}
        order_id = detail.get("metadata", {}).get("order_id") or detail.get("name", "") or key.get("order_id", "")
        order_id = order_id or detail.get("object", {}).get("key", "")
        name = body.get("detail-type", "") or key.get("record", "")
    except (ValueError, AttributeError, KeyError, TypeError):
        order_id = name = ""
    reason = _reason(attributes, message) if record is None else _raised(record)
    return Letter(message["MessageId"], text, message["ReceiptHandle"], reason, name, order_id)


def _record(text: str) -> dict[str, Any] | None:
    """What Lambda keeps of an asynchronous invocation that failed each time, if it is that.

    Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
    """
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"requestContext", "requestPayload"} <= found.keys() else None


def _raised(record: dict[str, Any]) -> str:
    said = record.get("responsePayload") or {}
    if "errorType" not in said:
        # It waited too long, or was turned away, and was never run.
        return f"not run: {record['requestContext'].get('condition', 'nobody knows why')}"
    return f"{said['errorType']}: {said.get('errorMessage', '')}"


def _reason(attributes: dict[str, str], message: dict[str, Any]) -> str:
    if "reason" in attributes:
        return f"{attributes.get('error_type', 'Unreadable')}: {attributes['reason']}"
    # What EventBridge adds (EventBridge user guide, "Using dead-letter queues").
    if "ERROR_CODE" in attributes:
        return f"not delivered: {attributes['ERROR_CODE']}: {attributes.get('ERROR_MESSAGE', '')}"
    if "DDBStreamBatchInfo" in message["Body"]:
        return "not announced: a position in the outbox's stream"
    if "KinesisBatchInfo" in message["Body"]:
        return "not counted: a stretch of the kitchens' stream, from a position on"
    return "failed each time it was tried: the consumer's log says why, by this message id"


def consumer(stack: Deployed, name: str) -> Consumer:
    """The consumer of a name.

    Raises:
        CannotRedrive: this stack has none of that name.
    """
    known = Consumer.all(stack.outputs)
    if name not in known:
        raise CannotRedrive(
            f"This stack has no queue {name}, but {', '.join(known)}. That of a service is there if the service is."
        )
    return known[name]


def runbook(name: str) -> str:
    """The page that says what to do with letters that go back to nowhere."""
    return _RUNBOOKS.get(name.rpartition("-")[2], "docs/runbooks/redrive.md")


def redrive(
    stack: Deployed, queue: str, message_id: str | None = None, body: str | None = None, send: bool = False
) -> list[Letter]:
    """Look at a dead-letter queue, and send its messages back if asked to: those that are there now, each once.

    Args:
        stack: the stack.
        queue: whose, such as `promotions`.
        message_id: this message alone.
        body: what to send instead of the message's own body.
        send: whether to send; otherwise everything stays as it is.

    Returns:
        The messages, sent or only seen.

    Raises:
        CannotRedrive: there is no such queue or message, the queue's messages cannot be sent, or the mended body is no
            valid event. Nothing was sent.
    """
    whose = consumer(stack, queue)
    if send and not whose.target:
        raise CannotRedrive(f"What {queue} holds are no events: see {runbook(queue)}.")
    if body is not None:
        if message_id is None:
            raise CannotRedrive("A mended body belongs to one message: name it with MESSAGE= (--message).")
        _must_be_valid(body)
    sqs = stack.client("sqs")
    kept: list[Letter] = []
    try:
        # All are found before the first is sent: one that bounces is back within a second, and is another message then.
        kept.extend(letters(sqs, whose.dead_letters))
        found = [letter for letter in kept if message_id in (None, letter.message_id)]
        for letter in found if send else []:
            # A status event's target is the unwind workflow, which does nothing for an order to which nothing is owed.
            whose.send(stack, body or letter.body, f"{letter.order_id}-redrive-{letter.message_id}")
            sqs.delete_message(QueueUrl=whose.dead_letters, ReceiptHandle=letter.handle)
            kept.remove(letter)
    finally:
        # Only now: a message that is shown again at once would come round again.
        _release(sqs, whose.dead_letters, [letter.handle for letter in kept])
    if message_id and not found:
        raise CannotRedrive(f"{queue} has no message {message_id}, or somebody else is looking at it just now.")
    return found


def _must_be_valid(body: str) -> None:
    try:
        schemas.validate(json.loads(body))
    except (ValueError, KeyError, TypeError) as error:
        raise CannotRedrive(f"The mended body is no valid event: {error}") from error


def counts(stack: Deployed) -> list[tuple[Consumer, str]]:
    """Every dead-letter queue of a stack, and about how many messages it holds."""
    sqs = stack.client("sqs")
    return [
        (
            whose,
            sqs.get_queue_attributes(QueueUrl=whose.dead_letters, AttributeNames=["ApproximateNumberOfMessages"])[
                "Attributes"
            ]["ApproximateNumberOfMessages"],
        )
        for whose in Consumer.all(stack.outputs).values()
    ]
