"""The Step Functions port against moto, and the numbers that code and state machine share."""

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws
from orders.model import DELIVERY_WINDOW
from orders.workflow import CallbackRefused, OrderWorkflow
from worlds import ROOT

WAITS = {
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}},
}


@pytest.fixture
def workflow() -> Iterator[OrderWorkflow]:
    with mock_aws():
        client = boto3.client("stepfunctions")
        machine = client.create_state_machine(
            name="order", definition=json.dumps(WAITS), roleArn="arn:aws:iam::123456789012:role/any"
        )
        yield OrderWorkflow(client, machine["stateMachineArn"])


def test_starting_twice_is_one_execution(workflow: OrderWorkflow) -> None:
    assert workflow.start("ord_1", {"order_id": "ord_1"}) == "started"
    workflow.start("ord_1", {"order_id": "ord_1"})
    arns = boto3.client("stepfunctions").list_executions(stateMachineArn=workflow._arn)["executions"]
    assert [e["executionArn"] for e in arns] == [workflow.execution_arn("ord_1")]


def test_another_input_is_still_the_same_execution(workflow: OrderWorkflow) -> None:
    workflow.start("ord_1", {"order_id": "ord_1"})
    assert workflow.start("ord_1", {"order_id": "ord_1", "added_by": "a later version"}) == "running"


def test_starting_an_execution_that_ended_says_so(workflow: OrderWorkflow) -> None:
    workflow.start("ord_1", {"order_id": "ord_1"})
    workflow.stop("ord_1", "OrderCancelled", "")
    assert workflow.start("ord_1", {"order_id": "ord_1"}) == "ended"


def test_stopping_an_order_without_an_execution_says_so(workflow: OrderWorkflow) -> None:
    assert workflow.stop("ord_none", "OrderCancelled", "") is False


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_stale_token_is_refused(code: str) -> None:
    client = boto3.client("stepfunctions")
    with Stubber(client) as stub, pytest.raises(CallbackRefused):
        stub.add_client_error("send_task_success", code)
        OrderWorkflow(client, "arn").call_back("stale", {"move": "accept"})


def test_an_outage_is_told_apart_from_a_refusal() -> None:
    client = boto3.client("stepfunctions")
    with Stubber(client) as stub, pytest.raises(ClientError):
        stub.add_client_error("send_task_success", "ServiceUnavailable")
        OrderWorkflow(client, "arn").call_back("token", {"move": "accept"})


def test_the_workflows_three_hours_are_the_domains() -> None:
    machine = json.loads((ROOT / "statemachines" / "order.asl.json").read_text())
    assert machine["TimeoutSeconds"] == DELIVERY_WINDOW.total_seconds()
