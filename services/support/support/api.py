"""Entry point: where an order is, and why, over HTTP; for support alone, and each reading is logged."""

import os
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin.callers import Role
from tiffin.clients import client, once, table
from tiffin.problems import Problem
from tiffin.rest import answer, answers, caller, rest_api
from tiffin.telemetry import logger, metrics, tracer

from support.facts import UnknownOrder
from support.live import Limits, Live, Places
from support.operations import StillBeingRead, Stories
from support.store import StoryStore
from support.views import OrderStory, WorkflowDefinitions

ACCESS = {
    "GET /orders/{order_id}": frozenset({Role.SUPPORT}),
    "GET /definitions": frozenset({Role.SUPPORT}),
}
app = rest_api("Tiffin support", ACCESS)

OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="From the order.")]

# API Gateway waits 29 seconds, the function runs for 28, and the last call that is begun in time takes up to 13: two
# attempts, each a second for a connection and five for an answer, and the pause between them. All of it counts from
# when the story was asked for, so that what waiting or a slow table took is not taken twice.
TIME, READ_TIMEOUT = 12, 5.0
READS, PATIENCE = 28, 10
PAGES, TRACES, UNWINDS = 5, 60, 25
BUSY = {HTTPStatus.SERVICE_UNAVAILABLE: ["story-being-read"]}
DEFINITIONS = answers({HTTPStatus.OK: "Their definitions, in Amazon States Language."}, BUSY)
del DEFINITIONS[HTTPStatus.UNPROCESSABLE_ENTITY]  # nothing can be asked wrongly


@app.get(
    "/orders/<order_id>",
    summary="Where an order is, what happened to it, and why",
    tags=["Support"],
    responses=answers(
        {HTTPStatus.OK: "The story, with what is missing in it."}, BUSY | {HTTPStatus.NOT_FOUND: ["unknown-order"]}
    ),
)
def get_story(order_id: OrderId) -> OrderStory:
    """Joined from the order's row, its workflows, events, traces and log lines, as they were some seconds ago."""
    # Not as an annotation of the trace: whoever looks at an order would become a part of its story.
    logger.append_keys(order_id=order_id)
    _read_by_support(what="story")
    try:
        return stories().of(order_id)
    except UnknownOrder:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order.") from None
    except StillBeingRead:
        raise _busy() from None


@app.get(
    "/definitions",
    summary="The workflows as they are deployed",
    tags=["Support"],
    responses=DEFINITIONS,
)
def get_definitions() -> WorkflowDefinitions:
    """What an order that is placed now will run by; the one that an order runs by is in its story."""
    try:
        return stories().definitions()
    except StillBeingRead:
        raise _busy() from None


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return answer(app, event, context)


def _read_by_support(**what: str) -> None:
    logger.info("Read by support", extra={"by": caller(app).subject, **what})
    metrics.add_metric("SupportReads", MetricUnit.Count, 1)


def _busy() -> Problem:
    detail = "Reading it takes its time, mostly for somebody else. Ask again in a few seconds."
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "story-being-read", detail, headers={"Retry-After": "5"})


@once
def stories() -> Stories:
    """The use cases with the adapters that the environment names."""
    environment = os.environ
    places = Places(
        order_workflow=environment["ORDER_WORKFLOW_ARN"],
        unwind_workflow=environment["UNWIND_WORKFLOW_ARN"],
        orders_table=environment["ORDERS_TABLE"],
        payments_table=environment["PAYMENTS_TABLE"],
        promotions_table=environment["PROMOTIONS_TABLE"],
        log_groups=lambda: environment["LOG_GROUPS"].split(","),
    )
    limits = Limits(TIME, PAGES, TRACES, UNWINDS, int(environment["LOG_RETENTION_DAYS"]) * 86400)
    live = Live(lambda service: client(service, read_timeout=READ_TIMEOUT), places, "this stack", limits)
    return Stories(live, StoryStore(table(environment["STORIES_TABLE"])), READS, PATIENCE)
