"""Entry point: how long an order is likely to take, over HTTP. It runs outside the VPC, and reads the table alone."""

import os
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin.callers import Role
from tiffin.clients import once, table
from tiffin.models import BaseModel
from tiffin.problems import Problem
from tiffin.rest import answer, answers, caller, rest_api
from tiffin.telemetry import about_order, logger, metrics, tracer

from estimates.store import EstimateStore

# Whose each route is. A courier knows the way better.
ACCESS = {"GET /orders/{order_id}/estimate": frozenset({Role.CUSTOMER, Role.RESTAURANT, Role.SUPPORT})}
app = rest_api("Tiffin estimates", ACCESS)

OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="From the order.")]


class EstimateView(BaseModel):
    """When an order is likely to arrive. A guess, and no promise.

    Attributes:
        order_id: the order.
        minutes: from its acceptance to its delivery.
        expected_at: when that is.
    """

    order_id: str
    minutes: int
    expected_at: datetime


@app.get(
    "/orders/<order_id>/estimate",
    summary="When an order is likely to arrive",
    tags=["Customer"],
    responses=answers(
        {HTTPStatus.OK: "The estimate."},
        {HTTPStatus.NOT_FOUND: ["no-estimate"], HTTPStatus.INTERNAL_SERVER_ERROR: ["unreadable-record"]},
    ),
)
def get_estimate(order_id: OrderId) -> EstimateView:
    """The estimate that was made when the restaurant accepted the order."""
    about_order(order_id)
    asks = caller(app)
    found = store().get_for(asks, order_id)
    if found is None:
        # Whether there is such an order, or whose it is, is nothing to learn here.
        raise Problem(HTTPStatus.NOT_FOUND, "no-estimate", "There is no estimate for this order, or not yet.")
    if asks.role is Role.SUPPORT:
        logger.info("Read by support", by=asks.subject)
        metrics.add_metric("SupportReads", MetricUnit.Count, 1)
    return EstimateView(order_id=found.order_id, minutes=found.minutes, expected_at=found.expected_at)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return answer(app, event, context)


@once
def store() -> EstimateStore:
    """The estimates table."""
    return EstimateStore(table(os.environ["ESTIMATES_TABLE"]))
