"""Entry point: each minute, the open orders that somebody should look at by now.

Nobody counts an order's three hours, nor the restaurant's fifteen minutes: an event cannot be late. So the rows are
asked, by the moment that each carries. What fell between two writes, and what lies among the dead letters, is found
here too.
"""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from tiffin.clients import once, table
from tiffin.telemetry import logger, metrics, tracer, work_on_order

from choreographed import tells
from choreographed.rows import ASK_AGAIN, Rows
from choreographed.rules import SILENT, End, follows, owes, silent_at, times_up


def look_at(order_id: str, now: datetime) -> None:
    """Do for an order what somebody should have done by now.

    Args:
        order_id: the order.
        now: the moment, aware.
    """
    life = rows().life(order_id)
    if end := times_up(life, now):
        rows().undo(order_id, end, now, silent=end is SILENT)
    elif isinstance(turn := follows(life), End):
        rows().undo(order_id, turn, now)
    elif turn:
        rows().enter(order_id, turn, now)
    elif owes(life):
        tells.ask(order_id)
        rows().look_again(order_id, now + ASK_AGAIN)
    else:
        rows().look_again(order_id, silent_at(life))


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Sweep once.

    Args:
        event: a scheduled event; nothing in it is read.
        context: the Lambda context.
    """
    now = datetime.now(UTC)
    for order_id in rows().due(now):
        with work_on_order(order_id):
            try:
                look_at(order_id, now)
            except (ClientError, BotoCoreError):
                # One order's trouble is not the others'. It stays due, and the next sweep meets it again.
                logger.exception("Could not be looked at now")


@once
def rows() -> Rows:
    """The orders table."""
    return Rows(table(os.environ["ORDERS_TABLE"]))
