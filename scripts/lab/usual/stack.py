"""The usual stack: boto3, pydantic, and Powertools as its own documentation puts them together.

Logger, Tracer and Metrics, a resolver with validation, idempotency in a table, and one read of a table by boto3.
"""

import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

logger, tracer, metrics = Logger(), Tracer(), Metrics()
app = APIGatewayRestResolver(enable_validation=True)
orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])
idempotency = IdempotencyConfig()


class Line(BaseModel):
    """A dish of an order."""

    dish_id: str = Field(min_length=1, max_length=64)
    name: str
    quantity: int = Field(ge=1, le=20)


class Order(BaseModel):
    """What is answered of an order."""

    order_id: str
    restaurant_id: str
    status: str
    lines: list[Line]


class PlaceOrder(BaseModel):
    """What is asked to place one."""

    restaurant_id: str
    lines: list[Line]


@app.get("/orders/<order_id>")
@tracer.capture_method(capture_response=False)
def get_order(order_id: str) -> Order:
    """One order, read by its key."""
    item = orders.get_item(Key={"order_id": order_id})["Item"]
    return Order.model_validate(item)


@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="order",
    config=idempotency,
    persistence_store=DynamoDBPersistenceLayer(table_name=os.environ["ORDERS_TABLE"]),
)
def placed_once(order: dict[str, Any]) -> dict[str, Any]:
    """A write that happens once."""
    orders.put_item(Item=order)
    return order


@app.post("/orders")
@tracer.capture_method(capture_response=False)
def place_order(order: PlaceOrder) -> dict[str, Any]:
    """Place an order."""
    metrics.add_metric(name="OrdersPlaced", unit=MetricUnit.Count, value=1)
    placed: dict[str, Any] = placed_once(order=order.model_dump())
    return placed


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request."""
    idempotency.register_lambda_context(context)
    return app.resolve(event, context)
