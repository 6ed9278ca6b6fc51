"""Entry point: counts what kitchens do, minute by minute, as a stream of order events tells it.

No order waits for this service or knows of it. If it is down, events wait in the stream, and are counted later, in the
minutes in which they happened.
"""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict
from tiffin.clients import client, once
from tiffin.consumer import BatchFailures, Consumer, Event
from tiffin.ids import Slug
from tiffin.models import BaseModel
from tiffin.telemetry import logger, metrics, tracer

from kitchens.model import MOMENTS, CountedAlready, Forgotten
from kitchens.store import KitchenFigures

consumer = Consumer()


class OrderEvent(BaseModel):
    """Of an order event, whose kitchen it is about."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    restaurant_id: Slug


@consumer.on(*MOMENTS, reads=OrderEvent)
def happened(event: Event[OrderEvent]) -> None:
    """An order was placed, accepted or handed to the courier: it counts once, in its minute."""
    metadata = event.metadata
    try:
        figures().count(
            event.data.restaurant_id, metadata.order_id, event.name, metadata.occurred_at, datetime.now(UTC)
        )
    except CountedAlready:
        logger.info("Counted already")
    except Forgotten as forgotten:
        logger.info("Not counted", reason=str(forgotten))


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Take a batch of order events from the stream."""
    return consumer(batch, context)


@once
def figures() -> KitchenFigures:
    """What kitchens did."""
    return KitchenFigures(client("dynamodb"), os.environ["FIGURES_TABLE"])
