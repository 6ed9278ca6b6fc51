"""Entry point: an order was accepted, and gets its estimate. It runs in the VPC, beside the file system with the model.

No queue lies in front of it. EventBridge hands it the event, and Lambda itself tries again and keeps what failed. No
order waits for this service or knows of it.
"""

import os
from pathlib import Path
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict
from tiffin.clients import once, table
from tiffin.consumer import Consumer, Event
from tiffin.ids import CustomerId, Slug
from tiffin.models import BaseModel
from tiffin.money import Money
from tiffin.telemetry import logger, metrics, tracer

from estimates.model import AcceptedOrder
from estimates.models import Models
from estimates.operations import estimate
from estimates.store import EstimateStore

consumer = Consumer()


class Accepted(BaseModel):
    """What an estimate needs to know, and who may see it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    customer_id: CustomerId
    restaurant_id: Slug
    total: Money


@consumer.on("OrderAccepted", reads=Accepted)
def accepted(event: Event[Accepted]) -> None:
    """From now on it is prepared, and then brought."""
    data = event.data
    order = AcceptedOrder(data.restaurant_id, event.metadata.occurred_at, data.total)
    if estimate(models(), store(), event.metadata.order_id, data.customer_id, order):
        metrics.add_metric("EstimatesMade", MetricUnit.Count, 1)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Take one event of the bus."""
    consumer.invoked(event)


@once
def store() -> EstimateStore:
    """The estimates table."""
    return EstimateStore(table(os.environ["ESTIMATES_TABLE"]))


@once
def models() -> Models:
    """The folder of models. Opened with the first order: in INIT there may be no model yet, and that is no error."""
    return Models(Path(os.environ["MODELS_FOLDER"]))
