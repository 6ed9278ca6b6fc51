"""Entry point: lets connections in by their tickets, and forgets those that ended.

API Gateway invokes it for the routes `$connect` and `$disconnect` of the WebSocket API. What a client sends later
reaches no function: API Gateway answers it by itself.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin.clients import once, table
from tiffin.roles import Caller, Role
from tiffin.telemetry import came_to, logger, metrics, tracer

from live.connections import Connections, TooManyConnections
from live.tickets import NoTicket, Tickets


class NotLetIn(Exception):
    """The handshake is refused; the message is one word that says why, for logs. Browsers show pages no reason."""


def let_in(event: Mapping[str, Any], now: datetime) -> Caller:
    """Let a connection in, to hear what its ticket's account may hear.

    Args:
        event: API Gateway's, of the route `$connect`.
        now: the moment, aware.

    Returns:
        Whose ticket it was.

    Raises:
        NotLetIn: another site's page sent it, its ticket is not good, or its account has too many connections.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    # Pages of any site may open a WebSocket, and none is asked (RFC 6455, section 10.2). A program sends no origin.
    if headers.get("origin", os.environ["CONSOLE_ORIGIN"]) != os.environ["CONSOLE_ORIGIN"]:
        raise NotLetIn("origin")
    try:
        caller = tickets().redeem((event.get("queryStringParameters") or {}).get("ticket", ""), now)
        connections().must_have_room(caller, now)
    except NoTicket:
        raise NotLetIn("ticket") from None
    except TooManyConnections:
        raise NotLetIn("too-many") from None
    connections().add(caller, event["requestContext"]["connectionId"], now)
    return caller


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Answer a handshake, or take note of an end."""
    asked = event["requestContext"]
    if asked["eventType"] == "DISCONNECT":
        connections().ended(asked["connectionId"])
        return {"statusCode": HTTPStatus.OK}
    if asked["eventType"] != "CONNECT":
        # A client's words, should they name a route of these: they let nobody in, and end nothing.
        return {"statusCode": HTTPStatus.FORBIDDEN}
    try:
        caller = let_in(event, datetime.now(UTC))
    except NotLetIn as refused:
        came_to("not-let-in")
        logger.info("Connection refused", reason=str(refused))
        metrics.add_metric("ConnectionsRefused", MetricUnit.Count, 1)
        return {"statusCode": HTTPStatus.FORBIDDEN}
    came_to("let-in")
    if caller.role is Role.SUPPORT:
        # It hears of everybody's orders, which is a reading like those that it asks for.
        logger.info("Read by support", by=caller.subject, what="live news")
        metrics.add_metric("SupportReads", MetricUnit.Count, 1)
    return {"statusCode": HTTPStatus.OK}


@once
def tickets() -> Tickets:
    """Tickets."""
    return Tickets(table(os.environ["TICKETS_TABLE"]))


@once
def connections() -> Connections:
    """Who listens."""
    return Connections(table(os.environ["CONNECTIONS_TABLE"]))
