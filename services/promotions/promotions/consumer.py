"""Entry point: what happens to orders, as this context hears of it from the bus.

It reads of each event only what it needs, so that the order context may add to its events without asking. Nothing goes
back but events: if this service is down, orders go on, and their events wait in the queue.
"""

import os
from datetime import datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict
from tiffin.clients import once, table
from tiffin.consumer import BatchFailures, Consumer, Event
from tiffin.events import ORDER_ENDS
from tiffin.ids import CustomerId, PromoCodeId
from tiffin.models import BaseModel
from tiffin.moments import Moment
from tiffin.money import Money
from tiffin.telemetry import logger, metrics, tracer

from promotions.ledger import Announcement, News
from promotions.model import Delivery, Expiry
from promotions.operations import Promotions, RulesFailed
from promotions.redemption import Happened
from promotions.rules import RULES
from promotions.store import PromotionsStore

consumer = Consumer()


class OrderEvent(BaseModel):
    """What every order event tells this context: whose order it is, and the code spent on it, or null."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    customer_id: CustomerId
    # Required, though it may be null: an end that does not say would leave a spent code unrestored in silence.
    promo_code: PromoCodeId | None


class DeliveredEvent(OrderEvent):
    """A delivery also says when it was, and what it cost."""

    total: Money
    delivered_at: Moment


class ExpiredEvent(OrderEvent):
    """An expiry also says by when the order was to arrive; events of old do not."""

    deadline_at: Moment | None = None


@consumer.on("OrderPlaced", reads=OrderEvent)
def placed(event: Event[OrderEvent]) -> None:
    """An order with a promo code redeems it."""
    record(_news(event, Happened.PLACED), event)


@consumer.on("OrderDelivered", reads=DeliveredEvent)
def delivered(event: Event[DeliveredEvent]) -> None:
    """A delivered order counts for the customer, and its promo code is used up."""
    delivery = Delivery(event.metadata.order_id, _stored(event.data.delivered_at), event.data.total)
    record(_news(event, Happened.DELIVERED, delivery), event)


@consumer.on("OrderExpired", reads=ExpiredEvent)
def expired(event: Event[ExpiredEvent]) -> None:
    """An expired order calls for an apology, and gives its promo code back."""
    # The order's own moment, not that of the telling: two tellings of one expiry are the same fact. An event of old has
    # no other than when it was told; of several, the earliest counts.
    at = event.data.deadline_at or event.metadata.occurred_at
    expiry = Expiry(event.metadata.order_id, _stored(at))
    record(_news(event, Happened.ENDED_UNDELIVERED, expiry), event)


@consumer.on(*ORDER_ENDS.keys() - {"OrderDelivered", "OrderExpired"}, reads=OrderEvent)
def ended(event: Event[OrderEvent]) -> None:
    """An order that ends otherwise gives its promo code back."""
    record(_news(event, Happened.ENDED_UNDELIVERED), event)


def record(news: News, event: Event[Any]) -> None:
    """Take the news in, and say what came of it."""
    try:
        announced = promotions().record(news, event.metadata.trace_header)
    except RulesFailed as failure:
        metrics.add_metric("RulesFailed", MetricUnit.Count, len(failure.rules))
        _say(failure.announced)
        raise
    _say(announced)


def _say(announced: list[Announcement]) -> None:
    for announcement in announced:
        reason = announcement.issued.reason if announcement.issued else None
        logger.info(announcement.name, promo_code=announcement.code, reason=reason)
        metrics.add_metric(announcement.name, MetricUnit.Count, 1)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Take a batch of order events from the queue."""
    return consumer(batch, context)


@once
def promotions() -> Promotions:
    """The use cases over the promotions table."""
    return Promotions(PromotionsStore(table(os.environ["PROMOTIONS_TABLE"])), RULES)


def _news(event: Event[Any], happened: Happened, fact: Delivery | Expiry | None = None) -> News:
    return News(event.data.customer_id, event.metadata.order_id, happened, event.data.promo_code, fact)


def _stored(moment: datetime) -> datetime:
    """To the millisecond, as the table keeps it: what is decided now must not differ from what is decided later."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
