"""Menus as files, their bucket and their table, and the function that takes them in."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws
from orders.menu_rules import Fault, MenuRefused, judged
from orders.menus import MenuStore
from tiffin.telemetry import logger

from worlds.runtime import context
from worlds.templates import create_table

MENU: dict[str, Any] = {
    "restaurant_id": "r-bella",
    "name": "Bella",
    "cuisine": "Italian",
    "city": "Port Tiffin",
    "address": "Harbour Street 1",
    "currency": "EUR",
    "delivery_fee": 250,
    "dishes": [
        {
            "dish_id": "margherita",
            "name": "Pizza Margherita",
            "description": "Tomatoes, basil",
            "price": 950,
            "category": "Pizza",
            "vegetarian": True,
            "vegan": False,
            "allergens": ["gluten", "milk"],
        }
    ],
}
BUCKET = "menus"


def a_menu(price: int = 950, **changes: Any) -> dict[str, Any]:
    """A menu of one dish."""
    return MENU | {"dishes": [MENU["dishes"][0] | {"price": price}]} | changes


def dishes(count: int, price: int) -> list[dict[str, Any]]:
    """So many dishes at one price: a mixture of two menus would have two."""
    [dish] = a_menu(price)["dishes"]
    return [dish | {"dish_id": f"dish-{number}"} for number in range(count)]


def a_file(menu: Any) -> bytes:
    """A menu as a file, a member a line."""
    return json.dumps(menu, indent=2).encode()


def faults(content: bytes, restaurant_id: str = "r-bella") -> list[Fault]:
    """What is wrong with a file."""
    with pytest.raises(MenuRefused) as refused:
        judged(content, restaurant_id)
    return list(refused.value.faults)


class Kitchen:
    """A bucket with versions, a table, and the function between them: a test decides when it hears of a file."""

    def __init__(self, module: Any, table: Any) -> None:
        self.table = table
        self.s3: Any = boto3.client("s3", region_name="eu-central-1")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.menus = MenuStore(self.table)
        self._module, self._puts = module, 0

    def put(self, content: bytes, key: str = "r-bella.json", **said: Any) -> dict[str, Any]:
        """Put a file; the event that S3 sends of it, which nobody has heard yet."""
        version = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)["VersionId"]
        self._puts += 1
        return created(key, version, said.pop("size", len(content)), f"{0x617F08299329D189 + self._puts:016x}", **said)

    def hear(self, event: dict[str, Any]) -> None:
        """Let the function hear of a file."""
        self._module.handler(event, context("menus"))

    def row(self, restaurant_id: str = "r-bella") -> dict[str, Any] | None:
        item = self.table.get_item(Key={"restaurant_id": restaurant_id}).get("Item")
        return dict(item) if item else None

    def price(self) -> int | None:
        """What the one dish costs by the menu that is in effect."""
        row: Any = self.row()
        return int(row["dishes"][0]["price"]) if row else None

    def reports(self) -> dict[str, dict[str, Any]]:
        """Reports by their keys."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="reports/").get("Contents", [])
        return {
            one["Key"]: json.loads(self.s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()) for one in found
        }


def created(key: str, version: str, size: int, sequencer: str, **said: Any) -> dict[str, Any]:
    """What EventBridge hands on of an object (S3 user guide, "EventBridge event message structure")."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-11-26T12:00:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {
                "key": key,
                "size": size,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": version,
                "sequencer": sequencer,
                **said,
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    }


@contextmanager
def kitchen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kitchen]:
    """The world in which menus are taken in."""
    with mock_aws():
        monkeypatch.setenv("MENUS_TABLE", "MenusTable")
        monkeypatch.setenv("MENUS_BUCKET", BUCKET)
        module = importlib.import_module("orders.menu_files")
        module.intake.cache_clear()
        try:
            yield Kitchen(module, create_table("orders", "MenusTable"))
        finally:
            module.intake.cache_clear()
            logger.clear_state()
