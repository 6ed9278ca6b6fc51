"""The optimised `events:putEvents` fails if an entry was refused, and says which execution an event came from.

Source: Step Functions developer guide, "Add EventBridge events with Step Functions": the task fails with
`EventBridge.FailedEntry` if `FailedEntryCount` is not zero, and the ARNs of execution and state machine are added to
each entry's `Resources`. MiniStack succeeds in either case, and adds nothing.
"""

from typing import Any

from ministack.services import stepfunctions

from .execution_ends import current

_RESOURCE = "arn:aws:states:::events:putEvents"


def fill() -> None:
    """Wrap the integration's entry in the dispatch table."""
    put = stepfunctions._SERVICE_DISPATCH[_RESOURCE]

    def put_events(resource: str, data: dict[str, Any]) -> Any:
        execution = current.get()
        origin = [execution["executionArn"], execution["stateMachineArn"]] if execution else []
        entries = [{**entry, "Resources": [*entry.get("Resources", []), *origin]} for entry in data.get("Entries", [])]
        result = put(resource, {**data, "Entries": entries})
        if result.get("FailedEntryCount"):
            refused = [entry for entry in result["Entries"] if "ErrorCode" in entry]
            raise stepfunctions._ExecutionError(
                "EventBridge.FailedEntry", "; ".join(f"{e['ErrorCode']}: {e.get('ErrorMessage', '')}" for e in refused)
            )
        return result

    stepfunctions._SERVICE_DISPATCH[_RESOURCE] = put_events
