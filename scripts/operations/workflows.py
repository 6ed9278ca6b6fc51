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


def way(client: Clients, workflow: str, order_id: str) -> list[str]:
    """The states that an order has been in, in their sequence.

    Args:
        client: makes boto3 clients.
        workflow: its ARN.
        order_id: the order, by which its execution is named.

    Returns:
        Their names; none of an order that no execution is named by.

    Raises:
        ClientError, BotoCoreError: Step Functions could not be asked.
    """
    states = client("stepfunctions")
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=workflow)
    found = (each["executionArn"] for page in pages for each in page["executions"] if each["name"] == order_id)
    if (execution := next(found, None)) is None:
        return []
    history = states.get_paginator("get_execution_history").paginate(executionArn=execution)
    events = (event for page in history for event in page["events"])
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
