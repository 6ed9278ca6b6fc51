"""Provisioned concurrency: functions that were started before anybody calls them, and were not called for it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from laptop import functions as warm
from laptop.errors import StartFailed
from worlds.emulator import World
from worlds.polling import eventually

# Says which process it is, and when that began; and tells a queue of each beginning and each call.
BORN = """
    import os, time
    import boto3
    print("INIT happened")
    born = time.time()
    def handler(event, context):
        if event.get("meet"):
            boto3.client("sqs").send_message(QueueUrl=event["meet"], MessageBody="1")
            while True:
                messages = boto3.client("sqs").get_queue_attributes(
                    QueueUrl=event["meet"], AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
                if int(messages["ApproximateNumberOfMessages"]) >= 2:
                    break
        return [os.getpid(), born]
"""


def provision(world: World, function: str, environments: int = 1) -> dict[str, Any]:
    """Ask for environments, and wait until they are there, or are not to be had."""
    which = {"FunctionName": function, "Qualifier": "$LATEST"}
    asked = world.functions.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=environments)
    assert asked["AvailableProvisionedConcurrentExecutions"] == 0

    def settled() -> dict[str, Any] | None:
        config: dict[str, Any] = world.functions.get_provisioned_concurrency_config(**which)
        return config if config["Status"] != "IN_PROGRESS" else None

    return eventually(settled, what="the start of the function")


def call(world: World, function: str, **event: Any) -> tuple[int, float]:
    """Process and birth of the environment that answers."""
    pid, born = json.load(world.functions.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"])
    return pid, born


def logged(world: World, function: str) -> list[str]:
    """What is in the function's log."""
    logs = world.client("logs")
    group = f"/aws/lambda/{function.rpartition(':')[2]}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]


def test_the_first_call_is_answered_by_what_was_started_before_it(world: World) -> None:
    function = world.function(BORN)
    assert provision(world, function)["Status"] == "READY"
    assert logged(world, function) == []
    ready = time.time()

    first, second = call(world, function), call(world, function)

    assert first == second
    assert first[1] < ready
    lines = logged(world, function)
    assert sum("INIT happened" in line for line in lines) == 1
    assert sum(line.startswith("START") for line in lines) == 2


def test_two_calls_at_once_find_an_environment_each(world: World) -> None:
    function = world.function(BORN, timeout=60)
    config = provision(world, function, environments=2)
    assert (config["Status"], config["AvailableProvisionedConcurrentExecutions"]) == ("READY", 2)
    ready = time.time()
    meet, _ = world.queue()

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: call(world, function, meet=meet), range(2)))

    assert len({pid for pid, _ in both}) == 2
    assert all(born < ready for _, born in both)


def test_what_was_started_ends_when_it_is_asked_for_no_more(world: World) -> None:
    function = world.function(BORN)
    provision(world, function)
    before = call(world, function)

    world.functions.delete_provisioned_concurrency_config(FunctionName=function, Qualifier="$LATEST")

    assert call(world, function)[1] > before[1]
    # And may be asked for again.
    assert provision(world, function)["Status"] == "READY"


def test_a_call_that_is_being_answered_is_not_cut_off(world: World) -> None:
    function, (meet, _), sqs = world.function(BORN, timeout=60), world.queue(), world.client("sqs")
    provision(world, function, environments=2)

    def came() -> bool:
        asked = "ApproximateNumberOfMessages"
        found = sqs.get_queue_attributes(QueueUrl=meet, AttributeNames=[asked])["Attributes"]
        return bool(found[asked] == "1")

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, world, function, meet=meet)
        eventually(came, what="the call")
        world.functions.delete_provisioned_concurrency_config(FunctionName=function, Qualifier="$LATEST")
        sqs.send_message(QueueUrl=meet, MessageBody="1")

        # By the one that is left, and whom both found.
        assert answer.result() == call(world, function)


def test_a_function_that_cannot_start_says_why(world: World) -> None:
    config = provision(world, world.function("import no_such_module"))

    assert config["Status"] == "FAILED"
    assert "no_such_module" in config["StatusReason"]


def test_all_functions_are_started_with_progress_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    named = [world.function(BORN).rpartition(":")[2] for _ in range(3)]
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(warm, "names", lambda _: named)

    warm.start(world.access, lambda ready, of: told.append((ready, of)))

    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    ready = time.time()
    assert all(call(world, name)[1] < ready for name in named)


def test_a_function_that_does_not_start_ends_the_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = world.function("import no_such_module").rpartition(":")[2]
    monkeypatch.setattr(warm, "names", lambda _: [broken])

    with pytest.raises(StartFailed, match=f"(?s){broken} does not start: .*no_such_module"):
        warm.start(world.access)
