"""What an execution did, by its history: a visit for each stay in a state, an attempt for each call of a task."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from support.facts import Execution, LogLine, redacted


@dataclass
class Attempt:
    """One call of a task, of which a retry makes another.

    Attributes:
        service: such as `lambda` or `dynamodb`.
        given, returned: redacted.
    """

    at: float
    service: str
    operation: str
    given: Any = None
    returned: Any = None
    ended: float | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def write(self) -> dict[str, Any]:
        """What it wrote on the order, alone or first of several writes; nothing, if it is no write."""
        if not isinstance(self.given, dict) or self.operation not in {"updateItem", "transactWriteItems"}:
            return {}
        return dict(self.given["TransactItems"][0]["Update"] if "TransactItems" in self.given else self.given)

    @property
    def entered(self) -> str | None:
        """The status that it wrote on the order, if it did: the workflows' writes call it `:entered`."""
        status: str | None = (self.write.get("ExpressionAttributeValues", {}).get(":entered") or {}).get("S")
        return None if self.error else status


@dataclass
class Visit:
    """One stay in a state.

    Attributes:
        workflow: `order` or `unwind`.
        execution: the ARN of the execution.
        waits: whether it waits for somebody's callback.
        left: epoch seconds; None while it is there, or if the execution ended there.
    """

    workflow: str
    state: str
    kind: str
    waits: bool
    entered: float
    left: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    given: Any = None
    returned: Any = None
    logs: list[LogLine] = field(default_factory=list)
    execution: str = ""

    @property
    def failed(self) -> bool:
        """Whether its last attempt failed."""
        return bool(self.attempts and self.attempts[-1].error)


def visits_of(execution: Execution) -> Iterator[Visit]:
    """Read a history (Step Functions API reference, `HistoryEvent`)."""
    states = execution.definition.get("States", {})
    visit: Visit | None = None
    for event in execution.history:
        at, kind = event["timestamp"], event["type"]
        details: dict[str, Any] = next((v for k, v in event.items() if k.endswith("EventDetails") and v), {})
        if kind.endswith("StateEntered"):
            name = details["name"]
            waits = ".waitForTaskToken" in str(states.get(name, {}).get("Resource", ""))
            given = redacted(_parsed(details.get("input")))
            visit = Visit(
                execution.kind, name, kind.removesuffix("StateEntered"), waits, at, given=given, execution=execution.arn
            )
            yield visit
        elif visit is None:
            continue
        elif kind == "TaskScheduled":
            service = str(details.get("resourceType", "")).removeprefix("aws-sdk:")
            operation = str(details.get("resource", "")).partition(".")[0]
            given = redacted(_parsed(details.get("parameters")))
            visit.attempts.append(Attempt(at, service, operation, given))
        elif kind in ("TaskSucceeded", "TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"):
            if visit.attempts:
                last = visit.attempts[-1]
                last.ended = at
                if kind == "TaskSucceeded":
                    last.returned = redacted(_parsed(details.get("output")))
                else:
                    last.error = details.get("error") or "States.Timeout"
                    last.cause = _said(details.get("cause"))
        elif kind.endswith("StateExited"):
            visit.left = at
            visit.returned = redacted(_parsed(details.get("output")))
        elif kind in ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"):
            visit = None


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def _said(cause: Any) -> str | None:
    """A function's error message out of the JSON that Step Functions makes of it."""
    parsed = _parsed(cause)
    if isinstance(parsed, dict):
        return str(parsed.get("errorMessage", ""))[:500]
    return str(cause)[:500] if cause else None
