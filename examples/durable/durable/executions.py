"""The port to the executions, in the place of the order service's port to Step Functions (`orders.workflow`)."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError
from orders.model import Move
from orders.store import OrderStore
from orders.workflow import CallbackRefused, OrderWorkflow, UnwindWorkflow

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Of a callback that is over: it timed out, or somebody completed it (Lambda API reference,
# SendDurableExecutionCallbackSuccess).
_OVER = {"CallbackTimeoutException", "ResourceNotFoundException"}


class OrderExecutions(OrderWorkflow):
    """The order function's durable executions, one per order, named by the order's id.

    Args:
        client: a Lambda client.
        function: the function, by its alias: an execution stays with the version that it begins with.
        orders: the orders table, which knows by which callback an order is told of a move.
        looks: whether `start` asks how far an execution is that it finds.
    """

    def __init__(self, client: "LambdaClient", function: str, orders: OrderStore, *, looks: bool = False) -> None:
        self._lambda, self._function, self._orders, self._looks = client, function, orders, looks

    def start(self, order_id: str, workflow_input: dict[str, Any]) -> Literal["started", "running", "ended"]:
        """Start the order's execution.

        Returns:
            Whether this call started it, found it running, or found that it ended before; `started`, where nobody
            looks. Starting twice is harmless: the same name and input is the same execution, be it over (Lambda
            developer guide, "Idempotency" of durable functions).

        Raises:
            ClientError: Lambda could not be asked. The order stays PLACED, and the reconciler tries again.
        """
        asked = datetime.now(UTC)
        answer = self._lambda.invoke(
            FunctionName=self._function,
            InvocationType="Event",
            DurableExecutionName=order_id,
            Payload=json.dumps(workflow_input, separators=(",", ":")),
        )
        if not self._looks:
            return "started"
        known = self._lambda.get_durable_execution(DurableExecutionArn=answer["DurableExecutionArn"])
        if known["Status"] != "RUNNING":
            return "ended"
        return "running" if known["StartTimestamp"] < asked - timedelta(seconds=30) else "started"

    def call_back(self, task_token: str, output: dict[str, Any]) -> None:
        """Tell the waiting execution which move was made.

        Args:
            task_token: the callback's id.
            output: the move.

        Raises:
            CallbackRefused: nobody waits for it any more.
            ClientError: Lambda could not be asked. The move is recorded, and the reconciler tells it again.
        """
        if not task_token:
            raise CallbackRefused("no callback yet")
        try:
            self._lambda.send_durable_execution_callback_success(
                CallbackId=task_token, Result=json.dumps(output, separators=(",", ":"))
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _OVER:
                raise CallbackRefused(error.response["Error"]["Code"]) from error
            raise

    def stop(self, order_id: str, error: str, cause: str) -> bool:
        """Tell an order's execution that the customer cancelled, by the callback with which it waits.

        Nothing is stopped. A state machine has to be, as it may be anywhere; a function that is in the middle of a
        payment comes to the restaurant next, and finds the claim there.

        Returns:
            Whether it could be told.
        """
        stored = self._orders.get(order_id)
        if (stored.claim or {}).get("move") != Move.CANCEL or not stored.task_token:
            return False
        try:
            self.call_back(stored.task_token, stored.callback)
        except CallbackRefused:
            return False
        return True


class Unwinds(UnwindWorkflow):
    """The unwind function, for orders whose death nobody reported.

    Args:
        client: a Lambda client.
        function: the function, by its alias.
    """

    def __init__(self, client: "LambdaClient", function: str) -> None:
        self._lambda, self._function = client, function

    def start(self, order_id: str, attempt: int) -> None:
        """Unwind an order as if its status event had come; harmless if it did, or comes later."""
        event = {"detail": {"durableExecutionName": order_id, "status": "UNREPORTED"}}
        self._lambda.invoke(FunctionName=self._function, InvocationType="Event", Payload=json.dumps(event))
