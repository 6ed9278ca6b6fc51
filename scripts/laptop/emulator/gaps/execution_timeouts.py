"""An execution that runs longer than its state machine's `TimeoutSeconds` is TIMED_OUT.

Source: Amazon States Language, "Top-level fields"; Step Functions developer guide, "Workflow timeouts" and "Automating
event delivery with EventBridge". No state runs then and no `Catch`; the record has neither error nor cause, the
history ends in `ExecutionTimedOut`, and the status event says TIMED_OUT and REDRIVABLE. MiniStack ignores the field.
"""

import contextlib
import contextvars
import json
import re
import threading
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import eventbridge, stepfunctions

from ... import clock
from .execution_ends import Execution, ExecutionEnded

_WAITS = re.compile(r'\.waitForTaskToken"|"Type"\s*:\s*"Wait"')


def fill() -> None:
    """Set a timer around the run of an execution."""
    run = stepfunctions._run_execution

    def run_execution(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        seconds = _limit(execution) if execution else None
        if seconds is None:
            run(arn)
            return
        # The stores are scoped by account and region, which are context variables.
        timer = threading.Timer(seconds, contextvars.copy_context().run, (_time_out, execution))
        timer.daemon = True
        timer.start()
        try:
            run(arn)
        finally:
            timer.cancel()

    stepfunctions._run_execution = run_execution


def _limit(execution: Execution) -> float | None:
    """After how many real seconds an execution is out of time; None, if it has no limit.

    A machine that waits for nobody only works, and work is not faster by the clock.
    """
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
    definition = machine["definition"] if machine else "{}"
    try:
        seconds = json.loads(definition).get("TimeoutSeconds")
    except ValueError:
        return None
    if not isinstance(seconds, int):
        return None
    counts = clock.of(execution)
    return counts.real_seconds(seconds) if _WAITS.search(definition) else counts.enough_seconds(seconds)


def _time_out(execution: Execution) -> None:
    with contextlib.suppress(ExecutionEnded):
        execution["status"] = "TIMED_OUT"
        execution["stopDate"] = now_iso()
        stepfunctions._add_event(execution, "ExecutionTimedOut")
        _announce(execution)


def _announce(execution: Execution) -> None:
    detail: dict[str, Any] = {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "name": execution["name"],
        "status": execution["status"],
        "startDate": stepfunctions._iso_to_epoch_ms(execution["startDate"]),
        "stopDate": stepfunctions._iso_to_epoch_ms(execution["stopDate"]),
        "input": execution["input"],
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": None,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "REDRIVABLE",
        "redriveStatusReason": None,
        "error": None,
        "cause": None,
    }
    eventbridge._put_events(
        {
            "Entries": [
                {
                    "Source": "aws.states",
                    "DetailType": "Step Functions Execution Status Change",
                    "Detail": json.dumps(detail),
                    "Resources": [execution["executionArn"]],
                }
            ]
        },
        allow_aws_source=True,
    )
