"""One order's events are replayed from its beginning on, though the archive goes by another clock than the order."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from operations.deployed import Deployed
from operations.replaying import Replayer
from tiffin.events import rfc3339
from worlds.templates import create_table


def test_the_first_event_is_in_the_span_though_the_apis_clock_was_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    placed = datetime.now(UTC) - timedelta(hours=1)
    announced = placed - timedelta(seconds=20)  # by EventBridge's clock
    spans: list[tuple[datetime, datetime]] = []
    monkeypatch.setattr(Replayer, "_pattern", lambda *_: {})
    monkeypatch.setattr(Replayer, "_net", contextmanager(lambda *_: iter([("rule", "queue")])))
    monkeypatch.setattr(Replayer, "_move", lambda *_: 0)
    monkeypatch.setattr(Replayer, "_replay", lambda self, rules, since, until, name: spans.append((since, until)))
    with mock_aws():
        create_table("orders", "OrdersTable")
        item: dict[str, Any] = {"order_id": "ord_1", "placed_at": rfc3339(placed)}
        boto3.resource("dynamodb").Table("OrdersTable").put_item(Item=item)
        names = ("EventBusName", "PromotionsRuleArn", "PromotionsQueueUrl", "OrdersTableName")
        stack = SimpleNamespace(client=boto3.client, outputs=dict.fromkeys(names, "OrdersTable"))
        Replayer(cast(Deployed, stack)).order("promotions", "ord_1")
    [(since, until)] = spans
    assert since < announced < until
