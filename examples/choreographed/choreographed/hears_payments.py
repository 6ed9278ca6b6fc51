"""Entry point: what payments announce, and what becomes of the order then."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from orders.model import OrderStatus
from pydantic import ConfigDict
from tiffin.clients import once, table
from tiffin.consumer import BatchFailures, Consumer, Event
from tiffin.models import BaseModel
from tiffin.telemetry import logger, metrics, tracer

from choreographed import rules
from choreographed.rows import Rows
from choreographed.rules import DELIVERED, End, failed

consumer = Consumer()


class Told(BaseModel):
    """An event of which the name says all."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Authorized(Told):
    """By which card network the money is held."""

    network: str


class Why(Told):
    """Why a card was declined."""

    code: str
    message: str
    network: str


class Declined(Told):
    """A card was declined."""

    reason: Why


@consumer.on("PaymentAuthorized", reads=Authorized)
def authorized(event: Event[Authorized]) -> None:
    """The restaurant is asked. If the order is being undone by now, nothing: whoever does that releases the money."""
    order_id = event.metadata.order_id
    rows().enter(order_id, OrderStatus.AWAITING_RESTAURANT, datetime.now(UTC), event.data.network)


@consumer.on("PaymentDeclined", reads=Declined)
def declined(event: Event[Declined]) -> None:
    """The card network's answer ends the order."""
    why = event.data.reason
    _finish(event, rules.declined(why.code, why.message, why.network), "DECLINED")


@consumer.on("PaymentCaptured", reads=Told)
def captured(event: Event[Told]) -> None:
    """Money captured means food delivered, whatever else was decided meanwhile."""
    _finish(event, DELIVERED, "CAPTURED")


@consumer.on("PaymentReleased", reads=Told)
def released(event: Event[Told]) -> None:
    """Now it has ended as was decided. If nobody decided anything, the gateway let the money go by itself."""
    undoing = rows().life(event.metadata.order_id).undoing
    _finish(event, undoing or failed("the gateway let the money go"), "RELEASED")


def _finish(event: Event[Any], end: End, payment: str) -> None:
    rows().finish(rows().life(event.metadata.order_id), end, payment, datetime.now(UTC))


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Take a batch of payment events from the queue."""
    return consumer(batch, context)


@once
def rows() -> Rows:
    """The orders table."""
    return Rows(table(os.environ["ORDERS_TABLE"]), os.environ["CUSTOMERS_TABLE"])
