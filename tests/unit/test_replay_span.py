"""One order's events are replayed from its beginning on, though the archive goes by another clock than the order."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from operations.deployed import Deployed
from operations.replaying import RULE_DELAY, CannotReplay, Replayer
from tiffin import clients
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
        clients.table("OrdersTable").put_item(Item=item)
        names = (
            "EventBusName",
            "PromotionsRuleArn",
            "PromotionsQueueUrl",
            "PromotionsDeadLetterQueueUrl",
            "OrdersTableName",
        )
        stack = SimpleNamespace(client=boto3.client, outputs=dict.fromkeys(names, "OrdersTable"), region=None)
        Replayer(cast(Deployed, stack)).order("promotions", "ord_1")
    [(since, until)] = spans
    assert since < announced < until


class Archive:
    """EventBridge, of which replays are asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.spans: list[tuple[datetime, datetime]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**given: Any) -> Any:
            self.asked.append(name)
            if name == "start_replay":
                self.spans.append((given["EventStartTime"], given["EventEndTime"]))
            return {
                "State": "COMPLETED", "EventPattern": "{}", "RuleArn": "rule", "ArchiveArn": "a", "EventSourceArn": "b",
                "QueueUrl": "net", "Attributes": {"QueueArn": "net"}, "Item": {"placed_at": {"S": PLACED}},
            }  # fmt: skip

        return call


PLACED = rfc3339(datetime.now(UTC) - timedelta(minutes=5))


def replayer(archive: Archive, region: str | None) -> Replayer:
    names = (
        "EventBusName",
        "EventArchiveName",
        "PromotionsRuleArn",
        "PromotionsQueueUrl",
        "PromotionsDeadLetterQueueUrl",
        "OrdersTableName",
    )
    stack = SimpleNamespace(client=lambda _: archive, outputs=dict.fromkeys(names, "a/name"), region=region)
    return Replayer(cast(Deployed, stack))


def test_a_span_that_ends_in_the_future_ends_now() -> None:
    archive, now = Archive(), datetime.now(UTC)
    replayer(archive, None).between("promotions", now - timedelta(hours=1), now + timedelta(days=1))
    [(_, until)] = archive.spans
    assert now <= until <= datetime.now(UTC)


def test_a_span_that_begins_in_the_future_is_refused() -> None:
    archive, now = Archive(), datetime.now(UTC)
    with pytest.raises(CannotReplay):
        replayer(archive, None).between("promotions", now + timedelta(hours=1), now + timedelta(hours=2))
    assert archive.spans == []


@pytest.mark.parametrize(("region", "waited"), [("eu-central-1", [RULE_DELAY]), (None, [])])
def test_one_orders_replay_waits_for_its_rule_where_rules_take_their_time(
    monkeypatch: pytest.MonkeyPatch, region: str | None, waited: list[float]
) -> None:
    archive, waits = Archive(), list[float]()

    def sleep(seconds: float) -> None:
        assert (archive.asked[-1], archive.spans) == ("put_targets", [])
        waits.append(seconds)

    monkeypatch.setattr("operations.replaying.time.sleep", sleep)
    monkeypatch.setattr(Replayer, "_move", lambda *_: 0)
    replayer(archive, region).order("promotions", "ord_1")
    assert [seconds for seconds in waits if seconds] == waited
    [(_, until)] = archive.spans
    assert until <= datetime.now(UTC)
