"""A cold start is seen in a trace: the function's segment has a subsegment for it, and that of a warm one has none."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from worlds.emulator import World
from worlds.polling import eventually

SLOW = """
    import time
    began = time.time()
    time.sleep(0.3)
    def handler(event, context):
        return began
"""


def segments(world: World, function: str) -> list[dict[str, Any]]:
    """The function's own segments, by their start."""
    xray, name = world.client("xray"), function.rpartition(":")[2]
    asked = f'service(id(name: "{name}", type: "AWS::Lambda::Function"))'
    now = datetime.now(UTC)
    found = xray.get_trace_summaries(StartTime=now - timedelta(hours=1), EndTime=now, FilterExpression=asked)
    ids = [summary["Id"] for summary in found["TraceSummaries"]]
    traces = xray.batch_get_traces(TraceIds=ids)["Traces"] if ids else []
    documents = [json.loads(segment["Document"]) for trace in traces for segment in trace["Segments"]]
    own = [document for document in documents if document.get("origin") == "AWS::Lambda::Function"]
    return sorted(own, key=lambda document: float(document["start_time"]))


def traced(world: World) -> str:
    function = world.function(SLOW)
    world.functions.update_function_configuration(FunctionName=function, TracingConfig={"Mode": "Active"})
    return function


def call(world: World, function: str) -> float:
    answer: float = json.load(world.functions.invoke(FunctionName=function)["Payload"])
    return answer


def test_the_invocation_that_an_environment_is_started_for_says_how_long_that_took(world: World) -> None:
    function = traced(world)
    before = time.time()
    began = call(world, function)
    assert call(world, function) == began
    cold, later = eventually(lambda: found if len(found := segments(world, function)) == 2 else None, what="segments")
    [initialization] = cold["subsegments"]
    assert initialization["name"] == "Initialization"
    assert before <= initialization["start_time"] <= began
    assert began + 0.3 <= initialization["end_time"] <= cold["end_time"]
    assert "subsegments" not in later


def test_where_an_environment_was_there_before_nobody_waited_for_it(world: World) -> None:
    function = traced(world)
    which = {"FunctionName": function, "Qualifier": "$LATEST"}
    world.functions.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=1)
    eventually(
        lambda: world.functions.get_provisioned_concurrency_config(**which)["Status"] == "READY", what="an environment"
    )
    call(world, function)
    [only] = eventually(lambda: segments(world, function), what="a segment")
    assert "subsegments" not in only
