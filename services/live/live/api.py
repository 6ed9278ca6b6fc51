"""Entry point: tickets to listen with, over HTTP."""

import os
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict
from tiffin.callers import Role
from tiffin.clients import once, table
from tiffin.models import BaseModel
from tiffin.moments import later
from tiffin.problems import Problem
from tiffin.rest import answer, answers, caller, rest_api
from tiffin.telemetry import logger, metrics, tracer

from live.connections import Connections, TooManyConnections
from live.model import CONNECTIONS, TICKET
from live.tickets import Tickets

# Whose each route is. What is heard follows from who asks.
ACCESS = {"POST /tickets": frozenset(Role)}
app = rest_api("Tiffin live", ACCESS)


class Nothing(BaseModel):
    """What is asked for says who asks: there is nothing to add, and no body is needed."""

    model_config = ConfigDict(extra="forbid")


class Ticket(BaseModel):
    """What lets one connection in, once.

    Attributes:
        ticket: to be added to the address as `?ticket=…`.
        url: of the WebSocket.
        expires_at: until when it is taken.
    """

    ticket: str
    url: str
    expires_at: datetime


@app.post(
    "/tickets",
    summary="A ticket to hear what changes",
    tags=["Customer", "Restaurant", "Courier", "Support"],
    responses=answers({HTTPStatus.OK: "The ticket."}, {HTTPStatus.TOO_MANY_REQUESTS: ["too-many-connections"]}),
)
def issue_ticket(request: Annotated[Nothing | None, Body()] = None) -> Ticket:
    """Good once, for half a minute."""
    asks, now = caller(app), datetime.now(UTC)
    try:
        connections().must_have_room(asks, now)
    except TooManyConnections:
        # Refused at the handshake, a page would learn that it failed, and not why.
        detail = f"This account listens {CONNECTIONS} times already. Close a page, or come again in ten minutes."
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many-connections", detail) from None
    return Ticket(ticket=tickets().issue(asks, now), url=os.environ["LIVE_URL"], expires_at=later(now, TICKET))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return answer(app, event, context)


@once
def tickets() -> Tickets:
    """Tickets."""
    return Tickets(table(os.environ["TICKETS_TABLE"]))


@once
def connections() -> Connections:
    """Who listens."""
    return Connections(table(os.environ["CONNECTIONS_TABLE"]))
