"""Support asks where an order is, and why: of each end, and of what cannot be read; and nobody else may ask."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from lab import permissions
from laptop import Stack
from laptop.client import Client, Refused
from laptop.people import KNOWN
from operations.deployed import Deployed
from support import story, timeline
from support.operations import WHILE_OPEN
from tracing.sources import Live
from worlds.polling import eventually
from worlds.stack import execution_arn

pytestmark = pytest.mark.laptop("inside")

INSUFFICIENT = "pm_card_mastercard_chargeDeclinedInsufficientFunds"
NOBODYS = "ord_" + "a" * 26


@pytest.fixture(scope="module")
def orders(stack: Stack) -> Iterator[dict[str, str]]:
    """An order for each end, by the end."""
    client, customer = Client(stack.outputs, stack.people), "cust-support"
    workflows = stack.client("stepfunctions")

    def placed(**more: Any) -> str:
        return str(client.place(customer=customer, **more)["order_id"])

    def waiting() -> str:
        order_id = placed()
        client.until(order_id, "AWAITING_RESTAURANT", seconds=60)
        return order_id

    made = {"DELIVERED": placed(), "DECLINED": placed(payment_method=INSUFFICIENT)}
    made |= {"REJECTED": waiting(), "CANCELLED": waiting(), "EXPIRED": waiting(), "AWAITING_RESTAURANT": waiting()}
    client.deliver(made["DELIVERED"], seconds=60)
    client.move(made["REJECTED"], "reject", {"reason": "out_of_stock"})
    client.move(made["CANCELLED"], "cancel")
    workflows.start_execution(
        stateMachineArn=stack.outputs["UnwindWorkflowArn"],
        name=f"{made['EXPIRED']}-expired",
        input=json.dumps({"detail": {"name": made["EXPIRED"], "status": "TIMED_OUT"}}),
    )
    for status, order_id in made.items():
        client.until(order_id, status, seconds=60)
    workflows.stop_execution(executionArn=execution_arn(stack, made["EXPIRED"]))
    yield made
    client.move(made["AWAITING_RESTAURANT"], "reject", {"reason": "too_busy"})
    client.until(made["AWAITING_RESTAURANT"], "REJECTED", seconds=60)
    client.close()


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    with closing(Client(stack.outputs, stack.people)) as made:
        yield made


def told(client: Client, order_id: str, *, until: Any = None) -> dict[str, Any]:
    """An order's story; once a condition holds, as some of it is written down late, and told again for some seconds."""

    def found() -> dict[str, Any] | None:
        said = client.story(order_id)
        return said if until is None or until(said) else None

    whole: dict[str, Any] = eventually(found, 60, "the story", pause=1)
    return whole


def kinds(story: dict[str, Any]) -> set[str]:
    return {entry["kind"] for entry in story["timeline"]}


def path(story: dict[str, Any], kind: str = "order") -> list[str]:
    return [visit["state"] for run in story["workflows"] if run["kind"] == kind for visit in run["path"]]


class TestEachEnd:
    def test_delivered(self, client: Client, orders: dict[str, str]) -> None:
        everything = {"state", "segment", "call", "event", "consumer", "log", "payment_attempt"}
        story = told(client, orders["DELIVERED"], until=lambda s: everything <= kinds(s) and len(s["events"]) > 4)
        assert story["headline"].startswith("delivered, and paid with visa, ")
        assert (story["status"], story["dead"]) == ("DELIVERED", False)
        assert story["placed_at"] < story["ended_at"] < story["deadline_at"]
        [run] = story["workflows"]
        assert (run["kind"], run["status"], run["waiting_in"]) == ("order", "SUCCEEDED", None)
        assert {visit["outcome"] for visit in run["path"]} == {"succeeded"}
        assert set(path(story)) <= run["definition"]["States"].keys()
        assert [(p["operation"], p["answer"], p["network"]) for p in story["payments"]] == [
            ("authorize", "AUTHORIZED", "visa"),
            ("capture", "CAPTURED", None),
        ]
        heard = {event["name"]: {c["service"] for c in event["consumers"]} for event in story["events"]}
        assert "promotions" in heard["OrderDelivered"]

    def test_declined(self, client: Client, orders: dict[str, str]) -> None:
        story = told(client, orders["DECLINED"])
        assert story["headline"].startswith("payment declined: mastercard, insufficient_funds, ")
        [attempt] = story["payments"]
        assert (attempt["answer"], attempt["network"], attempt["code"]) == (
            "DECLINED",
            "mastercard",
            "insufficient_funds",
        )

    def test_rejected(self, client: Client, orders: dict[str, str]) -> None:
        story = told(client, orders["REJECTED"])
        assert story["headline"].startswith("rejected by the restaurant: out of stock, ")
        assert [p["operation"] for p in story["payments"]] == ["authorize", "release"]

    def test_cancelled_and_unwound(self, client: Client, orders: dict[str, str]) -> None:
        def unwound(story: dict[str, Any]) -> bool:
            return [run["status"] for run in story["workflows"]] == ["ABORTED", "SUCCEEDED"]

        story = told(client, orders["CANCELLED"], until=unwound)
        assert story["headline"].startswith("cancelled by the customer, while waiting for the restaurant to answer, ")
        order, unwind = story["workflows"]
        assert (order["path"][-1]["state"], order["path"][-1]["outcome"]) == ("AwaitRestaurant", "stopped")
        assert unwind["definition"] != order["definition"]
        assert [(p["workflow"], p["operation"]) for p in story["payments"]] == [
            ("order", "authorize"),
            ("unwind", "release"),
        ]

    def test_expired(self, client: Client, orders: dict[str, str]) -> None:
        story = told(client, orders["EXPIRED"], until=lambda s: s["status"] == "EXPIRED")
        assert story["headline"].startswith("expired: the food was not delivered within three hours")

    def test_still_open(self, client: Client, orders: dict[str, str]) -> None:
        story = told(client, orders["AWAITING_RESTAURANT"])
        assert story["headline"].startswith("still open: waiting for the restaurant to answer since ")
        assert (story["status"], story["ended_at"]) == ("AWAITING_RESTAURANT", None)
        [run] = story["workflows"]
        assert (run["status"], run["stopped_at"], run["waiting_in"]) == ("RUNNING", None, "AwaitRestaurant")
        assert run["path"][-1]["outcome"] == "waiting"

    def test_an_order_that_there_is_not(self, client: Client) -> None:
        with pytest.raises(Refused) as refused:
            client.story(NOBODYS)
        assert refused.value.status == 404
        assert refused.value.problem["type"].endswith("/unknown-order")


