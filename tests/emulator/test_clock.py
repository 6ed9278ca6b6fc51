"""The clock of a running emulator: it changes for what begins, and each execution keeps the one that it began with."""

import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from laptop.clock import Clock
from laptop.emulator.launcher import Emulator
from laptop.record.store import FILE, Record
from worlds.emulator import SUCCEED, World
from worlds.polling import eventually

HOUR = 3600
TRUE, FAST = Clock(1), Clock(HOUR)


class Clocked(World):
    """An emulator of its own, whose clock can be set."""

    def __init__(self, state_dir: Path) -> None:
        self.emulator = Emulator(state_dir=state_dir)
        self.state_dir, self.process = state_dir, self.emulator.start()
        super().__init__(self.process.access)

    def set(self, clock: Clock) -> None:
        clock.write(Path(self.process.scratch))

    def status(self, execution: str) -> str:
        return str(self.states.describe_execution(executionArn=execution)["status"])


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clocked]:
    clocked = Clocked(tmp_path_factory.mktemp("clocked"))
    yield clocked
    clocked.emulator.stop()


def waits(world: World) -> dict[str, Any]:
    return {"Wait": {"Type": "Wait", "Seconds": HOUR, "End": True}}


def waits_for_a_callback(world: World) -> dict[str, Any]:
    queue, _ = world.queue()
    return {"Wait": world.waiting_for_callback(queue, TimeoutSeconds=HOUR, End=True)}


def waits_before_it_tries_again(world: World) -> dict[str, Any]:
    function = world.function("def handler(event, context):\n    raise ValueError('again')")
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": HOUR, "MaxDelaySeconds": HOUR, "MaxAttempts": 1}]
    invoke = "arn:aws:states:::lambda:invoke"
    work = {"Type": "Task", "Resource": invoke, "Arguments": {"FunctionName": function}, "Retry": retry, "End": True}
    return {"Work": work}


@pytest.mark.parametrize("states", [waits, waits_for_a_callback, waits_before_it_tries_again])
def test_an_execution_begins_by_the_clock_of_that_moment(clocked: Clocked, states: Any) -> None:
    machine = clocked.machine(states(clocked))
    clocked.set(TRUE)
    by_the_true_one = clocked.start(machine)
    clocked.set(FAST)

    by_the_fast_one = clocked.start(machine)

    clocked.end_of(by_the_fast_one)
    assert clocked.status(by_the_true_one) == "RUNNING"


def test_the_time_of_a_whole_execution_passes_by_the_clock_that_it_began_with(clocked: Clocked) -> None:
    queue, _ = clocked.queue()
    machine = clocked.machine({"Wait": clocked.waiting_for_callback(queue, End=True)}, TimeoutSeconds=HOUR)
    clocked.set(TRUE)
    by_the_true_one = clocked.start(machine)
    clocked.set(FAST)

    by_the_fast_one = clocked.start(machine)

    assert clocked.end_of(by_the_fast_one)["status"] == "TIMED_OUT"
    assert clocked.status(by_the_true_one) == "RUNNING"


def test_an_execution_that_began_by_a_fast_clock_keeps_it(clocked: Clocked) -> None:
    queue, _ = clocked.queue()
    states = {"Begun": clocked.waiting_for_callback(queue, Next="Wait"), **waits(clocked)}
    clocked.set(FAST)
    execution = clocked.start(clocked.machine(states))
    token = clocked.next_message(queue)["token"]
    clocked.set(TRUE)

    clocked.states.send_task_success(taskToken=token, output="{}")

    assert clocked.end_of(execution)["status"] == "SUCCEEDED"


