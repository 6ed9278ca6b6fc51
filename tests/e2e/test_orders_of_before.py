"""Orders that were placed before anybody signed in end well after it: this tree, deployed over the last one without."""

import io
import json
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from contracts import schemas
from laptop import BusTap, Stack, menus
from laptop.client import Client, Refused
from laptop.environment import ROOT, trusted
from laptop.pace import patience
from laptop.people import RESTAURANT
from operations.deployed import Deployed
from operations.personal import METHOD, Personal
from payments.sandbox import Balance
from worlds.polling import eventually
from worlds.stack import balance, execution_arn, let_time_pass, row, sweep
from worlds.written import found, tables

pytestmark = pytest.mark.laptop("own")

BEFORE = "6c1b461"
"""The last commit whose APIs ask nobody who they are: the customer says who it is, and nobody else is asked."""
CUSTOMER = "cust-of-before"
STEPS = ("1", "2", "3", "4")
"""Values of `OrderIndexes`: docs/deploying.md, "Indexes, one by one"."""
GIVEN_BACK = Balance(held=2150, captured=0, voided=2150)


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of that commit."""
    try:
        archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"the history of this tree does not reach back to {BEFORE}: {problem}")
    tree = tmp_path_factory.mktemp("former")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(tree, filter="data")
    return tree


class Before:
    """The orders API as it was."""

    def __init__(self, stack: Stack, http: httpx.Client) -> None:
        self._orders, self._http = f"{stack.outputs['ApiUrl']}/orders", http

    def place(self, customer: str) -> str:
        body = {
            "customer_id": customer,
            "restaurant_id": RESTAURANT,
            "lines": [{"dish_id": "margherita", "quantity": 2}],
            "payment_method": "pm_card_visa",
            "delivery": {"name": "Ada Lovelace", "address": "12 St James's Square"},
            "note": "ring twice",
        }
        answer = self._http.post(self._orders, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["order_id"])

    def bring(self, order_id: str, *moves: str) -> None:
        """Wait until each move can be made, make it, and wait until the workflow waits for the next."""
        self._until(order_id, "AWAITING_RESTAURANT")
        for move in moves:
            answer = self._http.post(f"{self._orders}/{order_id}/{move}")
            assert answer.status_code == 202, answer.text
            self._until(order_id, {"accept": "PREPARING", "dispatch": "OUT_FOR_DELIVERY"}[move])

    def _until(self, order_id: str, status: str) -> None:
        def there() -> bool:
            answer = self._http.get(f"{self._orders}/{order_id}")
            return bool(answer.json()["status"] == status)

        eventually(there, what=f"{order_id} being {status}")


@pytest.fixture(scope="module")
def orders() -> dict[str, str]:
    """Order ids by what shall become of them; filled by `updated`."""
    return {}


@pytest.fixture(scope="module")
def updated(former: Path, orders: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The former tree's stack with orders open in each state, and this tree deployed over it in its four steps."""
    state_dir = tmp_path_factory.mktemp("before")
    with (
        Stack.up(template=former / "template.yaml", state_dir=state_dir) as stack,
        httpx.Client(verify=trusted(), timeout=patience(30)) as http,
    ):
        menus.seed(stack, former / "menus")
        api = Before(stack, http)
        for name, moves in {
            "waits for the restaurant": (),
            "is prepared": ("accept",),
            "is on the road": ("accept", "dispatch"),
            "will be rejected": (),
            "dies": ("accept",),
            "is past its time": (),
        }.items():
            orders[name] = api.place(CUSTOMER)
            api.bring(orders[name], *moves)
        held = {name: row(stack, order_id) for name, order_id in orders.items()}
        changes = {step: stack.update(parameters={"OrderIndexes": step}) for step in STEPS}
        assert {"Identity/UserPool: new", "Notifications/ContactsTable: removed"} <= set(changes["1"])
        assert changes["4"] == ["parameter OrderIndexes: 4 (was 3)"]
        assert {name: row(stack, order_id) for name, order_id in orders.items()} == held
        yield stack


@pytest.fixture(scope="module")
def heard(updated: Stack) -> BusTap:
    """All that comes over the bus once this tree is deployed."""
    return updated.tap()


@pytest.fixture
def staff(updated: Stack) -> Iterator[Client]:
    """The restaurant, the courier and support, by their tokens."""
    with closing(Client(updated.outputs, updated.people)) as calls:
        yield calls


