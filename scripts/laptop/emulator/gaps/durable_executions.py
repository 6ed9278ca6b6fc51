"""A durable execution is invoked from wait to wait until it ends, one invocation at a time, by its version's code.

Source: AWS Lambda developer guide, "Basic concepts" of durable functions; "Retries for Lambda durable functions": an
invocation that failed is repeated, ever later, until the execution timeout; "Invoking Lambda durable functions" and
"Idempotency": a name is one execution, however often it is started with the same input. Durable execution guide,
"Manage executions": a running execution keeps its version. Lambda API reference, `CallbackOptions`: a timeout of 0 is
none.

MiniStack knows no names, forgets what is started asynchronously, never repeats an invocation, resumes beside one that
runs and by the newest code, counts no attempts of a step, and takes a timeout of 0 for one that is over. Time passes by
the clock here, as for a workflow (`laptop.clock`).
"""

import asyncio
import contextvars
import json
import random
import threading
import time
from contextlib import suppress
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_durable, lambda_svc

from ... import clock

_RUNNING = "RUNNING"
# Seconds before an invocation that failed is repeated: the first time, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_locks: dict[str, threading.Condition] = {}
_Record = dict[str, Any]


def fill() -> None:
    """Let this drive all executions; MiniStack keeps their operations and history."""
    lambda_durable.schedule_resume = wake
    _starts()
    _operations()
    _callbacks()


def wake(arn: str, *_: Any, **__: Any) -> bool:
    """Let an execution go on: something that it may wait for has come."""
    with (lock := _lock(arn)):
        record = lambda_durable._executions.get(arn)
        if record is None or record["Status"] != _RUNNING:
            lock.notify_all()
            return False
        record["_Settled"] = record.get("_Settled", 0) + 1
        lock.notify_all()
        return True


def _lock(arn: str) -> threading.Condition:
    return _locks.setdefault(arn, threading.Condition(threading.RLock()))


# --- Beginning --------------------------------------------------------------------------------------------------------


def _starts() -> None:
    invoke = lambda_svc._invoke

    async def invoke_durable(
        name: str, event: Any, headers: dict[str, str], path_qualifier: str | None = None, query_params: Any = None
    ) -> Any:
        function = lambda_svc._functions.get(name)
        kind = headers.get("x-amz-invocation-type") or "RequestResponse"
        if not function or "DurableConfig" not in function["config"] or kind == "DryRun":
            return await invoke(name, event, headers, path_qualifier, query_params)
        qualifier = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier")
        begun = _begun(name, function, qualifier, headers.get("x-amz-durable-execution-name"), json.dumps(event))
        if isinstance(begun, tuple):
            return begun
        told = {"X-Amz-Executed-Version": begun["Version"], "X-Amz-Durable-Execution-Arn": begun["DurableExecutionArn"]}
        if kind == "Event":
            return 202, told, b""
        await asyncio.to_thread(_until_ended, begun)
        if begun["Status"] == "SUCCEEDED":
            return 200, told, (begun["Result"] or "null").encode()
        return 200, told | {"X-Amz-Function-Error": "Unhandled"}, json.dumps(begun["Error"]).encode()

    lambda_svc._invoke = invoke_durable


def _begun(name: str, function: _Record, qualifier: str | None, named: str | None, given: str) -> Any:
    """The execution of a name, which is begun unless there is one; or what a refused start is answered with."""
    # Only a version, an alias or $LATEST is durable (Lambda developer guide, "Invoking Lambda durable functions").
    version = function["aliases"].get(qualifier, {}).get("FunctionVersion", qualifier)
    if version is None:
        message = "You cannot invoke a durable function using an unqualified ARN."
        return error_response_json("InvalidParameterValueException", message, 400)
    code = function if version == "$LATEST" else function["versions"].get(version)
    if code is None:
        return error_response_json("ResourceNotFoundException", f"Function not found: {name}:{qualifier}", 404)
    arn = lambda_svc._func_arn(name)
    with _lock(arn):
        for known in lambda_durable._executions.values():
            if named and known["DurableExecutionName"] == named and known["FunctionArn"] == arn:
                if known["InputPayload"] == given:
                    return known
                message = "A durable execution of this name exists, with another payload."
                return error_response_json("DurableExecutionAlreadyStartedException", message, 409)
        record = lambda_durable.create_execution_for_invoke(arn, version, given, named)
    code = {**code, "config": {**code["config"], "FunctionArn": f"{arn}:{qualifier}"}}
    seconds = clock.current().real_seconds(code["config"]["DurableConfig"]["ExecutionTimeout"])
    # The stores are scoped by account and region, which are context variables.
    timer = threading.Timer(seconds, contextvars.copy_context().run, (_time_out, record))
    timer.daemon = True
    timer.start()
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_drive, record, code, timer), daemon=True).start()
    return record


