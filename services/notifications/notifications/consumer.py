"""Entry point: tells customers by e-mail what becomes of their orders, as the bus tells it.

No order waits for this service or knows of it. If it is down, events wait in its queue, and mails go out later.
"""

import os
from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AfterValidator, ConfigDict, Field
from tiffin.clients import client, once, table
from tiffin.consumer import BatchFailures, Consumer, Event
from tiffin.events import ORDER_ENDS
from tiffin.ids import CustomerId, NetworkName
from tiffin.models import BaseModel
from tiffin.money import Money
from tiffin.telemetry import logger, metrics, tracer
from tiffin.text import is_sentence

from notifications.contacts import Contacts
from notifications.mailer import Mailer
from notifications.messages import compose
from notifications.model import Overtaken, ToldAlready
from notifications.store import Sent

consumer = Consumer()

AT_ONCE = 2
"""How many batches the queue's mapping hands out at the same time: each sends its share of the mails a second."""


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Authorized(_Read):
    """That the money is held, and how much."""

    customer_id: CustomerId
    amount: Money


class OrderEvent(_Read):
    """Of an order event, what a mail needs."""

    customer_id: CustomerId
    total: Money


def _sentence(text: str) -> str:
    if not is_sentence(text):
        raise ValueError("a reason is a plain sentence, without a link")
    return text


class Reason(_Read):
    """Why an order ended, for a person to read: it goes into the mail as it is."""

    message: Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_sentence)]


class Decline(Reason):
    """Why the card was declined, as far as it is disclosed."""

    network: NetworkName


class Ended(OrderEvent):
    """An end without delivery says why."""

    reason: Reason


class Declined(OrderEvent):
    """So does a decline, with the card's network."""

    reason: Decline


@consumer.on("PaymentAuthorized", reads=Authorized)
def authorized(event: Event[Authorized]) -> None:
    """The order is good: the first mail. When it was placed, nobody knew yet whether it can be paid."""
    tell(event, event.data.amount)


@consumer.on("OrderAccepted", "OrderDispatched", "OrderDelivered", reads=OrderEvent)
def went_on(event: Event[OrderEvent]) -> None:
    """The order goes on, and arrives."""
    tell(event, event.data.total)


@consumer.on("OrderDeclined", reads=Declined)
def declined(event: Event[Declined]) -> None:
    """The card was declined."""
    reason = event.data.reason
    tell(event, event.data.total, reason.message, reason.network)


@consumer.on(*ORDER_ENDS.keys() - {"OrderDelivered", "OrderDeclined"}, reads=Ended)
def ended(event: Event[Ended]) -> None:
    """Every other end."""
    tell(event, event.data.total, event.data.reason.message)


def tell(event: Event[Any], total: Money, reason: str | None = None, network: str | None = None) -> None:
    """Tell the customer, once, if there is an address, and if nothing became known that came after it."""
    order_id = event.metadata.order_id
    try:
        claim = sent().claim(order_id, event.name, datetime.now(UTC))
    except ToldAlready:
        return
    except Overtaken as overtaken:
        logger.info("Not told: the order has gone further", reason=str(overtaken))
        metrics.add_metric("MailsOvertaken", MetricUnit.Count, 1)
        return
    try:
        address = contacts().address(event.data.customer_id)
        if address is not None:
            message = compose(event.name, order_id, total, event.metadata.occurred_at, reason, network)
            mailer().send(address, message)
    except Exception:
        sent().give_back(claim)
        raise
    if address is None:
        sent().give_back(claim)
        metrics.add_metric("NoAddress", MetricUnit.Count, 1)
        return
    sent().confirm(claim)
    metrics.add_metric("MailsSent", MetricUnit.Count, 1)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Take a batch of order events from the queue."""
    return consumer(batch, context)


@once
def contacts() -> Contacts:
    """How customers are reached."""
    return Contacts(client("cognito-idp"), os.environ["USER_POOL_ID"])


@once
def sent() -> Sent:
    """What customers were told."""
    return Sent(table(os.environ["SENT_TABLE"]))


@once
def mailer() -> Mailer:
    """The way out. One attempt each: SES knows no idempotency, and a repeated request would be a second mail."""
    interval = AT_ONCE / float(os.environ["MAILS_PER_SECOND"])
    return Mailer(client("sesv2", read_timeout=4, attempts=1), os.environ["SENDER"], interval)
