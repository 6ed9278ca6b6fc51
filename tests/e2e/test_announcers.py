"""Four roles may announce, each its own service's events; nobody else may, whatever else they are allowed to do."""

import json
import uuid
from typing import Any

import pytest
from contracts.schemas import current
from laptop import BusTap, Stack
from orders.model import order_id_for
from worlds import feed
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("fault")

RELAYS = {
    "tiffin.payments": "PaymentsOutboxRelayFunctionName",
    "tiffin.promotions": "PromotionsOutboxRelayFunctionName",
}


@pytest.fixture
def order_id(customer: str) -> str:
    return order_id_for(customer, uuid.uuid4().hex)


def heard_of(tap: BusTap, order_id: str) -> list[str]:
    return [e["detail-type"] for e in tap.events if e["detail"]["metadata"]["order_id"] == order_id]


def relayed(stack: Stack, by: str, name: str, order_id: str, source: str | None = None) -> list[Any]:
    """What a relay could not announce, of an outbox that holds one event."""
    event = feed.event(name, order_id)
    key = {"order_id": {"S": order_id}, "record": {"S": f"EVENT#{name}"}}
    image = {
        **key,
        "source": {"S": source or event["source"]},
        "detail_type": {"S": name},
        "detail": {"S": json.dumps(event["detail"])},
    }
    record = {"eventName": "INSERT", "dynamodb": {"Keys": key, "NewImage": image, "SequenceNumber": "111"}}
    function, payload = stack.outputs[RELAYS[by]], json.dumps({"Records": [record]})
    answer = json.load(stack.client("lambda").invoke(FunctionName=function, Payload=payload)["Payload"])
    failed: list[Any] = answer["batchItemFailures"]
    return failed


@pytest.mark.parametrize("name", current().names())
@pytest.mark.parametrize("by", RELAYS)
def test_a_relay_announces_its_own_service_s_events_and_no_others(
    stack: Stack, tap: BusTap, by: str, name: str, order_id: str
) -> None:
    failed = relayed(stack, by, name, order_id)

    if current().source(name) == by:
        assert failed == []
        tap.wait_for_event(name, order_id)
    else:
        assert failed == [{"itemIdentifier": "111"}]
        # By another source's name neither.
        assert relayed(stack, by, name, order_id, source=by) == [{"itemIdentifier": "111"}]
        assert heard_of(tap, order_id) == []


@pytest.mark.parametrize(
    ("workflow", "source", "name", "error"),
    [
        ("OrderWorkflowArn", "tiffin.orders", "OrderAccepted", None),
        ("OrderWorkflowArn", "tiffin.orders", "OrderCancelled", "States.Permissions"),
        ("OrderWorkflowArn", "tiffin.payments", "OrderAccepted", "States.Permissions"),
        ("OrderWorkflowArn", "tiffin.orders", "PaymentCaptured", "States.Permissions"),
        ("OrderWorkflowArn", "tiffin.payments", "PaymentCaptured", "States.Permissions"),
        ("OrderWorkflowArn", "tiffin.promotions", "PromoCodeIssued", "States.Permissions"),
        ("UnwindWorkflowArn", "tiffin.orders", "OrderCancelled", None),
        ("UnwindWorkflowArn", "tiffin.orders", "OrderAccepted", "States.Permissions"),
        ("UnwindWorkflowArn", "tiffin.payments", "OrderCancelled", "States.Permissions"),
    ],
)
def test_a_workflow_s_role_announces_what_the_workflow_does_and_nothing_else(
    stack: Stack, tap: BusTap, workflow: str, source: str, name: str, error: str | None, order_id: str
) -> None:
    states = stack.client("stepfunctions")
    role = states.describe_state_machine(stateMachineArn=stack.outputs[workflow])["roleArn"]
    entry = {
        "EventBusName": stack.outputs["EventBusName"],
        "Source": source,
        "DetailType": name,
        "Detail": feed.event(name, order_id)["detail"],
    }
    state = {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "Arguments": {"Entries": [entry]}}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Tell", "States": {"Tell": {**state, "End": True}}}
    machine = states.create_state_machine(
        name=f"announcer-{uuid.uuid4().hex[:12]}", definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]

    execution = states.start_execution(stateMachineArn=machine)["executionArn"]

    def ended() -> dict[str, Any] | None:
        described: dict[str, Any] = states.describe_execution(executionArn=execution)
        return described if described["status"] != "RUNNING" else None

    assert eventually(ended, what="the end of the execution").get("error") == error
    if error is None:
        tap.wait_for_event(name, order_id)
    else:
        assert heard_of(tap, order_id) == []
