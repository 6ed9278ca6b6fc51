"""What the orders API tells its workflow, written into the order's row instead: there is none.

A move has been claimed by then. What cannot be written now is found by whoever looks at the row next (`keeps_time`).
"""

from datetime import UTC, datetime
from typing import Any, Literal

from orders.model import Move, OrderStatus
from orders.workflow import OrderWorkflow

from choreographed.rows import Rows
from choreographed.rules import CANCELLED, rejected


class NoWorkflow(OrderWorkflow):
    """Stands where the orders API expects its workflow.

    Args:
        rows: the orders table.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def start(self, order_id: str, workflow_input: dict[str, Any]) -> Literal["started", "running", "ended"]:
        """Nothing to do: that there is a new row is told by the table's stream."""
        return "started"

    def call_back(self, task_token: str, output: dict[str, Any]) -> None:
        """Let the order take the turn that a move makes. A delivery makes none before the money is taken."""
        order_id, now = output["order_id"], datetime.now(UTC)
        match output.get("move"):
            case Move.ACCEPT:
                self._rows.enter(order_id, OrderStatus.PREPARING, now)
            case Move.DISPATCH:
                self._rows.enter(order_id, OrderStatus.OUT_FOR_DELIVERY, now)
            case Move.REJECT:
                self._rows.undo(order_id, rejected(output.get("reason")), now)

    def stop(self, order_id: str, error: str, cause: str) -> bool:
        """The customer cancelled."""
        return self._rows.undo(order_id, CANCELLED, datetime.now(UTC))
