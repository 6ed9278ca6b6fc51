"""What tests ask of a deployed stack, on the laptop or on AWS."""

from typing import Any

from laptop import BusTap, Stack
from laptop.menus import DeployedStack
from operations import workflows
from payments.sandbox import Balance, SandboxGateway

from worlds.polling import eventually

SENDER = "orders@tiffin.example"
"""Address that the deployed stack's mails come from. Whoever awaits mail has it verified first."""


def row(stack: DeployedStack, order_id: str, table: str = "OrdersTableName") -> dict[str, Any]:
    """An order's row, as DynamoDB writes it down, in the table of an output of the stack."""
    key = {"order_id": {"S": order_id}}
    found = stack.client("dynamodb").get_item(TableName=stack.outputs[table], Key=key, ConsistentRead=True)
    return dict(found["Item"])


def balance(stack: DeployedStack, order_id: str) -> Balance:
    """What the sandbox gateway's own ledger says of an order's money."""
    return SandboxGateway(stack.client("dynamodb"), stack.outputs["SandboxLedgerTableName"]).balance(order_id)


def execution_arn(stack: DeployedStack, order_id: str) -> str:
    """ARN of the order workflow's execution, which is named by the order."""
    return workflows.execution_arn(stack.outputs["OrderWorkflowArn"], order_id)


def names_on_bus(tap: BusTap, order_id: str, *awaited: str) -> set[str]:
    """The names of the events that an order put on the bus, promo codes apart.

    Args:
        tap: the bus.
        order_id: the order.
        awaited: names to wait for first.
    """
    for name in awaited:
        tap.wait_for_event(name, order_id)
    names = {e["detail-type"] for e in tap.events if e["detail"]["metadata"]["order_id"] == order_id}
    return names - {"PromoCodeIssued"}


def let_time_pass(stack: DeployedStack, order_id: str) -> None:
    """An order's deadline is over, and so is the grace after it: the reconciler finds it due."""
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["OrdersTableName"],
        Key={"order_id": {"S": order_id}},
        UpdateExpression="SET check_at = :past, deadline_at = :past",
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00.000Z"}},
    )


def sweep(stack: DeployedStack) -> None:
    """Run the reconciler now rather than within the minute; its schedule may have been faster, so ask for effects."""
    answer = stack.client("lambda").invoke(FunctionName=stack.outputs["ReconcilerFunctionName"], Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def errors_logged(stack: DeployedStack, since: float) -> list[str]:
    """The lines that functions wrote as errors.

    Args:
        stack: whose functions.
        since: epoch seconds.
    """
    logs = stack.client("logs")
    groups = [
        g["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate() for g in page["logGroups"]
    ]
    reader = logs.get_paginator("filter_log_events")
    pages = [page for group in groups for page in reader.paginate(logGroupName=group, startTime=int(since * 1000))]
    return [event["message"] for page in pages for event in page["events"] if '"level":"ERROR"' in event["message"]]


def delete(stack: Stack, name: str) -> None:
    """Delete one of the stacks on a laptop's emulator, and wait until it is gone."""
    cloudformation = stack.client("cloudformation")
    (made,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    cloudformation.delete_stack(StackName=name)
    eventually(
        lambda: (
            cloudformation.describe_stacks(StackName=made["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
        ),
        what=f"the end of the stack {name}",
    )
