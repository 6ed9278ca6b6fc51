"""What tests share: tables made from the templates themselves, and polling with a deadline."""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import boto3
from cfnlint.decode.cfn_yaml import load  # the short forms (!Ref, !Sub) need a reader that knows them
from laptop import BusTap, Stack
from payments.sandbox import Balance, SandboxGateway

ROOT = Path(__file__).resolve().parent.parent
SENDER = "orders@tiffin.example"
"""Address that the deployed stack's mails come from. Whoever awaits mail has it verified first."""
T = TypeVar("T")


@cache
def resources(service: str) -> dict[str, Any]:
    """The resources of a service's template, intrinsic functions unresolved."""
    return dict(load(str(ROOT / "services" / service / "template.yaml"))["Resources"])


def functions() -> list[tuple[str, str]]:
    """Every function of every service: nested application and logical id, such as `("Orders", "ApiFunction")`."""
    return [
        (service.title(), logical_id)
        for service in sorted(path.parent.name for path in (ROOT / "services").glob("*/template.yaml"))
        for logical_id, resource in resources(service).items()
        if resource["Type"] == "AWS::Serverless::Function"
    ]


def create_table(service: str, logical_id: str) -> str:
    """Make the table of a service's template in whatever DynamoDB boto3 reaches (moto's, in unit tests).

    Returns:
        Its name, which is its logical id.
    """
    wanted = resources(service)[logical_id]["Properties"]
    plain = {
        key: wanted[key]
        for key in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        if key in wanted
    }
    boto3.client("dynamodb").create_table(TableName=logical_id, **plain)
    return logical_id


def eventually(probe: Callable[[], T | None], deadline: float = 30.0, what: str = "it") -> T:
    """Ask until the answer is true, and fail with the last state if time runs out.

    Args:
        probe: what to ask.
        deadline: seconds.
        what: for the failure's message.
    """
    until = time.monotonic() + deadline
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not happen within {deadline:g} s")
        time.sleep(0.05)


def balance(stack: Stack, order_id: str) -> Balance:
    """What the sandbox gateway's own ledger says of an order's money."""
    return SandboxGateway(stack.client("dynamodb"), stack.outputs["SandboxLedgerTableName"]).balance(order_id)


def names_on_bus(tap: BusTap, order_id: str, *awaited: str) -> set[str]:
    """The names of the events that an order put on the bus.

    Args:
        tap: the bus.
        order_id: the order.
        awaited: names to wait for first.
    """
    for name in awaited:
        tap.wait_for(lambda e, name=name: (e["detail-type"], e["detail"]["metadata"]["order_id"]) == (name, order_id))
    return {e["detail-type"] for e in tap.events if e["detail"]["metadata"]["order_id"] == order_id} - {
        "PromoCodeIssued"
    }
