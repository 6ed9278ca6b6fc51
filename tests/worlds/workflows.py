"""Stand-ins at the Step Functions ports: they remember what they were asked, and can be told what to answer."""

from typing import Any, Literal

from asl import TaskFailed, machine
from botocore.exceptions import ClientError
from orders.workflow import CallbackRefused

MACHINES = {
    name: machine(
        name,
        OrdersTableName="OrdersTable",
        CustomersTableName="CustomersTable",
        EventBusName="bus",
        PaymentsFunctionArn="payments",
    )
    for name in ("order", "unwind")
}
"""Both state machines, as deployed beside tables and a bus of these names."""


class FakeOrderWorkflow:
    """The order workflow's executions.

    Attributes:
        started: the orders whose execution was to be started, one entry for each call.
        inputs: what they were started with, by order.
        callbacks: token and output of each callback.
        stopped: order and error of each execution that was stopped.
        state: what is found when an execution is to be started.
        runs: whether an execution is there to be stopped.
        waits: whether the workflow waits for callbacks.
        down: whether Step Functions cannot be asked at all.
        down_for: the orders that it cannot be asked about.
    """

    def __init__(self) -> None:
        self.started: list[str] = []
        self.inputs: dict[str, dict[str, Any]] = {}
        self.callbacks: list[tuple[str, dict[str, Any]]] = []
        self.stopped: list[tuple[str, str]] = []
        self.state: Literal["started", "running", "ended"] = "started"
        self.runs = self.waits = True
        self.down = False
        self.down_for: set[str] = set()

    def __contains__(self, order_id: str) -> bool:
        return order_id in self.inputs

    def start(self, order_id: str, workflow_input: dict[str, Any]) -> Literal["started", "running", "ended"]:
        self._reached(order_id)
        self.started.append(order_id)
        self.inputs[order_id] = workflow_input
        return self.state

    def call_back(self, task_token: str, output: dict[str, Any]) -> None:
        self._reached(output["order_id"])
        if not self.waits:
            raise CallbackRefused("TaskTimedOut")
        self.callbacks.append((task_token, output))

    def stop(self, order_id: str, error: str, cause: str) -> bool:
        self._reached(order_id)
        if self.runs:
            self.stopped.append((order_id, error))
        return self.runs

    def _reached(self, order_id: str) -> None:
        if self.down or order_id in self.down_for:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "any")


class FakeUnwindWorkflow:
    """The unwind workflow's executions.

    Attributes:
        started: the orders that were to be unwound, one entry for each call.
    """

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, order_id: str, attempt: int) -> None:
        self.started.append(order_id)


def ask_the_table(dynamodb: Any, resource: str, arguments: dict[str, Any]) -> Any:
    """Do what a state asks of DynamoDB.

    Args:
        dynamodb: a DynamoDB client.
        resource: `dynamodb:getItem`, `dynamodb:updateItem`, or by the SDK integration that or `transactWriteItems`.
        arguments: the state's.

    Raises:
        TaskFailed: it was refused; the SDK integration spells the service's name in a way of its own.
    """
    calls = {
        "getItem": dynamodb.get_item,
        "updateItem": dynamodb.update_item,
        "transactWriteItems": dynamodb.transact_write_items,
    }
    try:
        return calls[resource.rpartition(":")[2]](**arguments)
    except ClientError as error:
        prefix = "DynamoDb" if resource.startswith("aws-sdk") else "DynamoDB"
        raise TaskFailed(f"{prefix}.{error.response['Error']['Code']}") from error
