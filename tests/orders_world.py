"""The orders API over real tables (moto), with a fake at the Step Functions port."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from orders.menus import MenuStore
from orders.promo_codes import PromoCodeStore
from orders.store import OrderStore
from support import create_table
from tiffin.telemetry import logger

MENU_ITEM = {
    "restaurant_id": "bella",
    "name": "Bella",
    "cuisine": "italian",
    "currency": "EUR",
    "delivery_fee": 250,
    "dishes": [{"dish_id": "margherita", "name": "Pizza Margherita", "price": 950}],
}
PROBLEM = "https://tiffin.example/problems/"


class FakeWorkflow:
    """Stands at the Step Functions port; remembers what it was asked and can be made to fail."""

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Any]] = {}
        self.callbacks: list[tuple[str, dict[str, Any]]] = []
        self.stopped: list[str] = []
        self.down = False

    def __contains__(self, order_id: str) -> bool:
        return order_id in self.started

    def _answer(self) -> None:
        if self.down:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "any")

    def start(self, order_id: str, workflow_input: dict[str, Any]) -> str:
        self._answer()
        self.started[order_id] = workflow_input
        return "started"

    def call_back(self, token: str, output: dict[str, Any]) -> None:
        self._answer()
        self.callbacks.append((token, output))

    def stop(self, order_id: str, error: str, cause: str) -> bool:
        self._answer()
        self.stopped.append(order_id)
        return True


class Api:
    """The API as a client sees it."""

    def __init__(self, module: Any, workflow: FakeWorkflow) -> None:
        self.module, self.workflow = module, workflow
        self.table = boto3.resource("dynamodb").Table("OrdersTable")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        raw: str | None = None,
    ) -> tuple[int, dict[str, Any]]:
        text = raw if raw is not None else (None if body is None else json.dumps(body))
        event = {
            "resource": "/{proxy+}",
            "path": path,
            "httpMethod": method,
            "headers": {"Content-Type": "application/json"} | (headers or {}),
            "multiValueHeaders": {},
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()},
            "pathParameters": {"proxy": path[1:]},
            "requestContext": {"requestId": "r-1", "stage": "v1", "path": f"/v1{path}"},
            "body": text,
            "isBase64Encoded": False,
        }
        answer = self.module.handler(event, Context())
        if answer["statusCode"] >= 400:
            types = answer.get("multiValueHeaders", {}).get("Content-Type") or [answer["headers"]["Content-Type"]]
            assert types == ["application/problem+json"], answer
        return answer["statusCode"], json.loads(answer["body"])

    def place(self, key: str = "key-1", **changes: Any) -> tuple[int, dict[str, Any]]:
        return self.call("POST", "/orders", an_order() | changes, {"Idempotency-Key": key})

    def put(self, order_id: str, status: str) -> None:
        """Do to the row what the workflow does when it waits."""
        self.table.update_item(
            Key={"order_id": order_id},
            UpdateExpression="SET #s = :s, task_token = :t, timeline.#s2 = :now",
            ExpressionAttributeNames={"#s": "status", "#s2": status},
            ExpressionAttributeValues={":s": status, ":t": f"token-{status}", ":now": "2026-05-04T18:31:00.000Z"},
        )

    def rows(self) -> list[dict[str, Any]]:
        return self.table.scan()["Items"]


class Context:
    function_name = "orders"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:orders"
    aws_request_id = "r-1"


def an_order() -> dict[str, Any]:
    return {
        "customer_id": "cust-1",
        "restaurant_id": "bella",
        "lines": [{"dish_id": "margherita", "quantity": 2}],
        "payment_method": "pm_card_visa",
        "delivery": {"name": "Ada", "address": "1 Analytical Row"},
    }


@contextmanager
def orders_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API, with its tables made of the template."""
    with mock_aws():
        for name, table in {
            "ORDERS_TABLE": "OrdersTable",
            "MENUS_TABLE": "MenusTable",
            "PROMO_CODES_TABLE": "PromoCodesTable",
        }.items():
            create_table("orders", table)
            monkeypatch.setenv(name, table)
        monkeypatch.setenv("ORDER_WORKFLOW_ARN", "arn:aws:states:eu-central-1:123456789012:stateMachine:order")
        tables = boto3.resource("dynamodb")
        tables.Table("MenusTable").put_item(Item=MENU_ITEM)
        module = importlib.import_module("orders.api")
        workflow = FakeWorkflow()
        for name, adapter in {
            "store": OrderStore(tables.Table("OrdersTable"), pause=lambda _: None),
            "menus": MenuStore(tables.Table("MenusTable")),
            "promo_codes": PromoCodeStore(tables.Table("PromoCodesTable")),
            "workflow": workflow,
        }.items():
            monkeypatch.setattr(module, name, lambda adapter=adapter: adapter)
        try:
            yield Api(module, workflow)
        finally:
            # As Lambda's next invocation would: the order of this world is nobody's business outside.
            logger.clear_state()
