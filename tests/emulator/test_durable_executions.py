"""Lambda durable functions as `examples/durable` relies on them: starts, resumptions, versions, ends, permissions."""

import io
import json
import textwrap
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError
from laptop import environment
from worlds.emulator import World, allow_events, unique
from worlds.polling import eventually

# Three hours, and a clock of sixty: three minutes here, which no test waits for unless it says so.
THREE_HOURS = 10800
SPEAK = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
WAITS = """
    from aws_durable_execution_sdk_python import durable_execution
    from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

    @durable_execution
    def handler(event, context):
        began = context.step(lambda _: CODE, "begin")
        waits = context.create_callback("wait", CallbackConfig(timeout=Duration.from_seconds(event.get("seconds", 0))))
        return [began, waits.result()]
"""


def archive(source: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("app.py", textwrap.dedent(source))
    return packed.getvalue()


def durable(world: World, source: str, seconds: int = THREE_HOURS, role: str | None = None) -> str:
    """Name of a new durable function, whose alias `live` is its first version."""
    name = unique("durable")
    world.functions.create_function(
        FunctionName=name,
        Runtime=environment.runtime(),
        Role=role or world.admin,
        Handler="app.handler",
        Code={"ZipFile": archive(source)},
        Timeout=30,
        DurableConfig={"ExecutionTimeout": seconds, "RetentionPeriodInDays": 1},
    )
    publish(world, name)
    return name


def publish(world: World, name: str) -> None:
    version = world.functions.publish_version(FunctionName=name)["Version"]
    known = {one["Name"] for one in world.functions.list_aliases(FunctionName=name)["Aliases"]}
    point = world.functions.update_alias if "live" in known else world.functions.create_alias
    point(FunctionName=name, Name="live", FunctionVersion=version)


def start(world: World, name: str, order: str = "ord_1", **given: Any) -> str:
    """ARN of an execution that is started asynchronously."""
    answer = world.functions.invoke(
        FunctionName=name, Qualifier="live", InvocationType="Event", DurableExecutionName=order,
        Payload=json.dumps(given),
    )  # fmt: skip
    assert answer["StatusCode"] == 202
    return str(answer["DurableExecutionArn"])


def history(world: World, arn: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = world.functions.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    return events


def callback(world: World, arn: str) -> str:
    """Id of the callback that an execution waits for."""

    def waiting() -> str | None:
        events = history(world, arn)
        if events[-1]["EventType"] != "InvocationCompleted":
            return None
        return next((e["CallbackStartedDetails"]["CallbackId"] for e in events if "CallbackStartedDetails" in e), None)

    return eventually(waiting, what="a callback")


def complete(world: World, callback_id: str, result: str = '"yes"') -> None:
    world.functions.send_durable_execution_callback_success(CallbackId=callback_id, Result=result)


def end_of(world: World, arn: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        known: dict[str, Any] = world.functions.get_durable_execution(DurableExecutionArn=arn)
        return known if known["Status"] != "RUNNING" else None

    return eventually(ended, what="the end of the execution")


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_a_name_is_one_execution_whether_it_runs_or_is_over(world: World) -> None:
    name = durable(world, WAITS.replace("CODE", "1"))
    first = start(world, name, total=1)
    assert first.split(":")[-1].split("/")[:3] == ["1", "durable-execution", "ord_1"]
    assert start(world, name, total=1) == first
    with pytest.raises(ClientError) as refused:
        start(world, name, total=2)
    assert code(refused) == "DurableExecutionAlreadyStartedException"
    complete(world, callback(world, first))
    assert json.loads(end_of(world, first)["Result"]) == [1, '"yes"']
    assert start(world, name, total=1) == first


def test_a_callback_is_completed_once_and_not_after_the_end(world: World) -> None:
    name = durable(world, WAITS.replace("CODE", "1"))
    answered, stopped = start(world, name, "ord_1"), start(world, name, "ord_2")
    for arn in (answered, stopped):
        callback(world, arn)
    complete(world, callback(world, answered))
    world.functions.stop_durable_execution(DurableExecutionArn=stopped)
    for arn in (answered, stopped):
        end_of(world, arn)
        late = next(
            e["CallbackStartedDetails"]["CallbackId"] for e in history(world, arn) if "CallbackStartedDetails" in e
        )
        with pytest.raises(ClientError) as refused:
            complete(world, late)
        assert code(refused) == "CallbackTimeoutException"
    assert end_of(world, stopped)["Status"] == "STOPPED"


def test_an_execution_stays_with_the_version_it_began_with(world: World) -> None:
    name = durable(world, WAITS.replace("CODE", "1"))
    first = start(world, name, "ord_1")
    waits = callback(world, first)
    world.functions.update_function_code(FunctionName=name, ZipFile=archive(WAITS.replace("CODE", "2")))
    eventually(
        lambda: world.functions.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful"
    )
    publish(world, name)
    complete(world, waits)
    second = start(world, name, "ord_2")
    complete(world, callback(world, second))
    assert [json.loads(end_of(world, arn)["Result"])[0] for arn in (first, second)] == [1, 2]


def test_what_waits_too_long_goes_on_by_the_clock_and_three_hours_end_it(world: World) -> None:
    """Two minutes of waiting and ten for the whole: two seconds and ten here."""
    patient = start(world, durable(world, WAITS.replace("CODE", "1"), seconds=600), "ord_1")
    impatient = start(world, durable(world, WAITS.replace("CODE", "2")), "ord_2", seconds=120)
    failed = end_of(world, impatient)
    assert (failed["Status"], failed["Error"]["ErrorType"].rpartition(".")[2]) == ("FAILED", "CallbackTimeoutError")
    assert end_of(world, patient)["Status"] == "TIMED_OUT"
    assert history(world, patient)[-1]["EventType"] == "ExecutionTimedOut"


def test_each_change_of_status_is_told_on_the_default_bus(world: World) -> None:
    name = durable(world, WAITS.replace("CODE", "1"))
    queue, arn = world.queue(allow_events)
    function = world.functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    pattern = {"source": ["aws.lambda"], "detail": {"functionArn": [{"prefix": function}]}}
    events, rule = world.client("events"), unique("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    execution = start(world, name)
    callback(world, execution)
    world.functions.stop_durable_execution(DurableExecutionArn=execution)
    began, ended = (world.next_message(queue) for _ in range(2))
    assert {event["detail-type"] for event in (began, ended)} == {"Durable Execution Status Change"}
    assert [event["detail"]["status"] for event in (began, ended)] == ["RUNNING", "STOPPED"]
    assert (ended["detail"]["durableExecutionName"], ended["detail"]["functionArn"]) == ("ord_1", f"{function}:1")
    assert "endTimestamp" in ended["detail"]


def test_an_environment_that_dies_in_the_middle_is_called_again_and_a_step_is_tried_again(world: World) -> None:
    queue, _ = world.queue()
    source = f"""
        import os
        import boto3
        from aws_durable_execution_sdk_python import durable_execution

        def told(what):
            boto3.client("sqs").send_message(QueueUrl={queue!r}, MessageBody='"' + what + '"')

        def dies(step):
            told("dies")
            if not os.path.exists(os.environ["TMPDIR"] + "/{queue.rpartition("/")[2]}"):
                open(os.environ["TMPDIR"] + "/{queue.rpartition("/")[2]}", "w").close()
                os._exit(1)
            return step.attempt

        def fails(step):
            told("fails")
            if step.attempt < 3:
                raise ValueError(step.attempt)
            return step.attempt

        @durable_execution
        def handler(event, context):
            return [context.step(dies, "dies"), context.step(fails, "fails")]
    """
    execution = start(world, durable(world, source))
    assert json.loads(end_of(world, execution)["Result"]) == [1, 3]
    assert [world.next_message(queue) for _ in range(5)] == ["dies", "dies", "fails", "fails", "fails"]
    again = [
        e["StepFailedDetails"]["RetryDetails"]["CurrentAttempt"]
        for e in history(world, execution)
        if "StepFailedDetails" in e
    ]
    assert again == [1, 2]


def test_a_function_without_leave_to_keep_its_history_fails(world: World) -> None:
    name = durable(world, WAITS.replace("CODE", "1"), role=world.role([SPEAK]))
    failed = end_of(world, start(world, name))
    assert failed["Status"] == "FAILED"
    assert "CheckpointDurableExecution" in failed["Error"]["ErrorMessage"]
