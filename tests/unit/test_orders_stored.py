"""What is stored is read by a row's own rules; one bad row hides no other, and nothing of it is in a log or a trace."""

import ast
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from orders.model import Order
from tiffin import clients
from tiffin.models import BaseModel, faults
from worlds.orders import MENU_ITEM, PROBLEM, Api, orders_world

ROOT = Path(__file__).resolve().parents[2]
# Rules that a request is held to today, or once was, and that a row may not fit.
OUTDATED: dict[str, Any] = {
    "total": {"amount": 999_999_999_999, "currency": "EURO"},
    "subtotal": {"amount": 1, "currency": "eur", "added_later": True},
    "payment": {"status": "PARTIALLY_REFUNDED", "network": "visa"},
    "payment_method": "card:visa",
    "restaurant_id": "Bella Napoli",
    "promo_code": "summer sale",
    "delivery": {"name": "A\x07da", "address": "1 Analytical Row" * 100},
    "note": "x" * 5_000 + "\u202e",
    "lines": [
        {
            "dish_id": "Pizza Margherita!",
            "name": "",
            "quantity": 1_000,
            "unit_price": {"amount": 0, "currency": "???"},
            "price": {"amount": 0, "currency": "???"},
        }
    ],
    "claims": {},
    "timeline": {"PLACED": "2026-05-04T18:30:00.000Z", "PONDERED": "2026-05-04T18:31:00.000Z"},
    "added_later": {"by": "another version"},
}
# What an order can do without.
SENSELESS: dict[str, Any] = {
    "delivery": {"name": "Ada Lovelace"},
    "payment": "paid",
    "reason": {"code": "other"},
    "note": 7,
    "promo_code": ["X"],
}
# What it cannot.
ESSENTIAL: dict[str, Any] = {
    "status": "LOST",
    "total": {"amount": "a lot", "currency": "EUR"},
    "deadline_at": "soon",
    "placed_at": "yesterday",
    "customer_id": ...,
    "lines": "two pizzas",
    "timeline": "long",
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as ready:
        yield ready


def spoil(api: Api, order_id: str, field: str, value: Any) -> None:
    """Let a field of a row be what it is not today; `…` takes it away."""
    api.table.update_item(
        Key={"order_id": order_id},
        ExpressionAttributeNames={"#f": field},
        **(
            {"UpdateExpression": "REMOVE #f"}
            if value is ...
            else {"UpdateExpression": "SET #f = :v", "ExpressionAttributeValues": {":v": value}}
        ),
    )


def listed(api: Api) -> dict[str, Any]:
    status, page = api.call("GET", "/orders", query={"customer_id": "cust-1"})
    assert status == 200
    return page


class TestRows:
    @pytest.mark.parametrize("field", OUTDATED)
    def test_a_row_of_other_rules_is_read_listed_and_moved(self, api: Api, field: str) -> None:
        _, order = api.place()
        api.put(order["order_id"], "AWAITING_RESTAURANT")
        spoil(api, order["order_id"], field, OUTDATED[field])
        status, read = api.call("GET", f"/orders/{order['order_id']}")
        assert status == 200
        if field in {"payment", "total", "delivery", "note", "promo_code", "lines"}:
            assert read[field] == OUTDATED[field]
        assert [one["order_id"] for one in listed(api)["orders"]] == [order["order_id"]]
        # Whose name is none, nobody can sign in for; its customer can.
        move = "cancel" if field == "restaurant_id" else "accept"
        assert api.call("POST", f"/orders/{order['order_id']}/{move}")[0] == 202
        assert api.workflow.callbacks or api.workflow.stopped

    @pytest.mark.parametrize("field", [*SENSELESS, "updated_at"])
    @pytest.mark.parametrize("missing", [False, True])
    def test_a_row_without_what_is_not_essential_is_read_without_it(self, api: Api, field: str, missing: bool) -> None:
        _, order = api.place()
        spoil(api, order["order_id"], field, ... if missing else SENSELESS.get(field, ...))
        status, read = api.call("GET", f"/orders/{order['order_id']}")
        assert (status, read["status"]) == (200, "PLACED")
        assert api.call("POST", f"/orders/{order['order_id']}/cancel")[0] == 202

    @pytest.mark.parametrize(
        ("field", "value"), [*ESSENTIAL.items(), *((field, ...) for field in ESSENTIAL if field != "timeline")]
    )
    def test_a_row_without_what_is_essential_has_a_clear_answer_and_changes_in_nothing(
        self, api: Api, field: str, value: Any
    ) -> None:
        _, order = api.place()
        _, other = api.place("another")
        spoil(api, order["order_id"], field, value)
        before = api.rows()
        for method, path in (("GET", ""), ("POST", "/accept"), ("POST", "/cancel")):
            status, problem = api.call(method, f"/orders/{order['order_id']}{path}")
            if field == "customer_id" and path != "/accept":  # it is nobody's now
                assert (status, problem["type"]) == (404, PROBLEM + "unknown-order")
                continue
            assert (status, problem["type"]) == (500, PROBLEM + "unreadable-record")
            assert (problem["kind"], problem["id"]) == ("order", order["order_id"])
        assert api.place()[0] == 500
        assert api.rows() == before
        # A row that has lost its place in the index is in no list; of every other one it counts what the list answers.
        page = listed(api)
        fits = {order["order_id"]} if field in {"lines", "timeline"} else set()
        assert {one["order_id"] for one in page["orders"]} == {other["order_id"], *fits}
        lost = field in {"customer_id", "placed_at"} and value is ...
        assert page["unreadable"] == (0 if lost or fits else 1)

    def test_a_row_without_a_fingerprint_is_no_repetition(self, api: Api) -> None:
        _, order = api.place()
        spoil(api, order["order_id"], "request_fingerprint", ...)
        status, problem = api.place()
        assert (status, problem["type"]) == (409, PROBLEM + "idempotency-key-reused")

    @pytest.mark.parametrize("dishes", [[{"dish_id": "x"}], "none", [{"dish_id": "x", "name": "X", "price": -1}]])
    def test_a_menu_that_cannot_be_read_has_a_clear_answer_and_hides_no_other(self, api: Api, dishes: Any) -> None:
        clients.table("MenusTable").put_item(Item=MENU_ITEM | {"restaurant_id": "broken", "dishes": dishes})
        clients.table("MenusTable").put_item(Item={"restaurant_id": "empty"})
        for answer in (api.call("GET", "/restaurants/broken/menu"), api.place(restaurant_id="broken")):
            assert (answer[0], answer[1]["type"]) == (500, PROBLEM + "unreadable-record")
            assert (answer[1]["kind"], answer[1]["id"]) == ("restaurant", "broken")
        assert api.rows() == []
        _, page = api.call("GET", "/restaurants")
        assert [one["restaurant_id"] for one in page["restaurants"]] == ["bella", "broken"]

    @pytest.mark.parametrize(
        "item",
        [
            {
                "discount": "much",
                "minimum_order": {"amount": 0, "currency": "EUR"},
                "valid_until": "2099-01-01T00:00:00Z",
            },
            {"discount": '{"type": "love"}', "minimum_order": 5, "valid_until": "2099-01-01T00:00:00Z"},
            {},
        ],
    )
    def test_a_promo_code_that_cannot_be_read_has_a_clear_answer(self, api: Api, item: dict[str, Any]) -> None:
        key = {"customer_id": "cust-1", "code": "WELCOME-12345678"}
        clients.table("PromoCodesTable").put_item(Item=key | item)
        status, problem = api.place(promo_code="WELCOME-12345678")
        assert (status, problem["type"], problem["id"]) == (500, PROBLEM + "unreadable-record", key["code"])
        assert api.rows() == []


MODULES = sorted((ROOT / "services").glob("*/*/*.py")) + sorted((ROOT / "services").glob("*/*/*/*.py"))


class TestErrors:
    @pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
    def test_every_model_hides_what_it_was_given(self, path: Path) -> None:
        if path.name == "models.py":
            return
        names = [
            alias.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module == "pydantic"
            for alias in node.names
        ]
        assert not {"BaseModel", "RootModel", "create_model"} & set(names)

    def test_an_error_says_where_and_why_and_not_what(self) -> None:
        class Address(BaseModel):
            street: int

        class Person(BaseModel):
            address: Address

        with pytest.raises(pydantic.ValidationError) as refused:
            Person.model_validate({"address": {"street": "1 Analytical Row"}})
        assert "Analytical" not in str(refused.value)
        assert faults(refused.value).startswith("address.street: ")

    def test_an_order_says_nothing_of_its_customer(self, api: Api) -> None:
        _, order = api.place()
        with pytest.raises(pydantic.ValidationError) as refused:
            Order.model_validate(order | {"status": "LOST", "delivery": {"name": "Ada Lovelace", "address": 1}})
        assert "Lovelace" not in str(refused.value)

    @pytest.mark.parametrize("service", ["orders", "payments", "promotions"])
    def test_a_discount_says_nothing_of_what_it_was_read_from(self, service: str) -> None:
        if service == "payments":
            commands = importlib.import_module("payments.commands")
            with pytest.raises(Exception, match="order_id") as failed:
                commands.parse({"operation": "capture", "order_id": "ada@example.com"})
            assert "ada@example.com" not in str(failed.value)
            return
        module = importlib.import_module(f"{service}.{'promo_codes' if service == 'orders' else 'store'}")
        with pytest.raises(pydantic.ValidationError) as refused:
            module._discount.validate_json('{"type": "fixed", "amount": "ada@example.com"}')
        assert "ada@example.com" not in str(refused.value)


# In a process of its own, with tracing on as in Lambda: modules make their tracer when they are imported.
TRACED = """
import json, os, sys
from types import SimpleNamespace
import pytest
from worlds.aws import aws_in_process
aws_in_process()
from tiffin.telemetry import XRAY
segments = []
XRAY._send = lambda subsegment: segments.append(subsegment.document().decode())
import test_orders_stored as t
from worlds.orders import orders_world
from worlds.runtime import context
from tiffin.stored import UnreadableRow
monkeypatch = pytest.MonkeyPatch()
with orders_world(monkeypatch) as api:
    for n, (field, value) in enumerate({**t.OUTDATED, **t.SENSELESS, **t.ESSENTIAL}.items()):
        delivery = {"name": "Ada Lovelace", "address": "1 Analytical Row"}
        _, order = api.place(f"key-{n}", delivery=delivery, note="ring at Babbage")
        api.put(order["order_id"], "AWAITING_RESTAURANT")
        t.spoil(api, order["order_id"], field, value)
        for method, path, query in (
            ("GET", f"/orders/{order['order_id']}", None),
            ("GET", "/orders", {"customer_id": "cust-1"}),
            ("POST", f"/orders/{order['order_id']}/accept", None),
        ):
            api.call(method, path, query=query)
    # What no handler foresaw: raised as it is, out of the function, for Lambda, the log and the trace to write down.
    def unforeseen(*_):
        from orders.model import Order
        Order.model_validate(api.rows()[0] | {"total": "nothing"})
    from tiffin import consumer as c
    consumer = c.Consumer()
    class Read(c.BaseModel):
        pass
    consumer.on("OrderDelivered", reads=Read)(unforeseen)
    from contracts.schemas import example
    record = {"messageId": "m", "body": json.dumps(example("OrderDelivered")), "eventSource": "aws:sqs"}
    from aws_lambda_powertools import Tracer
    from tiffin.telemetry import logger, tracer
    answer = consumer({"Records": [record]}, SimpleNamespace())
    assert answer["batchItemFailures"], answer
    @logger.inject_lambda_context
    @tracer.capture_lambda_handler(capture_response=False)
    def handler(event, context):
        unforeseen()
    try:
        handler({}, context())
    except Exception as error:
        logger.exception("Failed")
        print(error)
print("SEGMENTS", len(segments))
print("\\n".join(segments))
"""


def test_nothing_of_a_customer_is_in_log_or_trace_whatever_cannot_be_read() -> None:
    folders = ["services/shared", "services/orders", "services/payments", "scripts", "tests", "tests/unit"]
    ran = subprocess.run(
        [sys.executable, "-c", TRACED],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in folders),
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "POWERTOOLS_SERVICE_NAME": "orders",
            "POWERTOOLS_METRICS_NAMESPACE": "Tiffin/test",
            "LAMBDA_TASK_ROOT": "/var/task",
            "_X_AMZN_TRACE_ID": "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5;Parent=6b221d5bc9e6496c;Sampled=1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    written = ran.stdout + ran.stderr
    segments = [json.loads(line) for line in ran.stdout.split("SEGMENTS")[1].splitlines()[1:]]
    assert len(segments) > 40
    assert "ValidationError" in json.dumps(segments)
    assert "cannot be read" in ran.stdout
    for personal in ("Lovelace", "Analytical", "Babbage"):
        assert personal not in written
