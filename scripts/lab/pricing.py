"""What counts cost, by the price list in `prices.toml`, and where each cent goes."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from contracts.cloudformation import Stack, deploy, transformed

from .metered import GB, Counts

FILE = Path(__file__).with_name("prices.toml")
# As people price a month: 730 hours.
MINUTES_A_MONTH = 730 * 60
# X-Ray developer guide, "Configuring sampling rules": what no rule is for is sampled by the default one, 1 a second and
# 5 % of the rest. The stack's own rules are for what changes an order.
SAMPLED_BY_DEFAULT = 0.05
# Lambda developer guide, "Using Lambda with Amazon SQS": it polls with five connections at first, each waiting as long
# as a long poll may, 20 seconds (SQS developer guide, "Short and long polling").
POLLS_A_MINUTE = 5 * 3
# An event from a rule: sent, received, deleted. Batches make of the last two one for several messages.
REQUESTS_A_MESSAGE = 3

Prices = dict[str, dict[str, Any]]
Costs = dict[str, float]
"""US dollars by what they are for."""


@lru_cache(maxsize=1)
def prices() -> Prices:
    """The price list: its tables by service."""
    return {name: table for name, table in _listed().items() if isinstance(table, dict)}


def _listed() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def unconfirmed() -> list[str]:
    """The tables whose prices were not read at AWS itself."""
    return sorted(name for name, table in prices().items() if not table["confirmed"])


def of_an_order(counts: Counts, traced: float, architecture: str = "arm64") -> Costs:
    """What one order costs, of those that were counted.

    Args:
        counts: of some orders with the same end.
        traced: the share of traces that is recorded.
        architecture: of the functions.
    """
    by = prices()
    million, n = 1_000_000, counts.orders
    requests = REQUESTS_A_MESSAGE * sum(counts.messages.values())
    seconds = by["lambda"][f"usd_per_gb_second_{architecture}"]
    costs = {
        "Step Functions": sum(counts.transitions.values()) * by["step_functions"]["usd_per_1000_transitions"] / 1000,
        "API Gateway": counts.requests * by["api_gateway"]["usd_per_million_rest_requests"] / million,
        "Lambda: requests": sum(counts.invocations.values()) * by["lambda"]["usd_per_million_requests"] / million,
        "Lambda: GB-seconds": sum(counts.gb_seconds.values()) * seconds,
        "DynamoDB: writes": sum(counts.writes.values())
        * by["dynamodb"]["usd_per_million_write_request_units"]
        / million,
        "DynamoDB: reads": sum(counts.reads.values()) * by["dynamodb"]["usd_per_million_read_request_units"] / million,
        "EventBridge": sum(counts.events.values()) * by["eventbridge"]["usd_per_million_custom_events"] / million
        + counts.archived / GB * by["eventbridge"]["usd_per_gb_archived"],
        "SQS": requests * by["sqs"]["usd_per_million_standard_requests"] / million,
        "CloudWatch Logs": counts.lines / GB * by["cloudwatch_logs"]["usd_per_gb_ingested"],
        "X-Ray": counts.traces * traced * by["xray"]["usd_per_million_traces_recorded"] / million,
    }
    return {what: cost / n for what, cost in costs.items()}


def together(*costs: tuple[float, Costs]) -> Costs:
    """The sum of costs, each so many times."""
    what = dict.fromkeys(name for _, cost in costs for name in cost)
    return {name: sum(times * cost.get(name, 0.0) for times, cost in costs) for name in what}


@dataclass(frozen=True)
class Fixed:
    """What costs by the month, orders or not.

    Attributes:
        what: it is.
        number: of it.
        usd: a month, all of it.
    """

    what: str
    number: int
    usd: float


def fixed(stacks: Iterable[Stack], metrics: int, sweep_gb_seconds: float, architecture: str = "arm64") -> list[Fixed]:
    """What a deployed stack costs by the month.

    Args:
        stacks: as they would be deployed.
        metrics: custom metrics that were seen in the functions' log lines.
        sweep_gb_seconds: of one run of the reconciler.
        architecture: of the functions.
    """
    by = prices()
    resources = [(kind, properties) for stack in stacks for _, _, kind, properties in stack.resources()]
    alarms = sum(alarm_metrics(properties) for kind, properties in resources if kind == "AWS::CloudWatch::Alarm")
    filters = sum(kind == "AWS::Logs::MetricFilter" for kind, _ in resources)
    boards = sum(kind == "AWS::CloudWatch::Dashboard" for kind, _ in resources)
    pollers = sum(
        kind == "AWS::Lambda::EventSourceMapping" and ":sqs:" in str(properties["EventSourceArn"])
        for kind, properties in resources
    )
    polls = pollers * POLLS_A_MINUTE * MINUTES_A_MONTH
    shards = 8 * MINUTES_A_MONTH
    cloudwatch, calls = by["cloudwatch"], by["lambda"]
    reconciler = (
        MINUTES_A_MONTH
        * (
            calls["usd_per_million_requests"] / 1e6
            + sweep_gb_seconds * calls[f"usd_per_gb_second_{architecture}"]
            + by["scheduler"]["usd_per_million_invocations"] / 1e6
        )
        + shards * 0.5 * by["dynamodb"]["usd_per_million_read_request_units"] / 1e6
    )
    return [
        Fixed("alarms, by the metrics that they look at", alarms, alarms * cloudwatch["usd_per_alarm_metric_month"]),
        Fixed("custom metrics that the functions wrote", metrics, metrics * cloudwatch["usd_per_custom_metric_month"]),
        Fixed("custom metrics of metric filters", filters, filters * cloudwatch["usd_per_custom_metric_month"]),
        Fixed("dashboards", boards, boards * cloudwatch["usd_per_dashboard_month"]),
        Fixed(
            "requests of the pollers of queues that are empty",
            polls,
            polls * by["sqs"]["usd_per_million_standard_requests"] / 1e6,
        ),
        Fixed("runs of the reconciler, which find nothing", MINUTES_A_MONTH, reconciler),
    ]


def alarm_metrics(properties: Mapping[str, Any]) -> int:
    """Metrics that an alarm is charged for: its own, or all that its formula names; three, if it learns what is normal.

    Source: CloudWatch pricing, "Alarms": an anomaly detection alarm has the metric and both bounds.
    """
    named = [metric for metric in properties.get("Metrics", []) if "MetricStat" in metric]
    learned = [m for m in properties.get("Metrics", []) if "ANOMALY_DETECTION_BAND" in str(m.get("Expression"))]
    return (len(named) or 1) + 2 * len(learned)


def deployed(parameters: Mapping[str, str] | None = None) -> list[Stack]:
    """The stack as it would be deployed by default."""
    return deploy(transformed(), "tiffin", parameters or {})


def sampled(stacks: Iterable[Stack]) -> float:
    """The share of orders that the stack's sampling rules trace, beyond what they trace each second anyhow."""
    (rate,) = {
        float(properties["SamplingRule"]["FixedRate"])
        for stack in stacks
        for _, _, kind, properties in stack.resources()
        if kind == "AWS::XRay::SamplingRule"
    }
    return rate


REGION: str = _listed()["region"]
DATE: date = _listed()["date"]
