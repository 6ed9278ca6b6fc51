"""The messages of dead-letter queues with their reasons, and their way back.

SQS can only move messages back that SQS moved itself (SQS developer guide, "Configuring a dead-letter queue redrive").
Most of ours were put there by a consumer or by EventBridge, so they are sent to the source queue by name: first sent,
then deleted, so that an interruption leaves one twice rather than none. Consumers know an event that they saw before.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contracts import schemas

from . import streams
from .deployed import Deployed

# By the name that a person types: the outputs of the dead-letter queue and of what its messages go back to.
QUEUES = {
    "promotions": ("PromotionsDeadLetterQueueUrl", "PromotionsQueueUrl"),
    "promo-codes": ("PromoCodesDeadLetterQueueUrl", "PromoCodesQueueUrl"),
    "notifications": ("NotificationsDeadLetterQueueUrl", "NotificationsQueueUrl"),
    # No queue lies in front of these functions: they are invoked anew.
    "estimates": ("EstimatesDeadLetterQueueUrl", "EstimatesFunctionArn"),
    "models": ("ModelsDeadLetterQueueUrl", "CopyFunctionArn"),
    "metrics": ("MetricsDeadLetterQueueUrl", "MetricsQueueUrl"),
    "kitchens": ("KitchensDeadLetterQueueUrl", "KitchensStreamName"),
    "deaths": ("DeathsDeadLetterQueueUrl", "UnwindWorkflowArn"),
    "menus": ("MenusDeadLetterQueueUrl", "MenusFunctionName"),
    # Positions in a stream, and keys of what is no event, are nothing that a queue could take.
    "payments-outbox": ("PaymentsOutboxDeadLetterQueueUrl", None),
    "promotions-outbox": ("PromotionsOutboxDeadLetterQueueUrl", None),
    "kitchens-positions": ("KitchensPositionsDeadLetterQueueUrl", None),
}
# What to do with those, by the runbook.
RUNBOOKS = {
    "payments-outbox": "docs/runbooks/outbox.md",
    "promotions-outbox": "docs/runbooks/outbox.md",
    "kitchens-positions": "docs/runbooks/stream.md",
}
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
    """Every message of a queue, once; each is hidden from others until it is released or a minute is over."""
    seen: set[str] = set()
    while True:
        batch = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            # Long polling asks every server of the queue; short polling may find a full queue empty.
            WaitTimeSeconds=1,
            VisibilityTimeout=_LOOK_SECONDS,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        ).get("Messages", [])
        fresh = [message for message in batch if message["MessageId"] not in seen]
        if not fresh:
            return
        for message in fresh:
            seen.add(message["MessageId"])
            yield _letter(message)


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


def redrive(
    stack: Deployed, queue: str, message_id: str | None = None, body: str | None = None, send: bool = False
) -> list[Letter]:
    """Look at a dead-letter queue, and send its messages back if asked to.

    Args:
        stack: the stack.
        queue: one of `QUEUES`.
        message_id: this message alone.
        body: what to send instead of the message's own body.
        send: whether to send; otherwise everything stays as it is.

    Returns:
        The messages, sent or only seen.

    Raises:
        CannotRedrive: there is no such queue or message, the queue's messages cannot be sent, or the mended body is no
            valid event. Nothing was sent.
    """
    source, target = QUEUES[queue]
    if source not in stack.outputs:
        raise CannotRedrive(f"This stack has no {source}: its service is not deployed, or not asked for.")
    if send and target is None:
        raise CannotRedrive(f"What {queue} holds are no events: see {RUNBOOKS[queue]}.")
    if body is not None:
        if message_id is None:
            raise CannotRedrive("A mended body belongs to one message: name it with --message.")
        _must_be_valid(body)
    sqs = stack.client("sqs")
    found: list[Letter] = []
    kept: list[Letter] = []
    try:
        for letter in letters(sqs, stack.outputs[source]):
            kept.append(letter)
            if message_id not in (None, letter.message_id):
                continue
            found.append(letter)
            if send and target:
                _send(stack, target, letter, body or letter.body)
                sqs.delete_message(QueueUrl=stack.outputs[source], ReceiptHandle=letter.handle)
                kept.remove(letter)
    finally:
        # Only now: a message that is shown again at once would come round again.
        for letter in kept:
            sqs.change_message_visibility(
                QueueUrl=stack.outputs[source], ReceiptHandle=letter.handle, VisibilityTimeout=0
            )
    if message_id and not found:
        raise CannotRedrive(f"{queue} has no message {message_id}, or somebody else is looking at it just now.")
    return found


def _send(stack: Deployed, output: str, letter: Letter, body: str) -> None:
    target = stack.outputs[output]
    if output.endswith("StreamName"):
        streams.put(stack, target, body)
    elif output.endswith("QueueUrl"):
        stack.client("sqs").send_message(QueueUrl=target, MessageBody=body)
    elif output.endswith(("FunctionName", "FunctionArn")):
        # As the rule calls it: Lambda tries again, and what fails comes back here.
        stack.client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=body.encode())
    else:
        # A status event's target is the unwind workflow, which does nothing for an order to which nothing is owed.
        name = re.sub(r"[^A-Za-z0-9_-]", "-", f"{letter.order_id}-redrive-{letter.message_id}")[:80]
        stack.client("stepfunctions").start_execution(stateMachineArn=target, name=name, input=body)


def _must_be_valid(body: str) -> None:
    try:
        schemas.validate(json.loads(body))
    except (ValueError, KeyError, TypeError) as error:
        raise CannotRedrive(f"The mended body is no valid event: {error}") from error


def counts(stack: Deployed) -> list[tuple[str, str, str | None]]:
    """Every dead-letter queue of a stack: its name, about how many messages it holds, and what they go back to."""
    found = []
    for name, (source, target) in QUEUES.items():
        if source in stack.outputs:
            asked = stack.client("sqs").get_queue_attributes(
                QueueUrl=stack.outputs[source], AttributeNames=["ApproximateNumberOfMessages"]
            )
            found.append((name, asked["Attributes"]["ApproximateNumberOfMessages"], target))
    return found
