"""Entry point: what follows an order's death. Run again, or ten times at once, it has one effect.

No `except` of the order's own function runs when its execution is out of time or stopped, and none should when it
failed: whatever it was about to do, it may have done. So a rule on `Durable Execution Status Change` calls this; those
events are no promise (docs/ways-not-taken.md), so the reconciler calls it too. `statemachines/unwind.asl.json` is the
same as a drawing.
"""

import os
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from orders.model import ENDS, Move, OrderStatus
from orders.store import OrderStore, StoredOrder
from orders.workflow import workflow_input
from tiffin.clients import once, table
from tiffin.dynamodb import condition_failed
from tiffin.events import rfc3339
from tiffin.telemetry import about_order, came_to, logger, tracer

from durable.announcements import first_words, last_words
from durable.steps import Tools, tools

# How soon the reconciler looks again, should this fail.
NEXT_LOOK = timedelta(minutes=5)


def unwind(order_id: str, died: str, orders: OrderStore, tools: Tools) -> str:
    """Let go the money, record the end, announce it, and close the order.

    Args:
        order_id: the order.
        died: status of its execution, or UNREPORTED.
        orders: the orders table, to be read.
        tools: what it is done with.

    Returns:
        How it ended, or `nothing-owed`.

    Raises:
        Exception: it could not be done now. Lambda tries twice more, and the reconciler every five minutes.
    """
    now = tools.now()
    if not tools.orders.begin_unwind(order_id, rfc3339(now + NEXT_LOOK)):
        return "nothing-owed"
    stored = orders.get(order_id)
    # Why it died is read from the order: the status event need not say. Nothing personal is read.
    if stored.order.status not in ENDS:
        _end(stored, died, now, tools)
        # As it was recorded: by this call, or by whoever was faster.
        stored = orders.get(order_id)
    _announce_end(stored, tools)
    return str(stored.order.status)


def _end(stored: StoredOrder, died: str, now: datetime, tools: Tools) -> None:
    order = workflow_input(stored.order, stored.trace_header)
    if stored.order.status == OrderStatus.PLACED:
        # Nobody should hear the end of an order without its beginning.
        tools.bus.tell("OrderPlaced", order, order["placed_at"], **first_words(order))
    payment = tools.payments.ask("release", order, reason="order_unwound")["status"]
    end, reason = _how(stored, died, now, payment)
    try:
        tools.orders.unwound(order["order_id"], end, rfc3339(now), payment, reason)
    except ClientError as error:
        # Another end was recorded meanwhile, and is the one to be announced.
        if not condition_failed(error):
            raise


def _how(stored: StoredOrder, died: str, now: datetime, payment: str) -> tuple[str, dict[str, str] | None]:
    """The end of an order that died, and why.

    If a capture won the race against the release, the food had arrived: then the order is completed, not undone.
    """
    if payment == "CAPTURED":
        return "DELIVERED", None
    if Move.CANCEL in {claim.get("move") for claim in stored.claims.values()}:
        return "CANCELLED", {"code": "cancelled_by_customer", "message": "The customer cancelled the order."}
    if died == "TIMED_OUT" or now >= stored.order.deadline_at:
        return "EXPIRED", {
            "code": "not_delivered_in_time",
            "message": "The food was not delivered within three hours.",
        }
    return "FAILED", {"code": "workflow_failed", "message": "The order could not be completed."}


def _announce_end(stored: StoredOrder, tools: Tools) -> None:
    order, status = workflow_input(stored.order, stored.trace_header), stored.order.status
    reason = stored.order.reason.model_dump(exclude_none=True) if stored.order.reason else None
    at = rfc3339(next(entry.at for entry in stored.order.timeline if entry.status == status))
    event, words = last_words(order, status, at, reason)
    tools.bus.tell(event, order, at, **words)
    tools.orders.close(order, declined=stored.order.payment.status == "DECLINED")


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> str:
    """Unwind the order whose execution a status event tells of.

    Args:
        event: `Durable Execution Status Change` (Lambda developer guide, "Monitoring durable functions"), or what the
            reconciler makes of an order that nobody told of.
        context: the Lambda context.

    Returns:
        How it ended, or `nothing-owed`.
    """
    order_id = str(event["detail"]["durableExecutionName"])
    about_order(order_id)
    outcome = unwind(order_id, str(event["detail"]["status"]), store(), tools())
    came_to(outcome)
    logger.info("Unwound: %s", outcome)
    return outcome


@once
def store() -> OrderStore:
    """The orders table."""
    return OrderStore(table(os.environ["ORDERS_TABLE"]))
