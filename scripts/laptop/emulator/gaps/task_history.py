"""An execution's history says which service a task called, and with what.

Source: Step Functions API reference, `TaskScheduledEventDetails`: `resourceType`, `resource`, `region`, `parameters`.
MiniStack writes the state's `Resource` only: nobody could read from the history which event was put on the bus.
"""

import json
from typing import Any

from ministack.core.responses import get_region
from ministack.services import stepfunctions

from .execution_ends import current


def fill() -> None:
    """Complete the event that was written just before the call."""
    invoke, wait = stepfunctions._invoke_resource, stepfunctions._invoke_with_callback

    def invoke_resource(resource: str, data: Any) -> Any:
        _complete(resource, data)
        return invoke(resource, data)

    def invoke_with_callback(resource: str, data: Any, *rest: Any) -> Any:
        _complete(resource, data)
        return wait(resource, data, *rest)

    stepfunctions._invoke_resource = invoke_resource
    stepfunctions._invoke_with_callback = invoke_with_callback


def _complete(resource: str, data: Any) -> None:
    execution = current.get()
    if execution is None or not resource.startswith("arn:aws:states:::"):
        return
    service, _, operation = resource.removeprefix("arn:aws:states:::").rpartition(":")
    for event in reversed(execution["events"]):
        if event["type"] == "TaskScheduled":
            event["taskScheduledEventDetails"] = {
                "resourceType": service,
                "resource": operation,
                "region": get_region(),
                "parameters": json.dumps(data),
            }
            return
