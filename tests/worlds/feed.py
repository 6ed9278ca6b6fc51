"""What consumer tests feed to consumers, and where these put what they cannot read."""

import base64
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from contracts.schemas import example, validate


def event(name: str, order_id: str, **data: Any) -> dict[str, Any]:
    """A complete EventBridge event about an order.

    Args:
        name: the event's name.
        order_id: the order.
        data: what differs from the contract's example.
    """
    made = example(name)
    metadata = made["detail"]["metadata"]
    metadata |= {"order_id": order_id, "event_id": metadata["event_id"].replace(metadata["order_id"], order_id)}
    made["detail"]["data"] |= data
    return made


def batch(*events: dict[str, Any]) -> dict[str, Any]:
    """A batch of the queue, as Lambda hands it over.

    Args:
        events: complete EventBridge events.

    Raises:
        ContractViolation: one of them is not what its producer may send, so nothing can be learnt from feeding it.
    """
    return raw(*_valid(events))


def raw(*bodies: Any) -> dict[str, Any]:
    """A batch of whatever may lie in a queue: for tests of what a consumer does with what it cannot read.

    Args:
        bodies: of the messages, in order, as text or as what becomes JSON; message ids count them.
    """
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "eventSource": "aws:sqs",
                "attributes": {},
            }
            for number, body in enumerate(bodies)
        ]
    }


def streamed(*events: dict[str, Any]) -> dict[str, Any]:
    """A batch of the stream, as Lambda hands it over.

    Args:
        events: complete EventBridge events.

    Raises:
        ContractViolation: one of them is not what its producer may send, so nothing can be learnt from feeding it.
    """
    return raw_stream(*_valid(events))


def _valid(events: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    for each in events:
        validate(each)
    return events


def raw_stream(*bodies: Any) -> dict[str, Any]:
    """A batch of whatever may lie in a stream.

    Args:
        bodies: of the records, in order, as bytes, as text or as what becomes JSON; sequence numbers count them.
    """
    return {"Records": [_record(number, body) for number, body in enumerate(bodies)]}


def _record(number: int, body: Any) -> dict[str, Any]:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    data = text.encode() if isinstance(text, str) else text
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "any",
            "sequenceNumber": str(number),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1764158400.0 + number,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "eu-central-1",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:123456789012:stream/KitchensStream",
    }


def failures(answer: Any) -> list[str]:
    """What a consumer wants to see again, by its answer to a batch: ids of messages, or sequence numbers of records."""
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def dead_letter_queue(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Make a dead-letter queue (moto's), and name it in the environment.

    Returns:
        What takes out all that has come since the last time.
    """
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", url)

    def take() -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
            "Messages"
        ):
            taken += [dict(message) for message in found]
        return taken

    return take
