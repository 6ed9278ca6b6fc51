"""A menu is a file: it takes effect whole, or gets a report, and orders know by which they were priced."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from laptop.client import Client, Refused
from laptop.pace import patience
from operations.deployed import Deployed
from operations.visiting import Visit
from orders.menu_bucket import report_key
from worlds.menus import a_file, a_menu, dishes
from worlds.polling import eventually

Put = Callable[..., str]


@pytest.fixture
def restaurant() -> str:
    return f"r-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def put(visit: Visit, restaurant: str) -> Put:
    """Put a menu of the restaurant's into the bucket, and wait until it has taken effect; its version."""

    def put(**changes: Any) -> str:
        return visit.serve(a_menu(**changes), restaurant).version

    return put


def shown(deployed: Deployed, restaurant: str) -> tuple[str, set[int], int]:
    """The version that a customer is shown, the prices on it, and how many dishes."""
    menu = httpx.get(f"{deployed.outputs['ApiUrl']}/restaurants/{restaurant}/menu", timeout=patience(30)).json()
    return menu["version"], {dish["price"] for dish in menu["dishes"]}, len(menu["dishes"])


def test_a_bad_file_changes_nothing_and_gets_a_report(deployed: Deployed, restaurant: str, put: Put) -> None:
    version = put()
    s3, bucket, key = deployed.client("s3"), deployed.outputs["MenusBucketName"], f"{restaurant}.json"
    bad = a_file(a_menu(955, restaurant_id=restaurant, currency="KWD"))
    put_there = s3.put_object(Bucket=bucket, Key=key, Body=bad)["VersionId"]
    report = report_key(key, put_there)
    eventually(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=report).get("KeyCount"), what="the report")
    said = json.loads(s3.get_object(Bucket=bucket, Key=report)["Body"].read())
    assert said["faults"] == [
        {"line": 14, "pointer": "/dishes/0/price", "reason": "cards are charged in steps of KWD 0.010"}
    ]
    assert shown(deployed, restaurant) == (version, {950}, 1)


def test_a_menu_that_changed_since_is_told_and_the_order_is_placed_by_the_new_one(
    deployed: Deployed, client: Client, customer: str, restaurant: str, put: Put
) -> None:
    seen = put(dishes=dishes(1, 900))
    now = put(dishes=dishes(1, 1000))
    order: dict[str, Any] = {
        "customer": customer,
        "restaurant_id": restaurant,
        "lines": {"dish-0": 2},
        "key": uuid.uuid4().hex,
    }
    with pytest.raises(Refused) as refused:
        client.place(**order, menu_version=seen)
    assert (refused.value.status, refused.value.problem["menu_version"]) == (409, now)
    assert refused.value.problem["type"].endswith("/menu-changed")
    assert client.orders(customer) == []
    placed = client.place(**order, menu_version=now)
    assert (placed["menu_version"], placed["subtotal"]["amount"]) == (now, 2000)
    put(dishes=dishes(1, 1100))
    assert client.place(**order, menu_version=now)["order_id"] == placed["order_id"]


def test_an_earlier_version_that_is_copied_back_is_in_effect_again(
    deployed: Deployed, restaurant: str, put: Put
) -> None:
    old = put()
    s3, bucket, key = deployed.client("s3"), deployed.outputs["MenusBucketName"], f"{restaurant}.json"
    first = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
    assert put(dishes=dishes(3, 1200)) != old
    s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key, "VersionId": first})
    eventually(lambda: shown(deployed, restaurant) == (old, {950}, 1), what="the old menu")
