"""Entry point: tells those who look at an order that it changed, as the bus tells it.

No order waits for this service or knows of it. If it is down, pages look again by themselves, and what waited in its
queue by then is no news any more.
"""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict
from tiffin.clients import client, once, table
from tiffin.consumer import BatchFailures, Consumer, Event
from tiffin.ids import CustomerId, Slug
from tiffin.models import BaseModel
from tiffin.telemetry import logger, metrics, tracer

from live.connections import Connections
from live.model import CODE_EVENTS, OPEN, ORDER_EVENTS, is_news, told
from live.parties import Parties
from live.posting import Posting

consumer = Consumer()


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class OrderEvent(_Read):
    """Of an order event, whom it concerns."""

    customer_id: CustomerId
    restaurant_id: Slug


class CustomerEvent(_Read):
    """Of another event, whom it concerns."""

    customer_id: CustomerId


@consumer.on(*ORDER_EVENTS, reads=OrderEvent)
def order_changed(event: Event[OrderEvent]) -> None:
    """An order took a turn."""
    data, happened = event.data, event.metadata
    if event.name == "OrderPlaced" and datetime.now(UTC) - happened.occurred_at < OPEN:
        parties().remember(happened.order_id, data.restaurant_id, happened.occurred_at)
    tell(event, data.customer_id, data.restaurant_id)


@consumer.on("PaymentAuthorized", reads=CustomerEvent)
def can_be_paid(event: Event[CustomerEvent]) -> None:
    """The order waits for its restaurant from now on. If it was not heard yet from whom it is, that tells it then."""
    tell(event, event.data.customer_id, parties().restaurant_of(event.metadata.order_id))


@consumer.on(*CODE_EVENTS, reads=CustomerEvent)
def code_changed(event: Event[CustomerEvent]) -> None:
    """A customer got a promo code, spent it, or has it back."""
    tell(event, event.data.customer_id, None)


def tell(event: Event[Any], customer_id: str, restaurant_id: str | None) -> None:
    """Tell everybody whom it concerns and who listens; nobody, if it is no news any more. Twice is no harm."""
    now, happened = datetime.now(UTC), event.metadata
    if not is_news(happened.occurred_at, now):
        metrics.add_metric("NewsTooOld", MetricUnit.Count, 1)
        return
    hear = told(event.name, happened.order_id, happened.occurred_at, customer_id, restaurant_id)
    posting().tell(
        (hearer, message.document()) for topic, message in hear.items() for hearer in connections().of(topic, now)
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Take a batch of events from the queue."""
    return consumer(batch, context)


@once
def connections() -> Connections:
    """Who listens."""
    return Connections(table(os.environ["CONNECTIONS_TABLE"]))


@once
def parties() -> Parties:
    """From whom orders are."""
    return Parties(table(os.environ["PARTIES_TABLE"]))


@once
def posting() -> Posting:
    """The way out."""
    return Posting(client("apigatewaymanagementapi", read_timeout=2, attempts=1), connections())
