"""Faults on demand, at the boundary between Tiffin and AWS: loaded only where `TIFFIN_FAULTS` names a port.

Nothing of Tiffin knows of this. A rule says at which point, for which order and on which occasion something shall go
wrong, and how; whoever runs the experiment posts rules to the port on 127.0.0.1, and reads how often each one struck.
The same point is met however it is reached: by a function over HTTP, or by a state machine in the emulator's process.

| point | what passes it | its attributes, besides `order` |
|---|---|---|
| `api` | a call to DynamoDB, EventBridge or Step Functions | `operation`, `table`, `name` (of events), `state` |
| `target` | an event on its way to a rule's target | `target`, `name`, `event_id` |
| `function` | an invocation of a Lambda function | `function`, `operation` (of payments, or method and path) |
| `state` | an execution in a state | `machine`, `state`, `moment`: `before`, `during` or `after` its effect |
| `patience` | a task's `TimeoutSeconds` | `machine`, `state` |
"""

import contextvars
import fnmatch
import hashlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json, json_response
from ministack.services import dynamodb, eventbridge, lambda_svc, stepfunctions

from .. import callers, clock
from ..environment import HOST
from .gaps.execution_ends import current

PORT = "TIFFIN_FAULTS"
# An order, or the sandbox gateway's reference of its payment.
_ORDER = re.compile(r"ord_[a-z2-7]{26}|pi_sandbox_[0-9a-f]{24}")
_state: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar("state", default=("", ""))
Call = Callable[[], Any]


@dataclass
class Rule:
    """One thing that shall go wrong.

    Attributes:
        id: names it in the report.
        point: where; see the module.
        action: how; each point's function says what it knows.
        order: for this order only; any, if empty.
        match: attributes by shell patterns; all must fit.
        skip: how many occasions pass unharmed first.
        times: how many occasions it strikes.
        seconds: how long, for actions that take time.
        error: the name of the error, for actions that fail.
        struck: how often it has struck.
    """

    id: str
    point: str
    action: str
    order: str = ""
    match: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    error: str = ""
    struck: int = 0
    seen: int = 0

    def strikes(self, attributes: dict[str, str]) -> bool:
        """Whether it fits, and this is one of its occasions."""
        if not all(fnmatch.fnmatchcase(attributes.get(key, ""), pattern) for key, pattern in self.match.items()):
            return False
        self.seen += 1
        if not self.skip < self.seen <= self.skip + self.times:
            return False
        self.struck += 1
        return True


