"""What an operator looks at is there after a deployment: dashboard, alarms with runbooks, kept logs, counted orders."""

import json
import re
from typing import Any

import pytest
from laptop import Stack
from laptop.client import Client
from worlds import ROOT
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("all")


@pytest.fixture(scope="module")
def alarms(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def resources(stack: Stack) -> set[str]:
    """Names and ARNs of everything that was deployed."""
    cloudformation = stack.client("cloudformation")
    names, stacks = set(stack.outputs.values()), ["tiffin"]
    while stacks:
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stacks.pop()):
            for resource in page["StackResourceSummaries"]:
                names.add(resource["PhysicalResourceId"])
                if resource["ResourceType"] == "AWS::CloudFormation::Stack":
                    stacks.append(resource["PhysicalResourceId"])
                    names.add(resource["PhysicalResourceId"].split("/")[1])
    return names | {name.rsplit("/", 1)[-1] for name in names if name.startswith("http")}


def test_every_alarm_tells_somebody_and_has_a_runbook(stack: Stack, alarms: list[dict[str, Any]]) -> None:
    assert len(alarms) >= 20
    for alarm in alarms:
        assert alarm["AlarmActions"] == [stack.outputs["AlarmTopicArn"]], alarm["AlarmName"]
        runbook = re.search(r"Runbook: (docs/runbooks/[a-z-]+\.md)$", alarm["AlarmDescription"])
        assert runbook, alarm["AlarmDescription"]
        assert (ROOT / runbook[1]).is_file(), runbook[1]


def test_every_alarm_watches_something_that_is_there(stack: Stack, alarms: list[dict[str, Any]]) -> None:
    """An alarm on a misspelt queue is green for ever."""
    there = resources(stack)
    watched = {
        (d["Name"], d["Value"])
        for alarm in alarms
        for d in alarm["Dimensions"]
        if alarm["Namespace"].startswith("AWS/")
    }
    assert {name for name, _ in watched} == {"QueueName", "FunctionName", "StateMachineArn", "ApiName"}
    assert {value for _, value in watched} - there == set()


def test_every_dead_letter_queue_is_watched(stack: Stack, alarms: list[dict[str, Any]]) -> None:
    watched = {d["Value"] for alarm in alarms for d in alarm["Dimensions"] if d["Name"] == "QueueName"}
    dead = {url.rsplit("/", 1)[1] for name, url in stack.outputs.items() if name.endswith("DeadLetterQueueUrl")}
    assert dead
    assert dead <= watched


def test_the_dashboard_shows_only_what_is_there(stack: Stack) -> None:
    body = stack.client("cloudwatch").get_dashboard(DashboardName=stack.outputs["DashboardName"])["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    assert [w["properties"]["markdown"] for w in widgets if w["type"] == "text"] == [
        "# Business",
        "# Workflows",
        "# Services",
        "# Queues",
    ]
    there = resources(stack)
    shown = {str(part) for w in widgets for m in w["properties"].get("metrics", []) for part in m if part != "..."}
    named = {part for part in shown if "tiffin-" in part}
    assert len(named) > 10
    assert named - there == set()


def test_what_is_watched_and_shown_is_what_the_functions_count(stack: Stack, alarms: list[dict[str, Any]]) -> None:
    """Of this stack alone: another one's zeros would keep an alarm green."""
    pages = stack.client("lambda").get_paginator("list_functions").paginate()
    variables = [function["Environment"]["Variables"] for page in pages for function in page["Functions"]]
    counted = {each["POWERTOOLS_METRICS_NAMESPACE"] for each in variables}
    assert counted == {"Tiffin/tiffin"}
    assert {alarm["Namespace"] for alarm in alarms if not alarm["Namespace"].startswith("AWS/")} == counted
    body = stack.client("cloudwatch").get_dashboard(DashboardName=stack.outputs["DashboardName"])["DashboardBody"]
    shown = [m for w in json.loads(body)["widgets"] for m in w["properties"].get("metrics", [])]
    plain = {m[0] for m in shown if isinstance(m[0], str) and m[0] not in (".", "...")}
    assert {namespace for namespace in plain if not namespace.startswith("AWS/")} == counted
    searched = [re.match(r"SEARCH\('\{\"([^\"]+)\",", m[0]["expression"]) for m in shown if isinstance(m[0], dict)]
    assert {found and found[1] for found in searched} == counted


def test_every_function_writes_where_lines_are_kept_for_a_set_time(stack: Stack) -> None:
    kept = {
        group["logGroupName"]
        for page in stack.client("logs").get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
        if group.get("retentionInDays") == 30
    }
    functions = [
        function
        for page in stack.client("lambda").get_paginator("list_functions").paginate()
        for function in page["Functions"]
    ]
    assert functions
    for function in functions:
        assert function["LoggingConfig"]["LogGroup"] in kept, function["FunctionName"]


def test_an_order_is_counted_from_its_events(stack: Stack, client: Client, customer: str) -> None:
    order = client.place(customer=customer)
    client.move(order["order_id"], "cancel")
    client.until(order["order_id"], "CANCELLED")

    def counted() -> set[str] | None:
        pages = (
            stack.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=stack.outputs["ObservabilityLogGroupName"])
        )
        lines = [json.loads(e["message"]) for page in pages for e in page["events"] if e["message"].startswith("{")]
        names = {name for line in lines for name in line if name in ("OrdersPlaced", "OrderValue")}
        names |= {line["status"] for line in lines if "OrdersEnded" in line}
        return names if {"OrdersPlaced", "OrderValue", "CANCELLED"} <= names else None

    assert eventually(counted, what="counting")


def test_events_are_archived(stack: Stack, client: Client, customer: str) -> None:
    def archived() -> int:
        archive = stack.client("events").describe_archive(ArchiveName=stack.outputs["EventArchiveName"])
        return int(archive["EventCount"])

    before = archived()
    order = client.place(customer=customer)
    client.move(order["order_id"], "cancel")
    client.until(order["order_id"], "CANCELLED")
    assert eventually(lambda: archived() > before, what="archiving")
