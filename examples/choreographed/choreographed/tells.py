"""Entry point: the stream of the orders table. What became of an order is announced, and what it owes is asked for.

A change is announced from the row itself, so there is never one without the other. The events come out in the order in
which a row was written; those who hear them must do with any.
"""

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin import events
from tiffin.clients import client, once
from tiffin.dead_letters import set_aside
from tiffin.dynamodb import deserialize
from tiffin.telemetry import logger, metrics, tracer
from tiffin.unmendable import no_retry_mends, reason

from choreographed.rows import life_of
from choreographed.rules import Announcement, Life, announcement, owes

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient


class NotTaken(Exception):
    """The bus did not take an event."""


def tell(record: dict[str, Any]) -> None:
    """Tell what a change of a row means to others.

    Args:
        record: of the table's stream, with both images.

    Raises:
        NotTaken, ClientError, BotoCoreError: it could not be told.
    """
    before, after = (_life(record["dynamodb"].get(image)) for image in ("OldImage", "NewImage"))
    if after is None:
        return
    if told := announcement(before, after):
        _announce(after, told)
    if (asked := owes(after)) and asked is not owes(before):
        ask(after.order.order_id)


def ask(order_id: str) -> None:
    """Let whoever asks payments look at an order."""
    _sqs().send_message(QueueUrl=os.environ["ASKS_QUEUE_URL"], MessageBody=json.dumps({"order_id": order_id}))


def _announce(life: Life, told: Announcement) -> None:
    order_id, header = life.order.order_id, life.trace_header
    detail = events.detail(
        told.name, order_id=order_id, data=told.data, trace_header=header, occurred_at=told.occurred_at
    )
    answer = _bus().put_events(
        Entries=[
            {
                "EventBusName": os.environ["EVENT_BUS_NAME"],
                "Source": "tiffin.orders",
                "DetailType": told.name,
                "Detail": json.dumps(detail),
                "TraceHeader": header,
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise NotTaken(answer["Entries"][0]["ErrorCode"])


def _life(image: dict[str, Any] | None) -> Life | None:
    return life_of({name: deserialize(value) for name, value in image.items()}) if image else None


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Take a batch of the stream, up to the first record that fails: what stands behind it waits for it.

    Returns:
        `batchItemFailures`, empty or with one entry (Lambda developer guide, "Partial batch response", streams).
    """
    for record in batch["Records"]:
        try:
            tell(record)
        except Exception as error:
            keys, position = json.dumps(record["dynamodb"]["Keys"]), record["dynamodb"]["SequenceNumber"]
            logger.error("Not told", error_type=type(error).__name__, reason=reason(error), keys=keys)
            if not no_retry_mends(error):
                return {"batchItemFailures": [{"itemIdentifier": position}]}
            set_aside(_sqs(), keys, error)
    return {"batchItemFailures": []}


@once
def _bus() -> "EventBridgeClient":
    bus: EventBridgeClient = client("events")
    return bus


@cache
def _sqs() -> "SQSClient":
    sqs: SQSClient = client("sqs")
    return sqs