def _until_ended(record: _Record) -> None:
    with (lock := _lock(record["DurableExecutionArn"])):
        lock.wait_for(lambda: record["Status"] != _RUNNING)


def _time_out(record: _Record) -> None:
    with _lock(record["DurableExecutionArn"]):
        lambda_durable._time_out_execution(record)
    wake(record["DurableExecutionArn"])


# --- Going on ---------------------------------------------------------------------------------------------------------


def _drive(record: _Record, code: _Record, timer: threading.Timer) -> None:
    arn, failed = record["DurableExecutionArn"], 0
    while record["Status"] == _RUNNING:
        seen = record.get("_Settled", 0)
        outcome = _invoked(record, code)
        if outcome is None:
            failed += 1
            pause = min(_FIRST_PAUSE * 2 ** (failed - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 - jitter
            with (lock := _lock(arn)):
                lock.wait_for(lambda: record["Status"] != _RUNNING, clock.current().real_seconds(pause))
            continue
        failed = 0
        with _lock(arn):
            if outcome["Status"] == "PENDING":
                _wait(record, seen)
            else:
                error = outcome.get("Error") or {} if outcome["Status"] == "FAILED" else None
                lambda_durable.mark_execution_completed(arn, outcome.get("Result"), error)
    timer.cancel()
    wake(arn)


def _invoked(record: _Record, code: _Record) -> _Record | None:
    """What the function answered; None if the invocation failed."""
    arn, began = record["DurableExecutionArn"], time.time()
    record["CheckpointToken"] = token = lambda_durable.new_checkpoint_token()
    event = {
        "DurableExecutionArn": arn,
        "CheckpointToken": token,
        "InitialExecutionState": {
            "Operations": lambda_durable._serialize_operations(record["Operations"], for_event=True),
            "NextMarker": "",
        },
    }
    lambda_svc._durable_ctx.set({"arn": arn, "token": token, "name": record["DurableExecutionName"]})
    result = lambda_svc._execute_function(code, event)
    body = result.get("body")
    with suppress(TypeError, ValueError):
        body = json.loads(body) if isinstance(body, str | bytes) else body
    good = not result.get("error") and not result.get("throttle") and isinstance(body, dict) and "Status" in body
    error = None if good else body if isinstance(body, dict) else {"ErrorMessage": str(body)}
    lambda_durable.record_invocation_completed(arn, began, lambda_svc.new_uuid(), error)
    return body if good and isinstance(body, dict) else None


def _wait(record: _Record, seen: int) -> None:
    """Wait until something has come since an invocation began; called with the execution's lock."""
    lock = _lock(record["DurableExecutionArn"])
    while record["Status"] == _RUNNING and record.get("_Settled", 0) == seen:
        due = [moment for each in record["Operations"] if (moment := _due(each)) is not None]
        lock.wait(max(0.0, min(due) - time.time()) if due else None)
        for each in record["Operations"]:
            if (moment := _due(each)) is not None and moment <= time.time():
                _settle(record, each)


def _due(operation: _Record) -> float | None:
    """When an operation's time is over; None if it has none, or has come to its end."""
    match operation["Type"], operation["Status"]:
        case "WAIT", "STARTED":
            return float(operation["WaitDetails"]["ScheduledEndTimestamp"])
        case "STEP", "PENDING":
            return float(operation["StepDetails"]["NextAttemptTimestamp"])
        case "CALLBACK", "STARTED":
            details = operation["CallbackDetails"]
            due = [float(details[name]) for name in ("TimeoutDeadline", "HeartbeatDeadline") if name in details]
            return min(due, default=None)
    return None


def _settle(record: _Record, operation: _Record) -> None:
    record["_Settled"] = record.get("_Settled", 0) + 1
    named = {"event_id": operation["Id"], "name": operation.get("Name")}
    match operation["Type"]:
        case "STEP":
            # Until it is done again it is READY (Lambda API reference, `Operation`).
            operation["Status"] = "READY"
            del operation["StepDetails"]["NextAttemptTimestamp"]
        case "WAIT":
            operation |= {"Status": "SUCCEEDED", "EndTimestamp": time.time()}
            lambda_durable._emit_history_event(record, "WaitSucceeded", "WaitSucceededDetails", {}, **named)
        case "CALLBACK":
            operation |= {"Status": "TIMED_OUT", "EndTimestamp": time.time()}
            error = {"ErrorType": "Callback.Timeout", "ErrorMessage": "Callback timed out"}
            operation["CallbackDetails"]["Error"] = error
            details = {"Error": {"Payload": error, "Truncated": False}}
            lambda_durable._emit_history_event(record, "CallbackTimedOut", "CallbackTimedOutDetails", details, **named)


# --- What MiniStack writes down ---------------------------------------------------------------------------------------


def _operations() -> None:
    apply = lambda_durable._apply_update

    def apply_update(record: _Record, update: _Record) -> None:
        with _lock(record["DurableExecutionArn"]):
            apply(record, update)
            operation = next(each for each in record["Operations"] if each["Id"] == update["Id"])
            began = time.time()
            match operation["Type"], update["Action"]:
                case "WAIT", "START":
                    span = clock.current().real_seconds(update["WaitOptions"]["WaitSeconds"])
                    operation["WaitDetails"]["ScheduledEndTimestamp"] = began + span
                case "CALLBACK", "START":
                    _limit(operation["CallbackDetails"], update.get("CallbackOptions") or {}, began)
                case "STEP", "RETRY":
                    _try_again(record, operation, update, began)

    lambda_durable._apply_update = apply_update


def _limit(details: _Record, options: _Record, began: float) -> None:
    for asked, kept in (("TimeoutSeconds", "TimeoutDeadline"), ("HeartbeatTimeoutSeconds", "HeartbeatDeadline")):
        details.pop(kept, None)
        if seconds := options.get(asked):
            details[kept] = began + clock.current().real_seconds(seconds)


def _try_again(record: _Record, operation: _Record, update: _Record, began: float) -> None:
    details, delay = operation["StepDetails"], update["StepOptions"]["NextAttemptDelaySeconds"]
    details["Attempt"] = details.get("Attempt", 0) + 1
    details["NextAttemptTimestamp"] = began + clock.current().real_seconds(delay)
    operation["Status"] = "PENDING"
    failed = {
        "Error": {"Payload": update.get("Error") or {}, "Truncated": False},
        "RetryDetails": {"CurrentAttempt": details["Attempt"], "NextAttemptDelaySeconds": delay},
    }
    named = {"event_id": operation["Id"], "name": operation.get("Name")}
    lambda_durable._emit_history_event(record, "StepFailed", "StepFailedDetails", failed, **named)


def _callbacks() -> None:
    """A callback is completed once, and while its execution runs."""
    resolve = lambda_durable._resolve_callback

    def resolve_callback(callback_id: str) -> Any:
        record, operation, refused = resolve(callback_id)
        if not refused and record["Status"] != _RUNNING:
            message = "The callback ID token has either expired or the callback has already been closed."
            return None, None, error_response_json("CallbackTimeoutException", message, 400)
        return record, operation, refused

    lambda_durable._resolve_callback = resolve_callback
    for name in ("handle_callback_success", "handle_callback_failure", "handle_callback_heartbeat"):
        setattr(lambda_durable, name, _one_at_a_time(getattr(lambda_durable, name)))


def _one_at_a_time(handle: Any) -> Any:
    def handled(callback_id: str, body: bytes) -> Any:
        entry = lambda_durable._callback_index.get(callback_id)
        with _lock(entry[0] if entry else ""):
            return handle(callback_id, body)

    return handled
