"""Entry point: business metrics, as one more consumer of the events.

No function runs when the workflow ends an order, and none has to: that an order ended is announced, and here it is
counted. The services know nothing of it, and if it is down, only the graphs are late: every data point carries the
moment at which the thing happened, not that at which it was heard of.

An event that comes twice is counted twice, which a graph survives and a ledger would not; replayed events are kept away
by the rule. The metrics, with their dimensions, are described in `docs/operating.md`.
"""

from typing import Annotated, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field
from tiffin.consumer import BatchFailures, Consumer, Event
from tiffin.events import ORDER_ENDS, REASON
from tiffin.models import BaseModel
from tiffin.moments import Moment
from tiffin.money import Money
from tiffin.telemetry import count, logger, metrics, tracer

consumer = Consumer()


class Placed(BaseModel, frozen=True):
    """What an order is worth."""

    total: Money


class Delivered(BaseModel, frozen=True):
    """From when to when."""

    placed_at: Moment
    delivered_at: Moment


class Ended(BaseModel, frozen=True):
    """That it did is enough."""


class Issued(BaseModel, frozen=True):
    """Which rule gave the code away."""

    reason: Annotated[str, Field(pattern=REASON)]


@consumer.on("OrderPlaced", reads=Placed)
def placed(event: Event[Placed]) -> None:
    """Orders and their value, which is never summed over currencies."""
    at, total = event.metadata.occurred_at, event.data.total
    count("OrdersPlaced", at=at)
    count("OrderValue", total.amount, at=at, by={"currency": total.currency})


@consumer.on("OrderDelivered", reads=Delivered)
def delivered(event: Event[Delivered]) -> None:
    """How old the food was when it arrived."""
    _ended(event)
    age = event.data.delivered_at - event.data.placed_at
    # A clock that ran ahead of another one makes no food arrive before it was ordered.
    seconds = max(0.0, age.total_seconds())
    count("AgeAtDelivery", seconds, unit=MetricUnit.Seconds, at=event.metadata.occurred_at)


@consumer.on(*ORDER_ENDS.keys() - {"OrderDelivered"}, reads=Ended)
def ended(event: Event[Ended]) -> None:
    """Every other end."""
    _ended(event)


@consumer.on("PromoCodeIssued", reads=Issued)
def issued(event: Event[Issued]) -> None:
    """What promotions gives away, by rule."""
    count("PromoCodesIssued", at=event.metadata.occurred_at, by={"reason": event.data.reason})


def _ended(event: Event[Any]) -> None:
    count("OrdersEnded", at=event.metadata.occurred_at, by={"status": ORDER_ENDS[event.name]})


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Count a batch of events from the queue."""
    return consumer(batch, context)
