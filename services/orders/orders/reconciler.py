"""Entry point: the scheduled sweep that closes the gaps which no transaction closes.

An order and its execution are written to two services, a move and its callback too, and a status event is best effort.
Whatever falls between is found here by the moment each open order carries at which somebody should look at it.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from tiffin.clients import client, once, table
from tiffin.telemetry import came_to, logger, metrics, tracer, work_on_order

from orders.model import ENDS, GRACE, Move, OrderStatus
from orders.store import OrderStore, StoredOrder
from orders.workflow import CallbackRefused, OrderWorkflow, UnwindWorkflow, workflow_input

# No order is begun with fewer milliseconds left than these: what a sweep does not come to is due in the next one. As it
# looks at one after the other, it stays far below the quotas of Step Functions (developer guide, "Quotas related to API
# action throttling").
ENOUGH = 15_000
# How soon a repair is looked at again: long enough for an unwind to finish.
NEXT_LOOK = timedelta(minutes=5)
# An order that was repaired this often and is open still needs a person: it is counted where an alarm looks.
PATIENCE = 5


def repair(stored: StoredOrder, now: datetime) -> str | None:
    """Do for an open order what somebody should have done by now.

    Args:
        stored: the order, as read just now.
        now: the moment of this sweep, aware.

    Returns:
        What was repaired, for the metric; None if all is well and the order just takes its time.
    """
    order, order_id = stored.order, stored.order.order_id
    claim = stored.claim or {}
    if order.status in ENDS:
        unwind().start(order_id, stored.repairs)
        return "end-not-announced"
    if now > order.deadline_at + GRACE:
        _end(stored, "OrderExpired", "Past its deadline, and still running.")
        return "overdue"
    if claim.get("move") == Move.CANCEL:
        _end(stored, "OrderCancelled", "The customer cancelled the order.")
        return "cancel-not-done"
    if claim:
        try:
            workflow().call_back(stored.task_token or "", stored.callback)
        except CallbackRefused:
            # The workflow is past waiting, or dead, which its deadline will show; or it is about to wait anew, and its
            # write will make the order due.
            return None
        return "callback-lost"
    if order.status == OrderStatus.PLACED:
        state = workflow().start(order_id, workflow_input(order, stored.trace_header))
        if state == "ended":
            unwind().start(order_id, stored.repairs)
        return None if state == "running" else f"execution-{state}"
    return None


def _end(stored: StoredOrder, error: str, cause: str) -> None:
    """Stop the workflow if it runs, and unwind: no status event can be counted on here."""
    workflow().stop(stored.order.order_id, error, cause)
    unwind().start(stored.order.order_id, stored.repairs)


def sweep(now: datetime, has_time: Callable[[], bool] = lambda: True) -> dict[str, int]:
    """Look at every open order that is due.

    Args:
        now: the moment of this sweep, aware.
        has_time: asked before each order whether there is time for it.

    Returns:
        How often each kind of repair was made.
    """
    repairs: dict[str, int] = {}
    for order_id in takewhile(lambda _: has_time(), store().due(now)):
        with work_on_order(order_id):
            try:
                stored = store().get(order_id)
                done = repair(stored, now)
                # An order whose workflow runs is next of interest when it is overdue.
                settled = done in (None, "execution-started") and stored.order.deadline_at + GRACE > now
                count = store().look_again(
                    stored,
                    stored.order.deadline_at + GRACE if settled else now + NEXT_LOOK,
                    repaired=done is not None,
                )
            except (ClientError, BotoCoreError):
                # One order's trouble is not the others'. It stays due, and the next sweep meets it again.
                logger.exception("Could not be reconciled now")
                continue
            except Exception as error:
                # Nor is an order that no sweep will ever be able to read. What the error says may be personal.
                logger.error("Cannot be reconciled", reason=type(error).__name__)
                metrics.add_metric("OrdersStuck", MetricUnit.Count, 1)
                continue
            if done:
                repairs[done] = repairs.get(done, 0) + 1
                came_to(done)
                logger.warning("Repaired", repair=done, times=count)
            if count >= PATIENCE:
                logger.error("Repaired many times and still open", times=count)
                metrics.add_metric("OrdersStuck", MetricUnit.Count, 1)
    return repairs


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Sweep once.

    Args:
        event: a scheduled event; nothing in it is read.
        context: the Lambda context.

    Returns:
        How often each kind of repair was made.
    """
    repairs = sweep(datetime.now(UTC), lambda: context.get_remaining_time_in_millis() > ENOUGH)
    metrics.add_metric("ReconcilerRepairs", MetricUnit.Count, sum(repairs.values()))
    return repairs


@once
def store() -> OrderStore:
    """The orders table."""
    return OrderStore(table(os.environ["ORDERS_TABLE"]))


@once
def workflow() -> OrderWorkflow:
    """The order workflow."""
    return OrderWorkflow(client("stepfunctions"), os.environ["ORDER_WORKFLOW_ARN"])


@once
def unwind() -> UnwindWorkflow:
    """The unwind workflow."""
    return UnwindWorkflow(client("stepfunctions"), os.environ["UNWIND_WORKFLOW_ARN"])