@pytest.mark.parametrize("who", ["cust-support", "bella", "carl"])
def test_nobody_else_may_ask(client: Client, orders: dict[str, str], who: str) -> None:
    with pytest.raises(Refused) as refused:
        client.story(orders["DELIVERED"], by=KNOWN.get(who, who))
    assert refused.value.status == 403
    assert refused.value.problem["type"].endswith("/not-your-role")


def test_each_reading_is_a_line_that_says_who(stack: Stack, client: Client, orders: dict[str, str]) -> None:
    client.story(orders["DECLINED"])
    sue = stack.people.subject("sue")

    def line() -> dict[str, Any] | None:
        return next(
            (
                one
                for one in lines(stack)
                if one.get("message") == "Read by support" and one.get("order_id") == orders["DECLINED"]
            ),
            None,
        )

    assert eventually(line, what="the line")["by"] == sue


def lines(stack: Stack) -> list[dict[str, Any]]:
    """All that support's function logged, metrics too."""
    pages = (
        stack.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=stack.outputs["SupportLogGroupName"])
    )
    texts = [event["message"] for page in pages for event in page["events"]]
    return [json.loads(text) for text in texts if text.startswith("{")]


def test_ten_who_press_reload_read_once(stack: Stack, client: Client) -> None:
    """By the metric that each reading counts; all of them get the same answer, for as long as it is told again."""
    order_id = str(client.place(customer="cust-support")["order_id"])
    client.until(order_id, "AWAITING_RESTAURANT")

    def readings() -> float:
        return sum(float(one["StoriesRead"][0]) for one in lines(stack) if "StoriesRead" in one)

    def requests() -> int:
        return sum(one.get("order_id") == order_id and one.get("message") == "Read by support" for one in lines(stack))

    before = readings()
    with ThreadPoolExecutor(10) as pool:
        stories = list(pool.map(client.story, [order_id] * 10))
    # Where ten environments take long to start, whoever finds one late is told of a later reading.
    told = sorted({datetime.fromisoformat(story["told_at"]).timestamp() for story in stories})
    assert [later - earlier for earlier, later in pairwise(told) if later - earlier < WHILE_OPEN] == []
    eventually(lambda: requests() == 10, what="ten requests")
    assert readings() == before + len(told)
    client.move(order_id, "reject", {"reason": "too_busy"})


def test_what_cannot_be_read_is_named_and_the_rest_is_told(
    stack: Stack, client: Client, orders: dict[str, str]
) -> None:
    world = permissions.World(stack)
    order_id = str(client.place(customer="cust-support", payment_method=INSUFFICIENT)["order_id"])
    client.until(order_id, "DECLINED")
    try:
        with world.without("Support/ApiFunctionRole/ReadLines/logs:FilterLogEvents"):
            story = client.story(order_id)
    finally:
        world.close()
    # Each group by itself, and by its name.
    untold = [one for one in story["missing"] if one["part"] == "logs"]
    assert [one["reason"] for one in untold] == ["refused"] * 4
    services = ("Orders", "Payments", "Promotions", "Notifications")
    groups = {stack.outputs[f"{service}LogGroupName"] for service in services}
    assert {one["detail"].partition(": ")[0] for one in untold} == groups
    assert story["headline"].startswith("payment declined: mastercard, insufficient_funds, ")
    assert {"state", "event", "segment"} <= kinds(story)
    assert "log" not in kinds(story)


def test_the_deployed_workflows_are_those_that_orders_run_by(client: Client, orders: dict[str, str]) -> None:
    deployed = {one["kind"]: one["definition"] for one in client.definitions()}
    runs = told(client, orders["CANCELLED"], until=lambda s: len(s["workflows"]) == 2)["workflows"]
    assert {run["kind"]: run["definition"] for run in runs} == deployed


def test_of_who_only_looked_nothing_is_said_to_be_missing(stack: Stack, client: Client, orders: dict[str, str]) -> None:
    order_id = orders["REJECTED"]
    client.order(order_id, by="sue")
    client.story(order_id)

    def looked_at() -> timeline.Timeline | None:
        whole = timeline.build(Live(Deployed(stack.client, stack.outputs)).facts(order_id))
        looks = [line.service for line in whole.logs if line.message == "Read by support"]
        return whole if {"orders", "support"} <= set(looks) else None

    assert eventually(looked_at, 60, "the lines of both who were asked").missing == []


def test_it_tells_what_make_trace_tells(stack: Stack, client: Client, orders: dict[str, str]) -> None:
    """One library, two readers of it."""
    for end in ("DELIVERED", "DECLINED", "REJECTED", "CANCELLED"):
        whole = timeline.build(Live(Deployed(stack.client, stack.outputs)).facts(orders[end]))
        assert client.story(orders[end])["headline"] == story.tell(whole, time.time()).sentence
