"""The Step Functions port: start an order's workflow, pass a move on to it, stop it."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError
from tiffin.events import rfc3339

from orders.model import GRACE, Order

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


# arn:aws:states:eu-central-1:123456789012:stateMachine:name, and then the alias.
_PARTS = 7


class CallbackRefused(Exception):
    """The workflow no longer waits for this callback: it timed out, ended, or heard it already."""


def workflow_input(order: Order, trace_header: str) -> dict[str, Any]:
    """What the workflow needs to know of an order, and no more: nothing personal enters its history.

    The same order always gives the same input, as starting it again must be the same execution.
    """
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "restaurant_id": order.restaurant_id,
        "subtotal": order.subtotal.model_dump(),
        "discount": order.discount.model_dump(),
        "total": order.total.model_dump(),
        "item_count": sum(line.quantity for line in order.lines),
        "promo_code": order.promo_code,
        "payment_method": order.payment_method,
        "placed_at": rfc3339(order.placed_at),
        "deadline_at": rfc3339(order.deadline_at),
        "overdue_at": rfc3339(order.deadline_at + GRACE),
        "trace_header": trace_header,
    }


class OrderWorkflow:
    """The order workflow's executions, one per order, named by the order's id.

    Args:
        client: a Step Functions client.
        arn: the state machine, or its alias: what begins is then of the version that the alias points to.
    """

    def __init__(self, client: "SFNClient", arn: str) -> None:
        self._client, self._arn = client, arn

    def execution_arn(self, order_id: str) -> str:
        """The ARN of the order's execution, whether or not there is one yet: of whatever version it is."""
        machine = ":".join(self._arn.split(":")[:_PARTS])
        return f"{machine.replace(':stateMachine:', ':execution:')}:{order_id}"

    def start(self, order_id: str, workflow_input: dict[str, Any]) -> Literal["started", "running", "ended"]:
        """Start the order's execution.

        Returns:
            Whether this call started it, found it running, or found that it ended before. Starting twice is harmless:
            the name is the order's id (Step Functions API reference, StartExecution).

        Raises:
            ClientError: Step Functions could not be asked. The order stays PLACED, and the reconciler tries again.
        """
        asked = datetime.now(UTC)
        try:
            answer = self._client.start_execution(
                stateMachineArn=self._arn, name=order_id, input=json.dumps(workflow_input, separators=(",", ":"))
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            # It ended, or it runs with another input: the one that an earlier version of this service made.
            known = self._client.describe_execution(executionArn=self.execution_arn(order_id))
            return "running" if known["status"] == "RUNNING" else "ended"
        # The same name and input while it runs is answered with the first start's date.
        return "running" if answer["startDate"] < asked - timedelta(seconds=30) else "started"

    def call_back(self, task_token: str, output: dict[str, Any]) -> None:
        """Tell the waiting workflow which move was made.

        Raises:
            CallbackRefused: nobody waits on this token any more.
            ClientError: Step Functions could not be asked. The move is recorded, and the reconciler tells it again.
        """
        try:
            self._client.send_task_success(taskToken=task_token, output=json.dumps(output))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}:
                raise CallbackRefused(error.response["Error"]["Code"]) from error
            raise

    def stop(self, order_id: str, error: str, cause: str) -> bool:
        """Stop the order's execution; the unwind workflow does the rest.

        Returns:
            False if there is nothing to stop: the execution ended already, or never began.
        """
        try:
            self._client.stop_execution(executionArn=self.execution_arn(order_id), error=error, cause=cause)
        except ClientError as refused:
            # An ended execution is a ValidationException; one that never was is ExecutionDoesNotExist.
            if refused.response["Error"]["Code"] in {"ExecutionDoesNotExist", "ValidationException"}:
                return False
            raise
        return True


class UnwindWorkflow:
    """The unwind workflow, for orders whose death nobody reported.

    Args:
        client: a Step Functions client.
        arn: the state machine.
    """

    def __init__(self, client: "SFNClient", arn: str) -> None:
        self._client, self._arn = client, arn

    def start(self, order_id: str, attempt: int) -> None:
        """Unwind an order as if its status event had come; harmless if it did, or comes later.

        Args:
            order_id: the order.
            attempt: tells the repairs of one order apart in the list of executions.
        """
        event = {"detail": {"name": order_id, "status": "UNREPORTED"}}
        try:
            self._client.start_execution(
                stateMachineArn=self._arn, name=f"{order_id}-repair-{attempt}", input=json.dumps(event)
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return
