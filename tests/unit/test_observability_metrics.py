"""Business metrics from the events: what is counted, with which dimensions, at which moment; nothing personal."""

import importlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts.schemas import example, names
from tiffin import telemetry as shared
from worlds import ROOT
from worlds.feed import raw
from worlds.runtime import context
from worlds.templates import resources


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "services" / "observability"))
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    return importlib.import_module("observability.consumer").handler


def counted(handler: Any, capsys: pytest.CaptureFixture[str], *events: dict[str, Any]) -> list[dict[str, Any]]:
    """The data points that a batch of events makes, each a line of the embedded metric format."""
    capsys.readouterr()
    assert handler(raw(*events), context()) == {"batchItemFailures": []}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line and "EventsConsumed" not in line]


def now(name: str, **data: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(json.dumps(example(name)))
    event["detail"]["metadata"]["occurred_at"] = datetime.now(UTC).isoformat()
    event["detail"]["data"] |= data
    return event


def test_a_delivery_is_an_end_with_an_age(handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    event = now("OrderDelivered", placed_at="2026-01-31T12:00:00.000Z", delivered_at="2026-01-31T12:41:30.500Z")
    ended, age = counted(handler, capsys, event)
    assert (ended["OrdersEnded"], ended["status"]) == ([1], "DELIVERED")
    assert age["AgeAtDelivery"] == [2490.5]
    assert age["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "AgeAtDelivery", "Unit": "Seconds"}]


def test_an_age_below_zero_counts_as_zero(handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    event = now("OrderDelivered", placed_at="2026-01-31T12:00:01.000Z", delivered_at="2026-01-31T12:00:00.000Z")
    assert counted(handler, capsys, event)[1]["AgeAtDelivery"] == [0]


@pytest.mark.parametrize("status", ["DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED"])
def test_every_other_end_is_counted_by_status(handler: Any, capsys: pytest.CaptureFixture[str], status: str) -> None:
    (ended,) = counted(handler, capsys, now(f"Order{status.capitalize()}"))
    assert (ended["OrdersEnded"], ended["status"]) == ([1], status)


def test_value_is_told_apart_by_currency(handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    euros = now("OrderPlaced", total={"amount": 2390, "currency": "EUR"})
    yen = now("OrderPlaced", total={"amount": 900, "currency": "JPY"})
    lines = counted(handler, capsys, euros, yen)
    assert [(line["currency"], line["OrderValue"]) for line in lines if "OrderValue" in line] == [
        ("EUR", [2390]),
        ("JPY", [900]),
    ]
    assert sum("OrdersPlaced" in line for line in lines) == 2


def test_promo_codes_are_counted_by_reason(handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (issued,) = counted(handler, capsys, now("PromoCodeIssued", reason="apology"))
    assert (issued["PromoCodesIssued"], issued["reason"]) == ([1], "apology")


def test_a_late_event_counts_at_the_moment_it_happened_in(handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    event = now("OrderExpired")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=250_000)
    event["detail"]["metadata"]["occurred_at"] = yesterday.isoformat()
    (ended,) = counted(handler, capsys, event)
    assert ended["_aws"]["Timestamp"] == round(yesterday.timestamp() * 1000)


def test_an_event_older_than_cloudwatch_takes_is_counted_as_early_as_it_takes(
    handler: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    event = now("OrderExpired")
    event["detail"]["metadata"]["occurred_at"] = "2020-01-01T00:00:00Z"
    (ended,) = counted(handler, capsys, event)
    oldest = datetime.now(UTC) - timedelta(days=14)
    assert ended["_aws"]["Timestamp"] > oldest.timestamp() * 1000


def test_data_points_are_free_of_the_customers_id(handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = resources("observability")["MetricsRule"]["Properties"]["EventPattern"]["detail-type"]
    events = [now(name) for name in wanted]
    lines = counted(handler, capsys, *events)
    assert len(lines) >= len(events)
    text = json.dumps(lines)
    for event in events:
        assert event["detail"]["data"]["customer_id"] not in text


def test_each_stack_counts_by_itself() -> None:
    """What a function counts, by either way, is counted in the namespace that its stack names."""
    counting = """
from tiffin.telemetry import count, metrics
count("One", by={"status": "DELIVERED"})
metrics.add_metric("Two", "Count", 1)
metrics.log_metrics(lambda event, context: None)({}, None)
"""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "services" / "shared"),
        "POWERTOOLS_SERVICE_NAME": "orders",
        "POWERTOOLS_METRICS_NAMESPACE": "Tiffin/staging",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    ran = subprocess.run(
        [sys.executable, "-c", counting], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    lines = [json.loads(line)["_aws"]["CloudWatchMetrics"][0] for line in ran.stdout.splitlines()]
    assert {line["Metrics"][0]["Name"]: line["Namespace"] for line in lines} == {
        "One": "Tiffin/staging",
        "Two": "Tiffin/staging",
    }


def test_alarms_and_dashboard_take_the_namespace_of_their_stack() -> None:
    """An emulator has not all of them, so the template itself is asked."""
    own = {"Ref": "MetricsNamespace"}
    for name, resource in resources("observability").items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            stats = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
            for watched in stats or [properties]:
                assert watched["Namespace"] == own or watched["Namespace"].startswith("AWS/"), name
        elif resource["Type"] == "AWS::CloudWatch::Dashboard":
            assert "Tiffin" not in properties["DashboardBody"]["Fn::Sub"]


def test_the_rule_lets_in_what_the_consumer_reads(handler: Any) -> None:
    pattern = resources("observability")["MetricsRule"]["Properties"]["EventPattern"]
    consumer = importlib.import_module("observability.consumer").consumer
    assert consumer.names == set(pattern["detail-type"]) <= set(names())
    assert pattern["replay-name"] == [{"exists": False}]


class TestTheCatalogue:
    """`docs/operating.md` names the metrics, alarms and runbooks that there are."""

    PAGE = (ROOT / "docs" / "operating.md").read_text("utf-8")

    def test_every_metric_of_the_services_is_described(self) -> None:
        described = set()
        for line in self.PAGE.split("## Metrics")[1].split("## ")[0].splitlines():
            if line.startswith("| `"):
                described |= {cell.strip("` ") for cell in line.split("|")[1].split(",")}
        written = set()
        for path in (ROOT / "services").rglob("*.py"):
            written |= set(re.findall(r'(?:add_metric\((?:name=)?|(?<![.\w])count\()"(\w+)"', path.read_text("utf-8")))
        # Named by the events that promotions announce; and by Powertools.
        written |= {"PromoCodeIssued", "PromoCodeRedeemed", "PromoCodeRestored", "ColdStart"}
        assert written == described

    def test_every_alarm_is_listed_and_has_its_runbook(self) -> None:
        alarms = {
            name: resource["Properties"]["AlarmDescription"]["Fn::Sub"]
            for name, resource in resources("observability").items()
            if resource["Type"] == "AWS::CloudWatch::Alarm"
        }
        table = self.PAGE.split("## Alarms")[1].split("## ")[0]
        for name, description in alarms.items():
            says, _, runbook = description.partition(" Runbook: ${RunbooksUrl}/")
            assert says, name
            assert (ROOT / "docs" / "runbooks" / runbook).is_file(), name
            (row,) = [row for row in table.splitlines() if f"`{name}`" in row]
            assert f"(runbooks/{runbook})" in row
        assert len(alarms) >= 15

    def test_every_link_of_the_operators_pages_leads_somewhere(self) -> None:
        for page in [ROOT / "docs" / "operating.md", *(ROOT / "docs" / "runbooks").glob("*.md")]:
            for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
                assert link.startswith("https://") or (page.parent / link).is_file(), f"{page.name}: {link}"


class TestPseudonyms:
    def test_each_customer_has_one_pseudonym_of_their_own(self) -> None:
        assert shared.customer_hash("c-ada") == shared.customer_hash("c-ada") != shared.customer_hash("c-alan")
        assert "ada" not in shared.customer_hash("c-ada")
        assert len(shared.customer_hash("c-ada")) == 16

    @pytest.mark.parametrize(
        ("header", "root"),
        [("Root=1-6926e7d4-0a;Parent=b;Sampled=1", "1-6926e7d4-0a"), ("Sampled=1; Root=1-a", "1-a"), ("", "")],
    )
    def test_the_root_is_found_in_a_header(self, header: str, root: str) -> None:
        assert shared.trace_root(header) == root


class TestWorkOnOneOfMany:
    def test_what_the_log_says_of_an_order_ends_with_the_work_on_it(self) -> None:
        before = set(shared.logger.get_current_keys())
        with shared.work_on_order("ord_1", operation="release"):
            assert shared.logger.get_current_keys()["order_id"] == "ord_1"
        assert set(shared.logger.get_current_keys()) == before


@pytest.mark.filterwarnings("ignore:This metric doesn't meet the requirements")  # the sample keeps its date
def test_the_sample_invocation_is_counted(handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "events" / "invocations" / "ObservabilityConsumerFunction-delivered.json"
    assert handler(json.loads(path.read_text("utf-8")), context()) == {"batchItemFailures": []}
    assert '"OrdersEnded":[1.0]' in capsys.readouterr().out
