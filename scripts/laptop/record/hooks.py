"""What the emulator's process writes into the laptop's record as it happens. AWS remembers by itself.

Execution histories, function logs and events go when the emulator goes; with these hooks they can be read afterwards.
"""

import contextlib
import json
import time
from datetime import datetime
from functools import cache
from typing import Any

from .. import clock
from .store import Record


@cache
def record() -> Record | None:
    """This process's record, if the launcher asked for one."""
    return Record.from_environment()


def close() -> None:
    """Write what is left."""
    kept = record()
    if kept is not None:
        kept.close()


def parsed(text: Any) -> Any:
    """JSON as an object; an empty one if it is none."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return {}


def fill() -> None:
    """Listen to Step Functions, Lambda and EventBridge."""
    kept = record()
    if kept is not None:
        _executions(kept)
        _logs(kept)
        _events(kept)


def _executions(kept: Record) -> None:
    from ministack.services import stepfunctions

    run, add_event = stepfunctions._run_execution, stepfunctions._add_event

    def describe(execution: dict[str, Any]) -> None:
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) or {}
        fields = (
            "executionArn",
            "stateMachineArn",
            "name",
            "status",
            "startDate",
            "stopDate",
            "input",
            "error",
            "cause",
        )
        description = {name: execution.get(name) for name in fields}
        description["clock"] = clock.of(execution).rate
        kept.add_execution(
            description, machine.get("definition", "{}"), _order_of(execution), _moment(execution["startDate"])
        )

    def run_execution(arn: str) -> Any:
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return run(arn)
        describe(execution)
        for event in execution["events"]:
            kept.add_history(arn, event, _moment(event["timestamp"]))
        return run(arn)

    def add_and_keep(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
        event = add_event(execution, event_type, details)
        previous = execution["events"][-2] if len(execution["events"]) > 1 else None
        if previous is not None and previous["type"] == "TaskScheduled":
            # Its parameters are filled in after it is added.
            kept.add_history(execution["executionArn"], previous, _moment(previous["timestamp"]))
        kept.add_history(execution["executionArn"], event, _moment(event["timestamp"]))
        if event_type.startswith("Execution"):
            describe(execution)
        return event

    stepfunctions._run_execution = run_execution
    stepfunctions._add_event = add_and_keep


def _order_of(execution: dict[str, Any]) -> str | None:
    """The order that an execution is about: its input names it, directly or as a status event's execution."""
    given = parsed(execution["input"])
    detail = given.get("detail") if isinstance(given, dict) else None
    name = given.get("order_id") or (detail or {}).get("name") if isinstance(given, dict) else None
    return str(name) if name else None


def _logs(kept: Record) -> None:
    from ministack.services import lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def emit_lambda_logs(function: dict[str, Any], request_id: str, text: str, *rest: Any, **more: Any) -> Any:
        name = (function.get("config") or function).get("FunctionName", "unknown")
        now = time.time()
        for line in (text or "").splitlines():
            said = parsed(line) if line.startswith("{") else {}
            # Metrics in the embedded format are no log lines.
            if line.strip() and "_aws" not in said:
                at = _moment(said["timestamp"]) if isinstance(said.get("timestamp"), str) else now
                kept.add_log(at, name, request_id, said.get("order_id"), line)
        return emit(function, request_id, text, *rest, **more)

    lambda_svc._emit_lambda_logs = emit_lambda_logs


def _events(kept: Record) -> None:
    from ministack.services import eventbridge

    dispatch = eventbridge._dispatch_event

    def dispatch_event(event: dict[str, Any], view: Any = None) -> Any:
        if str(event.get("Source", "")).startswith("tiffin."):
            # Step Functions hands it over as it is; PutEvents takes text.
            detail = event["Detail"] if isinstance(event["Detail"], dict) else parsed(event["Detail"])
            order_id = (detail.get("metadata") or {}).get("order_id")
            kept.add_event(
                {
                    "id": event["EventId"],
                    "source": event["Source"],
                    "detail-type": event["DetailType"],
                    "detail": detail,
                },
                order_id,
                time.time(),
            )
        return dispatch(event, view)

    eventbridge._dispatch_event = dispatch_event


def _moment(text: str) -> float:
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    return time.time()
