"""Entry point: tells customers by e-mail what becomes of their orders, as the bus tells it.

No order waits for this service or knows of it. If it is down, events wait in its queue, and mails go out later.
"""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict
from tiffin.clients import client, once, table
from tiffin.consumer import Consumer, Event
from tiffin.ids import CustomerId
from tiffin.money import Money
from tiffin.telemetry import logger, metrics, tracer

from notifications.mailer import Mailer, ses
from notifications.messages import ANNOUNCED, compose
from notifications.store import Contacts, Sent

consumer = Consumer()


class OrderEvent(BaseModel):
    """Of an order event, what a mail needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    customer_id: CustomerId
    total: Money


@consumer.on(*ANNOUNCED, reads=OrderEvent)
def tell(event: Event[OrderEvent]) -> None:
    """Tell the customer, once, if there is an address."""
    address = contacts().address(event.data.customer_id)
    if address is None:
        metrics.add_metric("NoAddress", MetricUnit.Count, 1)
        return
    event_id = event.metadata.event_id
    if not sent().claim(event_id, datetime.now(UTC)):
        return
    message = compose(event.name, event.metadata.order_id, event.data.total, event.metadata.occurred_at)
    try:
        mailer().send(address, message)
    except Exception:
        sent().give_back(event_id)
        raise
    sent().confirm(event_id)
    metrics.add_metric("MailsSent", MetricUnit.Count, 1)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Take a batch of order events from the queue."""
    return consumer(batch, context)


@once
def contacts() -> Contacts:
    """How customers are reached."""
    return Contacts(table(os.environ["CONTACTS_TABLE"]))


@once
def sent() -> Sent:
    """What customers were told."""
    return Sent(table(os.environ["SENT_TABLE"]))


@once
def mailer() -> Mailer:
    """The way out. One attempt each: SES knows no idempotency, and a repeated request would be a second mail."""
    return Mailer(ses(client("sesv2", read_timeout=4, attempts=1)), os.environ["SENDER"])