class Book:
    """The rules in force, found by order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: dict[str, list[Rule]] = {}
        self._aliases: dict[str, str] = {}
        self._workers: dict[str, lambda_runtime.Worker] = {}

    def add(self, rules: Iterable[Rule]) -> None:
        """Put rules in force."""
        with self._lock:
            for rule in rules:
                self._rules.setdefault(rule.order, []).append(rule)
                if rule.order:
                    reference = "pi_sandbox_" + hashlib.sha256(rule.order.encode()).hexdigest()[:24]
                    self._aliases |= {rule.order: rule.order, reference: rule.order}

    def lift(self, ids: set[str]) -> None:
        """Take rules out of force; they stay in the report."""
        with self._lock:
            for rule in self._all():
                if rule.id in ids:
                    rule.times = 0

    def report(self) -> dict[str, int]:
        """How often each rule struck, by id."""
        with self._lock:
            struck: dict[str, int] = {}
            for rule in self._all():
                struck[rule.id] = struck.get(rule.id, 0) + rule.struck
            return struck

    def pick(self, point: str, attributes: dict[str, str], about: Any) -> Rule | None:
        """The rule that strikes now, if one does.

        Args:
            point: where we are.
            attributes: what rules may match.
            about: what the orders are read from: text, or what can be made JSON.
        """
        if not self._rules:
            return None
        orders = self.orders(about)
        with self._lock:
            for key in [*orders, ""]:
                for rule in self._rules.get(key, ()):
                    if rule.point == point and rule.strikes(attributes):
                        return rule
        return None

    def orders(self, about: Any) -> list[str]:
        """The orders with rules that a text or document speaks of."""
        text = about if isinstance(about, str) else json.dumps(about, default=str)
        named = {self._aliases.get(name) for name in _ORDER.findall(text)}
        return sorted(name for name in named if name)

    def serving(self, order: str, worker: "lambda_runtime.Worker | None") -> None:
        """Remember which worker serves an order."""
        with self._lock:
            if worker is None:
                self._workers.pop(order, None)
            else:
                self._workers[order] = worker

    def kill(self, order: str) -> bool:
        """SIGKILL the worker that serves an order."""
        with self._lock:
            worker = self._workers.get(order)
        return worker is not None and _kill(worker)

    def _all(self) -> list[Rule]:
        return [rule for rules in self._rules.values() for rule in rules]


book = Book()


def fill() -> None:
    """Wrap the points, and open the port."""
    for operation in ("PutItem", "GetItem", "BatchGetItem", "UpdateItem", "Query", "TransactWriteItems"):
        _wrap(dynamodb, "_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower(), operation)
    for operation in ("StartExecution", "StopExecution", "SendTaskSuccess"):
        _wrap(stepfunctions, "_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower(), operation)
    _fill_events()
    _fill_functions()
    _fill_states()
    server = ThreadingHTTPServer((HOST, int(os.environ[PORT])), _Control)
    threading.Thread(target=server.serve_forever, daemon=True, name="faults").start()


# --- Calls to AWS -----------------------------------------------------------------------------------------------------


def _wrap(module: Any, name: str, operation: str) -> None:
    original = getattr(module, name)

    def handler(data: dict[str, Any], *rest: Any) -> Any:
        return _call(operation, data, lambda: original(data, *rest))

    setattr(module, name, handler)


def _call(operation: str, data: dict[str, Any], call: Call, name: str = "") -> Any:
    """Pass a call, or do what a rule says.

    `refuse`: it never happens, and is answered with an error. `lose`: it happens, and is answered with an error.
    `kill`: the worker that made it dies before it happens; `kill-after`: after. `drop`: it is answered as done and is
    not.
    """
    machine, state = _state.get()
    attributes = {
        "operation": operation,
        "table": _table(data),
        "name": name,
        "machine": machine,
        "state": state,
    }
    token = stepfunctions._task_tokens.get(data.get("taskToken")) if "taskToken" in data else None
    about = str(token["execution"]["name"]) if token and token["execution"] else data
    rule = book.pick("api", attributes, about)
    if rule is None:
        return call()
    match rule.action:
        case "refuse":
            return _refusal(rule)
        case "lose":
            call()
            return _refusal(rule)
        case "kill":
            book.kill(rule.order)
            return _refusal(rule)
        case "kill-after":
            answer = call()
            book.kill(rule.order)
            return answer
        case "drop":
            return json_response({"FailedEntryCount": 0, "Entries": [{"EventId": "lost"}]})
        case action:
            raise ValueError(f"{action} is no action at api")


def _table(data: dict[str, Any]) -> str:
    if "TableName" in data:
        return str(data["TableName"])
    actions = [next(iter(item.values())) for item in data.get("TransactItems", [])]
    return str(actions[0]["TableName"]) if actions else next(iter(data.get("RequestItems", {})), "")


def _refusal(rule: Rule) -> Any:
    error = rule.error or "InternalServerError"
    client = error.endswith("Exception") and not error.startswith("Internal")
    return error_response_json(error, "Injected by the fault run.", 400 if client else 500)


# --- Events -----------------------------------------------------------------------------------------------------------


def _fill_events() -> None:
    put, deliver = eventbridge._put_events, eventbridge._invoke_target

    def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        entries = data.get("Entries", [])
        names = ",".join(str(entry.get("DetailType", "")) for entry in entries)
        attributes = {"operation": "PutEvents", "name": names, "state": _state.get()[1], "machine": _state.get()[0]}
        rule = book.pick("entry", attributes, data)
        if rule is None:
            return _call("PutEvents", data, lambda: put(data, allow_aws_source), names)
        # One entry is refused though the call succeeds, as PutEvents does it.
        *_, body = put({**data, "Entries": entries[1:]}, allow_aws_source)
        answer = json.loads(body)
        answer["Entries"].insert(0, {"ErrorCode": rule.error or "InternalFailure", "ErrorMessage": "Injected."})
        answer["FailedEntryCount"] += 1
        return json_response(answer)

    def invoke_target(target: dict[str, Any], event: dict[str, Any], rule_: dict[str, Any], view: Any = None) -> Any:
        """`drop` the event, deliver it `times` times (`repeat`), or `delay` it."""
        attributes = {"target": str(target.get("Arn", "")), "name": str(event.get("DetailType", ""))}
        # Of a status event only the execution's name says which order it is about: an unwind is an execution too.
        rule = book.pick("target", attributes, event.get("Detail", ""))
        match rule.action if rule else "":
            case "drop":
                return None
            case "repeat":
                for _ in range(int(rule.seconds) if rule else 0):
                    deliver(target, event, rule_, view)
                return None
            case "delay":
                _later(_enough(rule), lambda: deliver(target, event, rule_, view))
                return None
            case _:
                return deliver(target, event, rule_, view)

    eventbridge._put_events, eventbridge._invoke_target = put_events, invoke_target


def _enough(rule: Rule | None) -> float:
    """A rule's seconds, on this machine: what is to come too late shall do so on a slow one, too."""
    return clock.current().enough_seconds(rule.seconds if rule else 0)


