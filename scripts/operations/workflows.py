"""The order workflow as it is deployed: what an order that is placed now will go through."""

import json
from typing import Any

from .deployed import Clients


def definition(client: Clients, workflow: str) -> dict[str, Any]:
    """A workflow's definition.

    Args:
        client: makes boto3 clients.
        workflow: its ARN.

    Raises:
        ClientError, BotoCoreError: Step Functions could not be asked.
    """
    described = client("stepfunctions").describe_state_machine(stateMachineArn=workflow)
    return dict(json.loads(described["definition"]))


def execution_arn(workflow: str, order_id: str) -> str:
    """The ARN of an order's execution, which is named by the order; whether or not there is one.

    Args:
        workflow: the workflow's ARN.
        order_id: the order.
    """
    return f"{workflow.replace(':stateMachine:', ':execution:')}:{order_id}"


def way(client: Clients, workflow: str, order_id: str) -> list[str]:
    """The states that an order has been in, in their sequence.

    Args:
        client: makes boto3 clients.
        workflow: its ARN.
        order_id: the order.

    Raises:
        ClientError, BotoCoreError: Step Functions could not be asked, or the order has no execution.
    """
    asked = client("stepfunctions").get_paginator("get_execution_history")
    history = asked.paginate(executionArn=execution_arn(workflow, order_id))
    events = (event for page in history for event in page["events"])
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
