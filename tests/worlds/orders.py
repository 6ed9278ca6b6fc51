"""The orders API over real tables, with a fake at the Step Functions port."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws
from orders.customers import CustomerStore
from orders.deliveries import DeliveryStore
from orders.limits import Limits
from orders.menus import MenuStore
from orders.promo_codes import PromoCodeStore
from orders.store import OrderStore
from tiffin.telemetry import logger

from worlds.described import described
from worlds.gateway import CUSTOMER, RESTAURANT, claims_of, signed_in, whose
from worlds.runtime import context
from worlds.templates import create_table
from worlds.workflows import FakeOrderWorkflow

MENU_ITEM: dict[str, Any] = {
    "restaurant_id": RESTAURANT,
    "name": "Bella",
    "cuisine": "italian",
    "currency": "EUR",
    "delivery_fee": 250,
    "dishes": [{"dish_id": "margherita", "name": "Pizza Margherita", "price": 950}],
    "listed": "restaurant",
}
# More than any test asks for that is about something else.
ENOUGH = Limits(open_orders=1000, orders=1000, declines=1000, refused_codes=1000)
PROBLEM = "https://tiffin.example/problems/"


class Api:
    """The API as a client sees it."""

    def __init__(self, module: Any, workflow: FakeOrderWorkflow, table: Any) -> None:
        self.module, self.workflow, self.table = module, workflow, table
        self._customers = dict[str, str]()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        raw: str | None = None,
        claims: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """A request; by default of the person whose it is to send it."""
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
            "requestContext": {"requestId": "r-1", "stage": "v1", "path": f"/v1{path}"}
            | signed_in(self._whose(path) if claims is None else claims),
            "body": text,
            "isBase64Encoded": False,
        }
        answer = self.module.handler(event, context("orders"))
        (content_type,) = answer.get("multiValueHeaders", {}).get("Content-Type") or [answer["headers"]["Content-Type"]]
        # What the tests see is what the API's own document says.
        described(self.module.handler).must_know(method, path, answer["statusCode"], content_type, answer["body"])
        return answer["statusCode"], json.loads(answer["body"])

    def place(self, key: str = "key-1", *, customer_id: str = CUSTOMER, **changes: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key}
        status, answer = self.call("POST", "/orders", an_order() | changes, headers, claims=claims_of(customer_id))
        if "order_id" in answer:
            self._customers[answer["order_id"]] = customer_id
        return status, answer

    def _whose(self, path: str) -> dict[str, str]:
        _, _, order_id, *_ = f"{path}//".split("/")
        return whose(path, self._customers.get(order_id, CUSTOMER))

    def put(self, order_id: str, status: str) -> None:
        """Do to the row what the workflow does when it waits."""
        self.table.update_item(
            Key={"order_id": order_id},
            UpdateExpression="SET #s = :s, task_token = :t, timeline.#s2 = :now",
            ExpressionAttributeNames={"#s": "status", "#s2": status},
            ExpressionAttributeValues={":s": status, ":t": f"token-{status}", ":now": "2026-05-04T18:31:00.000Z"},
        )

    def rows(self) -> list[dict[str, Any]]:
        return list(self.table.scan()["Items"])


def an_order() -> dict[str, Any]:
    return {
        "restaurant_id": RESTAURANT,
        "lines": [{"dish_id": "margherita", "quantity": 2}],
        "payment_method": "pm_card_visa",
        "delivery": {"name": "Ada", "address": "1 Analytical Row"},
    }


@contextmanager
def orders_world(monkeypatch: pytest.MonkeyPatch, limits: Limits = ENOUGH) -> Iterator[Api]:
    """The API, with its tables made of the template."""
    with mock_aws():
        orders, menus, codes, deliveries, customers = (
            create_table("orders", name)
            for name in ("OrdersTable", "MenusTable", "PromoCodesTable", "DeliveriesTable", "CustomersTable")
        )
        for name, table in {"ORDERS_TABLE": orders, "MENUS_TABLE": menus, "PROMO_CODES_TABLE": codes}.items():
            monkeypatch.setenv(name, table.name)
        monkeypatch.setenv("ORDER_INDEXES", "4")
        monkeypatch.setenv("ORDER_WORKFLOW_ARN", "arn:aws:states:eu-central-1:123456789012:stateMachine:order")
        menus.put_item(Item=MENU_ITEM)
        module = importlib.import_module("orders.api")
        workflow = FakeOrderWorkflow()
        of_deliveries = DeliveryStore(deliveries, timedelta(days=30))
        for name, adapter in {
            "store": OrderStore(orders, of_deliveries.row, pause=lambda _: None),
            "menus": MenuStore(menus),
            "promo_codes": PromoCodeStore(codes),
            "deliveries": of_deliveries,
            "customers": CustomerStore(customers, limits),
            "workflow": workflow,
        }.items():
            monkeypatch.setattr(module, name, lambda adapter=adapter: adapter)
        try:
            yield Api(module, workflow, orders)
        finally:
            # As Lambda's next invocation would: the order of this world is nobody's business outside.
            logger.clear_state()
