"""The sample invocations do what their names say, against the real handlers and the real menus."""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from contracts.schemas import EVENTS, example, validate
from laptop import menus
from moto import mock_aws
from orders.menus import MenuStore
from orders.model import order_id_for
from tiffin import clients, outbox
from worlds.orders import orders_world
from worlds.runtime import ENVIRONMENT, context
from worlds.templates import functions, resources

INVOCATIONS = EVENTS / "invocations"
Invoke = Callable[[str], dict[str, Any]]


def sample(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((INVOCATIONS / f"{name}.json").read_text("utf-8"))
    return document


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    unwind = "arn:aws:states:eu-central-1:123456789012:stateMachine:unwind"
    for name, value in (ENVIRONMENT | {"UNWIND_WORKFLOW_ARN": unwind}).items():
        monkeypatch.setenv(name, value)
    with orders_world(monkeypatch) as api:
        bucket = a_bucket_of_menus(monkeypatch)
        for number, menu in enumerate(menus.read()):
            MenuStore(clients.table("MenusTable")).replace(menu, f"{number:064x}", "v")
        reconciler = importlib.import_module("orders.reconciler")
        monkeypatch.setattr(reconciler, "store", api.module.store)
        menu_files = importlib.import_module("orders.menu_files")
        menu_files.intake.cache_clear()
        handlers = {
            "OrdersApiFunction": api.module.handler,
            "OrdersReconcilerFunction": reconciler.handler,
            "OrdersMenusFunction": menu_files.handler,
        }

        def call(name: str) -> dict[str, Any]:
            event = sample(name)
            if name == "OrdersMenusFunction-taken":
                # The one thing that no sample can know: which version the bucket gave the file.
                event["detail"]["object"]["version-id"] = bucket
            answer: dict[str, Any] = handlers[name.split("-")[0]](event, context())
            return answer

        yield call
        menu_files.intake.cache_clear()


def a_bucket_of_menus(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a menu into the bucket; its version there."""
    monkeypatch.setenv("MENUS_BUCKET", "menus")
    s3 = boto3.client("s3", region_name="eu-central-1")
    s3.create_bucket(Bucket="menus", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket="menus", VersioningConfiguration={"Status": "Enabled"})
    file = menus.MENUS / "r-bella-napoli.json"
    return s3.put_object(Bucket="menus", Key=file.name, Body=file.read_bytes())["VersionId"]


def orders_samples() -> list[str]:
    return sorted(path.stem for path in INVOCATIONS.glob("OrdersApiFunction-*.json"))


@pytest.mark.parametrize("name", orders_samples())
def test_a_sample_is_routed_by_the_template(name: str) -> None:
    event = sample(name)
    routes = {
        (route["Properties"]["Method"].upper(), route["Properties"]["Path"])
        for route in resources("orders")["ApiFunction"]["Properties"]["Events"].values()
        if route["Type"] == "Api"
    }
    assert (event["httpMethod"], event["resource"]) in routes
    assert event["path"] == event["resource"].format(**event["pathParameters"] or {})
    assert event["requestContext"]["resourcePath"] == event["resource"]
    assert {name: [value] for name, value in event["headers"].items()} == event["multiValueHeaders"]


def test_every_route_has_a_sample() -> None:
    routes = resources("orders")["ApiFunction"]["Properties"]["Events"].values()
    wanted = {(route["Properties"]["Method"].upper(), route["Properties"]["Path"]) for route in routes}
    assert {(sample(name)["httpMethod"], sample(name)["resource"]) for name in orders_samples()} == wanted


def test_the_samples_tell_one_story(invoke: Invoke) -> None:
    answers = [
        ("list-restaurants", 200),
        ("get-menu", 200),
        ("openapi", 200),
        ("get-order", 404),
        ("quote", 200),
        ("place-order", 201),
        ("place-order", 200),  # the same key and body: the same order
        ("place-order-declined", 201),  # it is the card that declines, later
        ("place-order-with-price", 422),
        ("place-order-from-an-old-menu", 409),
        ("get-order", 200),
        ("list-orders", 200),
        ("list-kitchen-orders", 200),
        ("list-courier-orders", 200),
        ("list-support-orders", 200),
        ("list-support-orders-of-a-customer", 200),
        # The workflow does nothing here, so nobody is waited for yet; but a customer may always change their mind.
        ("accept", 409),
        ("reject", 409),
        ("dispatch", 404),  # to a courier there is no such order yet
        ("deliver", 404),
        ("cancel", 202),
    ]
    assert {f"OrdersApiFunction-{name}" for name, _ in answers} == set(orders_samples())
    got = [(name, invoke(f"OrdersApiFunction-{name}")["statusCode"]) for name, _ in answers]
    assert got == answers


def test_the_samples_agree_on_the_order(invoke: Invoke) -> None:
    placed = json.loads(invoke("OrdersApiFunction-place-order")["body"])
    request = sample("OrdersApiFunction-place-order")
    subject = request["requestContext"]["authorizer"]["claims"]["sub"]
    assert placed["order_id"] == order_id_for(subject, request["headers"]["Idempotency-Key"])
    assert placed["total"] == {"amount": 2390, "currency": "EUR"}
    delivered = json.loads((EVENTS / "examples" / "OrderDelivered.json").read_text("utf-8"))
    assert delivered["detail"]["metadata"]["order_id"] == placed["order_id"]
    assert delivered["detail"]["data"]["total"] == placed["total"]


def test_a_menu_that_was_put_there_is_taken(invoke: Invoke) -> None:
    invoke("OrdersMenusFunction-taken")
    row: Any = clients.table("MenusTable").get_item(Key={"restaurant_id": "r-bella-napoli"})["Item"]
    event = sample("OrdersMenusFunction-taken")
    assert row["file_order"] == event["detail"]["object"]["sequencer"].ljust(64, "0")
    size = (menus.MENUS / event["detail"]["object"]["key"]).stat().st_size
    assert event["detail"]["object"]["size"] == size


def test_a_file_that_is_no_menu_gets_a_report(invoke: Invoke) -> None:
    invoke("OrdersMenusFunction-refused")
    [report] = boto3.client("s3", region_name="eu-central-1").list_objects_v2(Bucket="menus", Prefix="reports/")[
        "Contents"
    ]
    seen = sample("OrdersMenusFunction-refused")["detail"]["object"]
    assert report["Key"] == f"reports/{seen['key']}/{seen['version-id']}.json"


def test_the_reconciler_is_idle_on_an_empty_table(invoke: Invoke) -> None:
    assert invoke("OrdersReconcilerFunction-each-minute") == {}


def test_every_function_has_a_sample_and_every_sample_a_function() -> None:
    owners = {(application.removesuffix("Service"), name) for application, name in functions()}
    names = {name if name.startswith(application) else application + name for application, name in owners}
    assert {path.stem.split("-")[0] for path in INVOCATIONS.glob("*.json")} == names


@pytest.mark.parametrize("path", sorted(INVOCATIONS.glob("*OutboxRelayFunction-*.json")), ids=lambda path: path.stem)
def test_a_relays_sample_is_announced_as_its_contract_says(path: Path) -> None:
    records = json.loads(path.read_text("utf-8"))["Records"]
    with mock_aws():
        bus = boto3.client("events", "eu-central-1")
        announced: list[dict[str, Any]] = []
        bus.meta.events.register(
            "provide-client-params.events.PutEvents", lambda params, **_: announced.extend(params["Entries"])
        )
        assert outbox.relay(bus, "default", records) is None
    assert len(announced) == len(records)
    for entry in announced:
        event = example(entry["DetailType"])
        validate(event | {"source": entry["Source"], "detail": json.loads(entry["Detail"])})


def test_samples_are_free_of_real_addresses_and_accounts() -> None:
    for path in INVOCATIONS.glob("*.json"):
        text = path.read_text("utf-8")
        assert "@" not in text, path.name
        assert "123456789012" in text or "accountId" not in text, path.name