def test_orders_of_before_are_in_each_list(staff: Client, orders: dict[str, str]) -> None:
    """Made by attributes that they have; to be run before the orders end."""
    at_the_restaurant = {orders["waits for the restaurant"], orders["will be rejected"], orders["is past its time"]}
    assert at_the_restaurant <= {order["order_id"] for order in staff.work("kitchen")}
    assert {orders["is prepared"], orders["dies"]} == {order["order_id"] for order in staff.work("courier")}
    on_the_road = staff.work("support", status="OUT_FOR_DELIVERY")
    assert [order["order_id"] for order in on_the_road] == [orders["is on the road"]]


def test_the_restaurant_sees_the_note_of_an_order_of_before_and_no_address(
    staff: Client, orders: dict[str, str]
) -> None:
    seen = staff.order(orders["waits for the restaurant"], by="bella")
    assert seen["note"] == "ring twice"
    assert "James" not in json.dumps(seen)


def test_a_stranger_sees_no_order_of_before(staff: Client, orders: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        staff.order(orders["is prepared"], by="ada")
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("waits for the restaurant", ("accept", "dispatch", "deliver")),
        ("is prepared", ("dispatch", "deliver")),
        ("is on the road", ("deliver",)),
    ],
)
def test_an_order_of_before_is_delivered(
    updated: Stack, heard: BusTap, staff: Client, orders: dict[str, str], name: str, moves: tuple[str, ...]
) -> None:
    order_id = orders[name]
    waits = {"accept": "AWAITING_RESTAURANT", "dispatch": "PREPARING", "deliver": "OUT_FOR_DELIVERY"}
    for move in moves:
        staff.until(order_id, waits[move])
        staff.move(order_id, move)
    delivered = staff.until(order_id, "DELIVERED")
    assert (delivered["payment"]["status"], delivered["customer_id"]) == ("CAPTURED", CUSTOMER)
    assert balance(updated, order_id) == Balance(held=2150, captured=2150, voided=0)
    for event in said(heard, order_id, "OrderDelivered", "PaymentCaptured"):
        schemas.validate(event)


def test_its_customer_earns_a_code(heard: BusTap, orders: dict[str, str]) -> None:
    """Once, by the first delivery; after the test above."""
    issued = heard.wait_for(lambda e: e["detail-type"] == "PromoCodeIssued")
    assert issued["detail"]["data"]["customer_id"] == CUSTOMER


def test_an_order_of_before_is_rejected(updated: Stack, heard: BusTap, staff: Client, orders: dict[str, str]) -> None:
    order_id = orders["will be rejected"]
    staff.move(order_id, "reject", {"reason": "out_of_stock"})
    staff.until(order_id, "REJECTED")
    said(heard, order_id, "OrderRejected", "PaymentReleased")
    assert balance(updated, order_id) == GIVEN_BACK


def test_an_order_of_before_whose_execution_dies_is_unwound(
    updated: Stack, heard: BusTap, staff: Client, orders: dict[str, str]
) -> None:
    order_id = orders["dies"]
    updated.client("stepfunctions").stop_execution(executionArn=execution_arn(updated, order_id))
    staff.until(order_id, "FAILED")
    said(heard, order_id, "OrderFailed", "PaymentReleased")
    assert balance(updated, order_id) == GIVEN_BACK


def test_an_order_of_before_that_is_past_its_time_is_given_up(
    updated: Stack, heard: BusTap, staff: Client, orders: dict[str, str]
) -> None:
    order_id = orders["is past its time"]
    let_time_pass(updated, order_id)
    sweep(updated)
    staff.until(order_id, "EXPIRED")
    said(heard, order_id, "OrderExpired", "PaymentReleased")
    assert balance(updated, order_id) == GIVEN_BACK


def test_a_customer_of_before_is_forgotten(updated: Stack, staff: Client, orders: dict[str, str]) -> None:
    """By the name that it gave itself; after all tests above, as an open order keeps it known."""
    for order_id in orders.values():
        staff.until(order_id, "DELIVERED", "REJECTED", "FAILED", "EXPIRED")
    before = found(tables(updated), "Lovelace", "ring twice")
    assert len(before) == len(orders)
    personal = Personal(Deployed(updated.client, updated.outputs))
    eventually(lambda: all("open_shard" not in row(updated, order_id) for order_id in orders.values()), what="closing")
    list(personal.forget(CUSTOMER))
    assert found(tables(updated), "Lovelace", "ring twice") == []
    assert staff.order(orders["is prepared"])["payment_method"] == METHOD


def said(heard: BusTap, order_id: str, *awaited: str) -> list[dict[str, Any]]:
    """What the bus carried of an order since this tree was deployed, once all that is awaited is among it."""
    events = {name: dict(heard.wait_for_event(name, order_id)) for name in awaited}
    return list(events.values())
