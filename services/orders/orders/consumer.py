"""Entry point: the promo codes that promotions announced, kept here so that placing an order asks nobody.

A copy, and a stale one by nature: a code that was issued a moment ago may not be known yet. Which order has a code is
decided here alone, in the transaction that writes the order; that it is free again is promotions' word, which hears of
every end of an order (`docs/decisions/promo-codes-are-a-projection.md`).
"""

import os
from typing import Annotated, Any, Self

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict, Field, model_validator
from tiffin.clients import once, table
from tiffin.consumer import BatchFailures, Consumer, Event
from tiffin.discounts import Discount, Offer, is_within_reason
from tiffin.events import REASON
from tiffin.ids import CustomerId, PromoCodeId
from tiffin.models import BaseModel
from tiffin.moments import Moment
from tiffin.money import Money
from tiffin.telemetry import logger, metrics, tracer

from orders.model import PromoCode
from orders.promo_codes import PromoCodeStore

consumer = Consumer()


class CodeEvent(BaseModel):
    """Which code it is about, and whose it is."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    customer_id: CustomerId
    code: PromoCodeId


class IssuedEvent(CodeEvent):
    """A new code also says what it is worth, and why there is one: no reason gives away more than it may."""

    reason: Annotated[str, Field(pattern=REASON)]
    discount: Discount
    minimum_order: Money
    expires_at: Moment

    @model_validator(mode="after")
    def _within_reason(self) -> Self:
        if not is_within_reason(self.reason, self.discount):
            raise ValueError("the discount is larger than its reason allows")
        return self


@consumer.on("PromoCodeIssued", reads=IssuedEvent)
def issued(event: Event[IssuedEvent]) -> None:
    """Learn of a code that its customer may spend from now on."""
    data = event.data
    offer = Offer(data.discount, data.minimum_order, data.expires_at)
    promo_codes().add(PromoCode(data.customer_id, data.code, offer))


@consumer.on("PromoCodeRestored", reads=CodeEvent)
def restored(event: Event[CodeEvent]) -> None:
    """Take a code back from an order that ended without delivery, if that order still has it."""
    if promo_codes().release(event.data.customer_id, event.data.code, event.metadata.order_id):
        metrics.add_metric("PromoCodesReleased", MetricUnit.Count, 1)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Take a batch of promo code events from the queue."""
    return consumer(batch, context)


@once
def promo_codes() -> PromoCodeStore:
    """The table of promo codes."""
    return PromoCodeStore(table(os.environ["PROMO_CODES_TABLE"]))