def _later(seconds: float, call: Call) -> None:
    # The stores are scoped by account and region, which are context variables.
    timer = threading.Timer(seconds, contextvars.copy_context().run, (call,))
    timer.daemon = True
    timer.start()


# --- Functions --------------------------------------------------------------------------------------------------------


def _fill_functions() -> None:
    execute, invoke = lambda_svc._execute_function_warm, lambda_runtime.Worker.invoke

    def execute_function_warm(function: dict[str, Any], event: Any, request_id: str) -> Any:
        """`raise`: it fails before it did anything; `lose`: after all of it; `delay`: it comes late; `timeout`: it is
        killed in the middle of nothing, and so reported."""
        config = function.get("config") or function
        attributes = {"function": str(config.get("FunctionName", "")), "operation": _operation(event)}
        rule = book.pick("function", attributes, event)
        match rule.action if rule else "":
            case "raise":
                return _raised(rule)
            case "timeout":
                return _raised(rule, "Sandbox.Timedout")
            case "lose":
                execute(function, event, request_id)
                return _raised(rule)
            case "delay":
                time.sleep(_enough(rule))
        return execute(function, event, request_id)

    def invoke_worker(self: lambda_runtime.Worker, event: Any, *rest: Any, **more: Any) -> Any:
        orders = book.orders(event)
        for order in orders:
            book.serving(order, self)
        try:
            return invoke(self, event, *rest, **more)
        finally:
            for order in orders:
                book.serving(order, None)

    lambda_svc._execute_function_warm, lambda_runtime.Worker.invoke = execute_function_warm, invoke_worker


def _operation(event: Any) -> str:
    if not isinstance(event, dict):
        return ""
    if "httpMethod" in event:
        return f"{event['httpMethod']} {event.get('path', '')}"
    return str(event.get("operation", ""))


def _raised(rule: Rule | None, default: str = "RuntimeError") -> dict[str, Any]:
    error = (rule.error if rule else "") or default
    return {"body": {"errorType": error, "errorMessage": "Injected by the fault run."}, "error": True, "log": ""}