def test_the_record_keeps_the_clock_of_each_execution(clocked: Clocked) -> None:
    machine = clocked.machine({"Done": SUCCEED})
    rates = {}
    for clock in (TRUE, FAST):
        clocked.set(clock)
        execution = clocked.start(machine)
        clocked.end_of(execution)
        rates[execution] = clock.rate
    record = Record(clocked.state_dir / FILE)

    def kept() -> dict[str, float]:
        described = (json.loads(text) for (text,) in record.rows("SELECT description FROM executions"))
        return {each["executionArn"]: each["clock"] for each in described if each["executionArn"] in rates}

    assert eventually(lambda: kept() == rates, what="the keeping of both clocks")
    record.close()


class TestWork:
    """Work is not faster by any clock."""

    BUSY = """
        import time
        def handler(event, context):
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                pass
    """

    def machine(self, world: World, **fields: Any) -> str:
        task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
        function = world.function(self.BUSY, timeout=fields.pop("timeout", 60))
        arguments = {"Arguments": {"FunctionName": function, "Payload": {}}}
        limit = fields.pop("limit", {})
        return world.machine({"Work": {**task, **arguments, **limit}}, **fields)

    def test_a_machine_that_waits_for_nobody_has_its_time_in_full(self, clocked: Clocked) -> None:
        clocked.set(FAST)
        execution = clocked.start(self.machine(clocked, TimeoutSeconds=600))
        assert clocked.end_of(execution)["status"] == "SUCCEEDED"

    def test_a_task_that_works_has_more_time_on_a_slow_machine(self, clocked: Clocked) -> None:
        machine = self.machine(clocked, limit={"TimeoutSeconds": 1})
        clocked.set(Clock(1, 1))
        late = clocked.end_of(clocked.start(machine))
        clocked.set(Clock(1, 60))

        in_time = clocked.end_of(clocked.start(machine))

        assert (late["status"], late["error"]) == ("FAILED", "States.Timeout")
        assert in_time["status"] == "SUCCEEDED"

    def test_a_function_has_more_time_on_a_slow_machine(self, clocked: Clocked) -> None:
        machine = self.machine(clocked, timeout=1)
        clocked.set(Clock(1, 1))
        late = clocked.end_of(clocked.start(machine))
        clocked.set(Clock(1, 60))

        in_time = clocked.end_of(clocked.start(machine))

        assert (late["status"], late["error"]) == ("FAILED", "Sandbox.Timedout")
        assert in_time["status"] == "SUCCEEDED"

    BY_BOTO3 = """
        import boto3
        from botocore.config import Config
        config = Config(read_timeout=1, retries={"total_max_attempts": 1})
        client = boto3.client("dynamodb", endpoint_url="ENDPOINT", config=config)
        def handler(event, context):
            return client.list_tables()["TableNames"]
    """
    BY_HTTP = """
        import http.client, json
        connection = http.client.HTTPConnection("ENDPOINT".removeprefix("http://"), timeout=1)
        def handler(event, context):
            connection.request("POST", "/", b"{}")
            return json.load(connection.getresponse())["TableNames"]
    """

    @pytest.mark.parametrize(
        ("client", "error"), [(BY_BOTO3, "ReadTimeoutError"), (BY_HTTP, "TimeoutError")], ids=["boto3", "http"]
    )
    def test_a_function_waits_longer_for_an_answer_on_a_slow_machine(
        self, clocked: Clocked, slow_answers: str, client: str, error: str
    ) -> None:
        function = clocked.function(client.replace("ENDPOINT", slow_answers))
        clocked.set(Clock(1, 1))
        late = clocked.functions.invoke(FunctionName=function)
        # Connected anew: what is open keeps the time that it was given.
        again = clocked.function(client.replace("ENDPOINT", slow_answers))
        clocked.set(Clock(1, 60))

        in_time = clocked.functions.invoke(FunctionName=again)

        assert json.load(late["Payload"])["errorType"] == error
        assert json.load(in_time["Payload"]) == ["late"]


@pytest.fixture
def slow_answers() -> Iterator[str]:
    """Where a DynamoDB answers after a second and a half."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            Event().wait(1.5)
            body = b'{"TableNames": ["late"]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
