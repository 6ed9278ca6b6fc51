"""Orders wait for hours, deployments do not: each order that waits in a deployment ends well, forwards and back.

Two deployments, as a new version of an event comes (docs/changing.md): first the listeners, which then read both, then
who announces it: here with one more state in the order workflow, and with a payments function that answers more. And
back from there.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from laptop import BusTap, Stack
from laptop.client import Client
from laptop.environment import ROOT
from worlds.ends import GIVEN_BACK, LIVES, TAKEN, Life
from worlds.polling import eventually
from worlds.stack import execution_arn

pytestmark = pytest.mark.laptop("own")

LISTENERS = ("promotions", "notifications", "observability", "live")


def edited(path: Path, *changes: tuple[str, str]) -> None:
    """Change what is said in a file; each change must have something to change."""
    text = path.read_text("utf-8")
    for before, after in changes:
        text, made = re.subn(before, after, text)
        assert made, f"{path}: {before}"
    path.write_text(text, "utf-8")


def listening(tree: Path) -> Path:
    """This tree, with listeners that read version 2 of `OrderDelivered` beside version 1; its template."""
    for part in ("services", "statemachines"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__", ".aws-sam"))
    shutil.copy(ROOT / "template.yaml", tree)
    for service in LISTENERS:
        edited(
            tree / "services" / service / service / "consumer.py",
            (
                r'(@consumer\.on\((?:[^)]*"OrderDelivered"|\*ORDER_EVENTS), reads=(\w+)\))',
                r'@consumer.on("OrderDelivered", reads=\2, version=2)\n\1',
            ),
        )
    return tree / "template.yaml"


def announcing(tree: Path) -> Path:
    """The same, with version 2 announced, one more state, and payments that say who answered; its template."""
    template = listening(tree)
    edited(
        tree / "statemachines" / "order.asl.json",
        (r'(:OrderDelivered\' %}", "event_version": )1', r"\g<1>2"),
        (r'("placed_at": "{% \$order\.placed_at %}",\n\s+"delivered_at")', r'"handed_over_by": "courier", \1'),
        (r'"Next": "CapturePayment"', '"Next": "HandOver"'),
        (r'("CapturePayment": {)', r'"HandOver": {"Type": "Pass", "Next": "CapturePayment"}, \1'),
    )
    edited(
        tree / "services" / "payments" / "payments" / "handler.py",
        (r"    return answer\n", '    return {**answer, "answered_by": "the changed one"}  # type: ignore\n'),
    )
    return template


class Deployed:
    """The stack, deployed three times, with orders that wait meanwhile."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self._client = Client(stack.outputs, stack.people)
        self.ends: dict[tuple[str, Life], dict[str, Any]] = {}
        with closing(self._client):
            self._run()

    def _run(self) -> None:
        tap = self._stack.tap()
        first = self._begin("forwards")
        self._stack.update(template=listening(self._folder / "listening"))
        self._stack.update(template=announcing(self._folder / "announcing"))
        self._end("forwards", first, tap)
        second = self._begin("back")
        self._stack.update(template=self._folder / "listening" / "template.yaml")
        self._end("back", second, tap)

    def _begin(self, direction: str) -> dict[Life, str]:
        return {life: life.begin(self._client, f"{direction}-{number}") for number, life in enumerate(LIVES)}

    def _end(self, direction: str, orders: dict[Life, str], tap: BusTap) -> None:
        for life, order_id in orders.items():
            end, money = life.go_on(self._stack, self._client, order_id)
            said = tap.wait_for_event(f"Order{end.capitalize()}", order_id, timeout=30)
            states = self._states(order_id)
            self.ends[direction, life] = {
                "end": end,
                "money": money,
                "version": said["detail"]["metadata"]["event_version"],
                "handed over": "HandOver" in states,
                "captured by": states.get("CapturePayment"),
            }

    def _states(self, order_id: str) -> dict[str, str]:
        """The states that were left, each with who answered in it, if a function did."""
        pages = self._stack.client("stepfunctions").get_paginator("get_execution_history")
        found = {}
        for page in pages.paginate(executionArn=execution_arn(self._stack, order_id)):
            for event in page["events"]:
                if about := event.get("stateExitedEventDetails"):
                    answered = json.loads(about.get("output") or "{}")
                    payload = answered.get("Payload", {}) if isinstance(answered, dict) else {}
                    found[about["name"]] = payload.get("answered_by", "") if isinstance(payload, dict) else ""
        return found


@pytest.fixture(scope="module")
def stack_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.up(state_dir=tmp_path_factory.mktemp("deployments")) as running:
        yield running


@pytest.fixture(scope="module")
def deployed(stack_of_its_own: Stack, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return Deployed(stack_of_its_own, tmp_path_factory.mktemp("trees"))


@pytest.mark.parametrize("direction", ["forwards", "back"])
@pytest.mark.parametrize("life", LIVES, ids=str)
def test_an_order_that_waits_in_a_deployment_ends_well(deployed: Deployed, direction: str, life: Life) -> None:
    ended = deployed.ends[direction, life]
    assert (ended["end"], ended["money"]) == (life.end, TAKEN if life.end == "DELIVERED" else GIVEN_BACK)


@pytest.mark.parametrize("life", [life for life in LIVES if life.end == "DELIVERED"], ids=str)
def test_an_execution_keeps_the_workflow_that_it_began_with_and_calls_the_function_that_is_there(
    deployed: Deployed, life: Life
) -> None:
    forwards, back = deployed.ends["forwards", life], deployed.ends["back", life]
    assert (forwards["handed over"], forwards["version"], forwards["captured by"]) == (False, 1, "the changed one")
    assert (back["handed over"], back["version"], back["captured by"]) == (True, 2, "")


def test_listeners_read_both_versions_and_nothing_is_set_aside(deployed: Deployed, stack_of_its_own: Stack) -> None:
    """A code for each customer whose order was delivered, by an event of whichever version; no dead letter."""
    stack = stack_of_its_own
    delivered = [
        f"{direction}-{number}"
        for direction in ("forwards", "back")
        for number, life in enumerate(LIVES)
        if life.end == "DELIVERED"
    ]
    with closing(Client(stack.outputs, stack.people)) as client:
        for customer in delivered:
            eventually(partial(client.promo_codes, customer), 30, what=f"a code for {customer}")
    sqs = stack.client("sqs")
    for name, url in stack.outputs.items():
        if name.endswith("DeadLetterQueueUrl"):
            asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            assert asked["Attributes"]["ApproximateNumberOfMessages"] == "0", name


def test_of_each_function_there_is_the_version_that_the_alias_points_to_and_no_other(
    deployed: Deployed, stack_of_its_own: Stack
) -> None:
    functions = stack_of_its_own.client("lambda")
    for function in functions.list_functions()["Functions"]:
        name = function["FunctionName"]
        [alias] = functions.list_aliases(FunctionName=name)["Aliases"]
        versions = functions.list_versions_by_function(FunctionName=name)["Versions"]
        assert [version["Version"] for version in versions] == ["$LATEST", alias["FunctionVersion"]]
