"""What the life of an order does: each step with its name in the history, its retries, and what it works with.

A step is done at least once (durable execution guide, "Steps"): the function may die after the deed and before its
record. So each of them does the same when it is done again, moments included.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, JitterStrategy, StepConfig
from aws_durable_execution_sdk_python.exceptions import CallbackTimeoutError
from aws_durable_execution_sdk_python.retries import RetryDecision, RetryStrategyConfig, create_retry_strategy
from botocore.exceptions import ClientError
from tiffin.clients import client, once, table
from tiffin.dynamodb import condition_failed
from tiffin.events import rfc3339
from tiffin.unmendable import no_retry_mends

from durable.announcements import Bus, last_words
from durable.payments import Payments
from durable.records import OrderRecords

T = TypeVar("T")
Money = dict[str, Any]


class Order(TypedDict):
    """What an execution begins with: `orders.workflow.workflow_input`."""

    order_id: str
    customer_id: str
    restaurant_id: str
    subtotal: Money
    discount: Money
    total: Money
    item_count: int
    promo_code: str | None
    payment_method: str
    placed_at: str
    deadline_at: str
    overdue_at: str
    trace_header: str


@dataclass(frozen=True)
class Tools:
    """What steps and the unwind work with.

    Attributes:
        orders: the orders table.
        payments: the payments function.
        bus: the event bus.
        now: asked what time it is; in steps alone.
    """

    orders: OrderRecords
    payments: Payments
    bus: Bus
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@once
def tools() -> Tools:
    """What this function's environment names."""
    return Tools(
        OrderRecords(table(os.environ["ORDERS_TABLE"]), os.environ["CUSTOMERS_TABLE"]),
        # Longer than the function that is called may take.
        Payments(client("lambda", read_timeout=35, attempts=1), os.environ["PAYMENTS_FUNCTION_ARN"]),
        Bus(client("events"), os.environ["EVENT_BUS_NAME"]),
    )


class Steps:
    """The deeds of one order's life.

    Args:
        context: the durable execution.
        order: the order.
        tools: what they are done with.
    """

    def __init__(self, context: DurableContext, order: Order, tools: Tools) -> None:
        self._context, self._order, self._tools = context, order, tools

    def announce(self, name: str, occurred_at: str, **more: Any) -> None:
        """Tell the bus.

        Args:
            name: of the event.
            occurred_at: when it happened: recorded before, so that it is the same however often it is told.
            more: what it says besides what all events of an order do.
        """
        self._do(f"announce {name}", 9, lambda: self._tools.bus.tell(name, self._order, occurred_at, **more))

    def pay(self, operation: str, **more: Any) -> dict[str, str]:
        """Ask payments, by their contract; its answer."""
        return self._do(f"{operation} payment", 9, lambda: self._tools.payments.ask(operation, self._order, **more))

    def wait(self, status: str, *, minutes: int = 0, network: str | None = None) -> dict[str, str]:
        """Let the order wait in a status until somebody moves it.

        Args:
            status: in which.
            minutes: how long at most; 0 for as long as the order may take.
            network: the card's, to be recorded with a payment that is authorized now.

        Returns:
            The move, and when it was made; `silence`, if nobody did in time, or `cancel`, if the customer did before.
        """
        at_most = CallbackConfig(timeout=Duration.from_minutes(minutes))
        callback = self._context.create_callback(f"a move while {status}", at_most)
        cancelled = self._do(
            f"enter {status}",
            7,
            lambda: self._tools.orders.enter(self._order, status, callback.callback_id, self._now(), network),
        )
        if cancelled:
            return cancelled
        try:
            told: dict[str, str] = json.loads(callback.result() or "{}")
        except CallbackTimeoutError:
            # Somebody may have been first, and their callback too late: what was claimed stands.
            told = self._do(
                "claim silence", 7, lambda: self._tools.orders.claim_silence(self._order["order_id"], self._now())
            )
        return told

    def end(self, status: str, reason: dict[str, str] | None = None) -> str:
        """Record the end, announce it, and close the order; until its end was announced something is owed to it.

        Args:
            status: the end.
            reason: why; None if it was delivered.

        Returns:
            The end.
        """
        at = self._do(
            f"record {status}", 7, lambda: self._tools.orders.end(self._order["order_id"], status, self._now(), reason)
        )
        event, words = last_words(self._order, status, at, reason)
        self.announce(event, at, **words)
        self._do("close", 7, lambda: self._tools.orders.close(self._order, declined=status == "DECLINED"))
        return status

    def _now(self) -> str:
        return rfc3339(self._tools.now())

    def _do(self, name: str, attempts: int, deed: Callable[[], T]) -> T:
        return self._context.step(lambda _: deed(), name, StepConfig(retry_strategy=patient(attempts)))


def patient(attempts: int) -> Callable[[Exception, int], RetryDecision]:
    """Try again what may pass, after a second, two, four, up to a minute.

    Args:
        attempts: how often in all.
    """
    try_again = create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=attempts,
            initial_delay=Duration.from_seconds(2),
            max_delay=Duration.from_minutes(1),
            jitter_strategy=JitterStrategy.HALF,
        )
    )

    def decide(error: Exception, made: int) -> RetryDecision:
        if no_retry_mends(error) or (isinstance(error, ClientError) and condition_failed(error)):
            return RetryDecision.no_retry()
        return try_again(error, made)

    return decide
