"""A function that `sam local` runs works on the deployed stack's tables, queues and workflow."""

import pytest
from laptop import Stack
from operations.deployed import Deployed
from worlds.templates import functions

pytestmark = pytest.mark.laptop("all")


def test_every_function_gets_what_its_template_refers_to(stack: Stack) -> None:
    found = Deployed(stack.client, stack.outputs).environments()
    assert set(found) == {"/".join(function) for function in functions()}
    api, payments = found["Orders/ApiFunction"], found["Payments/PaymentsFunction"]
    assert api["ORDERS_TABLE"] == stack.outputs["OrdersTableName"]
    assert api["ORDER_WORKFLOW_ARN"] == f"{stack.outputs['OrderWorkflowArn']}:live"
    assert payments["PAYMENTS_TABLE"] == stack.outputs["PaymentsTableName"]


def test_one_service_alone_is_named_as_in_its_own_template(stack: Stack) -> None:
    found = Deployed(stack.client, stack.outputs).environments("Promotions")
    assert set(found) == {"ApiFunction", "ConsumerFunction", "OutboxRelayFunction"}
    assert found["ApiFunction"]["PROMOTIONS_TABLE"] == stack.outputs["PromotionsTableName"]