def _kill(worker: "lambda_runtime.Worker") -> bool:
    process = worker._proc
    if process is None or process.poll() is not None:
        return False
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
        return True
    return False


def kill_workers() -> int:
    """SIGKILL every function worker there is; how many died."""
    with lambda_runtime._lock:
        workers = [worker for pool in lambda_runtime._workers.values() for worker in pool]
    return sum(_kill(worker) for worker in workers)


# --- Executions -------------------------------------------------------------------------------------------------------


def _fill_states() -> None:
    add, invoke, wait = stepfunctions._add_event, stepfunctions._invoke_resource, stepfunctions._invoke_with_callback
    patience = stepfunctions._invoke_resource_with_timeout

    def add_event(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        if kind.endswith("StateEntered") and details:
            machine = execution["stateMachineArn"].rpartition(":")[2]
            _state.set((machine, details["stateEnteredEventDetails"]["name"]))
            event = add(execution, kind, details)
            _at(execution, "before")
            return event
        if kind == "TaskSucceeded":
            _at(execution, "after")
        return add(execution, kind, details)

    def invoke_resource(*arguments: Any) -> Any:
        _at(current.get(), "during")
        return invoke(*arguments)

    def invoke_with_callback(*arguments: Any) -> Any:
        _at(current.get(), "during")
        return wait(*arguments)

    def invoke_resource_with_timeout(resource: str, data: Any, timeout: float) -> Any:
        machine, state = _state.get()
        execution = current.get()
        attributes = {"machine": machine, "state": state}
        rule = book.pick("patience", attributes, _about(execution)) if execution else None
        return patience(resource, data, rule.seconds if rule else timeout)

    stepfunctions._add_event = add_event
    stepfunctions._invoke_resource, stepfunctions._invoke_with_callback = invoke_resource, invoke_with_callback
    stepfunctions._invoke_resource_with_timeout = invoke_resource_with_timeout


def _at(execution: Any, moment: str) -> None:
    """`stop`: somebody stops the execution here. `fail`: it fails here, as a defect in its definition would make it."""
    if execution is None or execution["status"] != "RUNNING":
        return
    machine, state = _state.get()
    rule = book.pick("state", {"machine": machine, "state": state, "moment": moment}, _about(execution))
    if rule is None:
        return
    if rule.action == "stop":
        stepfunctions._stop_execution({"executionArn": execution["executionArn"], "error": "Injected", "cause": ""})
    else:
        raise stepfunctions._ExecutionError(rule.error or "States.Runtime", "Injected by the fault run.")


def _about(execution: Any) -> str:
    # The order workflow is named by the order; the unwind reads the name of the one that died from its input.
    return f"{execution['name']} {execution['input']}"


# --- The port ---------------------------------------------------------------------------------------------------------


class _Control(BaseHTTPRequestHandler):
    """GET: the report. POST /rules: a list of rules. POST /lift: a list of ids. POST /kill: all workers."""

    def parse_request(self) -> bool:
        """Let nobody in whom a web page sent."""
        if not super().parse_request():
            return False
        known = callers.Callers(int(os.environ[PORT]))
        refusal = known.refusal(self.path, self.headers.items())
        if refusal is None:
            return True
        self.close_connection = True
        self._answer(refusal.document(), 403, callers.CONTENT_TYPE)
        return False

    def do_GET(self) -> None:
        self._answer(_json(book.report()))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"[]")
        match self.path:
            case "/rules":
                book.add(Rule(**rule) for rule in asked)
                self._answer(_json(len(asked)))
            case "/lift":
                book.lift(set(asked))
                self._answer(_json(len(asked)))
            case "/kill":
                self._answer(_json(kill_workers()))
            case _:
                self.send_error(404)

    def log_message(self, *_: Any) -> None:
        """Silent: the emulator's log is for what Tiffin does."""

    def _answer(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()
