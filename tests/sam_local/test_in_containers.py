"""Functions in Lambda's containers do on the running stack what they do everywhere, with their own permissions."""

import json
import os
import signal
import subprocess
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from laptop import Stack
from laptop.environment import STATE_DIR
from operations.containers import SAMPLES, Containers, samples, session
from operations.deployed import Deployed
from worlds.containers import Been, lambdas
from worlds.templates import functions


def announced(sample: str) -> tuple[str, str]:
    """Name and id of the event that an outbox relay's sample holds."""
    (record,) = json.loads((SAMPLES / f"{sample}.json").read_text("utf-8"))["Records"]
    item = record["dynamodb"]["NewImage"]
    return item["detail_type"]["S"], json.loads(item["detail"]["S"])["metadata"]["event_id"]


def test_every_deployed_function_answers_its_sample_cold_and_warm(been: Been) -> None:
    assert been.tour.failures == []
    assert [row.function for row in been.tour.rows] == been.deployed
    assert {*been.deployed, *been.elsewhere} == {"/".join(function) for function in functions()}
    for row in been.tour.rows:
        assert row.cold.milliseconds and row.warm.milliseconds, row
        assert row.cold.milliseconds > row.warm.milliseconds, row


@pytest.mark.parametrize("sample", ["PaymentsOutboxRelayFunction-authorized", "PromotionsOutboxRelayFunction-issued"])
def test_a_relay_announces_as_only_its_role_may(been: Been, sample: str) -> None:
    name, event_id = announced(sample)
    event = been.events.wait_for(
        lambda event: event["detail-type"] == name and event["detail"]["metadata"]["event_id"] == event_id
    )
    assert event["source"] in ("tiffin.payments", "tiffin.promotions")


def test_an_order_is_delivered_and_paid_through_the_containers(been: Been, stack: Stack) -> None:
    order_id = been.tour.order["order_id"]
    key = {"order_id": {"S": order_id}}
    stored = stack.client("dynamodb").get_item(TableName=stack.outputs["OrdersTableName"], Key=key)["Item"]
    assert stored["status"] == {"S": "DELIVERED"}
    captured = been.events.wait_for(
        lambda event: event["detail-type"] == "PaymentCaptured" and event["detail"]["metadata"]["order_id"] == order_id
    )
    assert captured["detail"]["data"]["amount"] == been.tour.order["total"]


def test_the_order_took_every_step_through_an_api_in_a_container(been: Been) -> None:
    assert set(been.tour.requests.took) == {
        ("Orders", "GET /restaurants/r-bella-napoli/menu"),
        ("Orders", "POST /orders"),
        ("Orders", "GET /orders/{order_id}"),
        ("Orders", "POST /orders/{order_id}/accept"),
        ("Orders", "POST /orders/{order_id}/dispatch"),
        ("Orders", "POST /orders/{order_id}/deliver"),
        ("Promotions", "GET /promo-codes"),
    }


def test_neither_a_container_nor_a_credential_is_left(been: Been) -> None:
    assert been.left == set()
    assert list((STATE_DIR / "sam-local").glob("environments-*")) == []


def test_a_container_is_removed_whose_sam_was_killed(been: Been, docker: Any, stack: Stack) -> None:
    before = lambdas(docker)
    function = "Orders/ReconcilerFunction"
    with Containers(stack) as containers:
        with containers.warm() as served:
            served.invoke(function, next(iter(samples(function).values())))
            told = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "-f", "samcli local start-lambda"], capture_output=True, text=True
            )
            (process,) = told.stdout.split()
            os.kill(int(process), signal.SIGKILL)
        (left_behind,) = lambdas(docker) - before
    assert left_behind not in lambdas(docker)


def test_a_session_may_what_its_function_may_and_no_more(stack: Stack) -> None:
    role = Deployed(stack.client, stack.outputs).functions()["Orders/ApiFunction"]["Role"]
    keys = session(stack, role)
    own: dict[str, Any] = {name.lower(): value for name, value in keys.items()}
    dynamodb = boto3.Session(region_name=stack.region, **own).client("dynamodb", endpoint_url=stack.endpoint)
    dynamodb.get_item(TableName=stack.outputs["OrdersTableName"], Key={"order_id": {"S": "ord_none"}})
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.get_item(
            TableName=stack.outputs["PaymentsTableName"],
            Key={"order_id": {"S": "ord_none"}, "record": {"S": "PAYMENT"}},
        )
