"""A durable execution's ARN has its name in it, and each change of its status is an event on the default bus.

Source: AWS Lambda developer guide, "Monitoring durable functions" and "Security and permissions for Lambda durable
functions". MiniStack makes ARNs of random parts, and tells nobody.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, lambda_durable

_CHANGES = {"ExecutionStarted", "ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped", "ExecutionTimedOut"}


def fill() -> None:
    """Name executions, and announce what is written into their history."""

    def build_arn(function_arn: str, version: str = "$LATEST", name: str | None = None) -> tuple[str, str, str]:
        named, unique = name or uuid.uuid4().hex, str(uuid.uuid4())
        return f"{function_arn}:{version}/durable-execution/{named}/{unique}", named, unique

    lambda_durable.build_durable_execution_arn = build_arn
    emit = lambda_durable._emit_history_event

    def emit_and_announce(record: dict[str, Any], event_type: str, *rest: Any, **more: Any) -> None:
        emit(record, event_type, *rest, **more)
        if event_type in _CHANGES:
            _announce(record)

    lambda_durable._emit_history_event = emit_and_announce


def _announce(record: dict[str, Any]) -> None:
    detail = {
        "durableExecutionArn": record["DurableExecutionArn"],
        "durableExecutionName": record["DurableExecutionName"],
        "functionArn": f"{record['FunctionArn']}:{record['Version']}",
        "status": record["Status"],
        "startTimestamp": _rfc3339(record["StartTimestamp"]),
    }
    if record["EndTimestamp"]:
        detail["endTimestamp"] = _rfc3339(record["EndTimestamp"])
    entry = {"Source": "aws.lambda", "DetailType": "Durable Execution Status Change", "Detail": json.dumps(detail)}
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
