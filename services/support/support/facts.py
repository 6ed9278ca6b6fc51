"""What is known of one order before anybody has thought about it, whichever source it came from."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

# Fields of an order that say who somebody is, where they live, how they pay, or that are a key to something.
_PRIVATE = frozenset(
    {"name", "address", "delivery", "note", "phone", "email", "paymentmethod", "tasktoken", "token", "authorization"}
)
HIDDEN = "[hidden]"


class UnknownOrder(Exception):
    """No source knows the order."""

    def __init__(self, order_id: str, where: str) -> None:
        super().__init__(f"Nothing is known of {order_id} {where}.")


@dataclass(frozen=True)
class Execution:
    """One execution of a state machine.

    Attributes:
        kind: `order` or `unwind`.
        started, stopped: epoch seconds; it runs while there is no `stopped`.
        given: its input, parsed.
        history: events as `GetExecutionHistory` gives them, oldest first, `timestamp` in epoch seconds.
        definition: the state machine's ASL.
        clock: how much faster time passed for it; 1 except on a laptop that was told so.
    """

    arn: str
    kind: str
    name: str
    status: str
    started: float
    stopped: float | None
    given: dict[str, Any]
    history: list[dict[str, Any]]
    definition: dict[str, Any]
    error: str | None = None
    cause: str | None = None
    clock: float = 1.0


@dataclass(frozen=True)
class LogLine:
    """One line that a function wrote about the order.

    Attributes:
        at: epoch seconds.
        fields: the structured record, redacted.
    """

    at: float
    service: str
    level: str
    message: str
    trace_id: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class BusEvent:
    """One event that the order put on the bus.

    Attributes:
        occurred_at: epoch seconds, as the event says.
    """

    event_id: str
    name: str
    source: str
    occurred_at: float
    data: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What the order's own row says of its life; nothing of who ordered but the id.

    Attributes:
        placed, deadline: epoch seconds.
        reason: why it ended, as the workflow wrote it; empty if it did not.
        entered: when it came into each status, epoch seconds.
    """

    status: str
    customer_id: str
    placed: float
    deadline: float | None
    reason: dict[str, str]
    entered: dict[str, float]


class StoryPart(StrEnum):
    """A part of an order's story."""

    WORKFLOW = "workflow"
    UNWIND = "unwind"
    EVENTS = "events"
    TRACES = "traces"
    LOGS = "logs"
    TIMELINE = "timeline"


class MissingReason(StrEnum):
    """Why a part is missing, or some of it."""

    THROTTLED = "throttled"
    REFUSED = "refused"
    FAILED = "failed"
    OUT_OF_TIME = "out_of_time"
    TOO_OLD = "too_old"
    TOO_MUCH = "too_much"
    NOT_FOUND = "not_found"


PASSING = frozenset({MissingReason.THROTTLED, MissingReason.FAILED, MissingReason.OUT_OF_TIME})
"""What may be otherwise when it is asked for again."""


@dataclass(frozen=True)
class Missing:
    """A part of the story that could not be had, or not whole.

    Attributes:
        detail: a sentence for a person, with nothing in it of what was asked or answered.
    """

    part: StoryPart
    why: MissingReason
    detail: str


@dataclass
class Facts:
    """Everything about one order."""

    order_id: str
    source: str
    executions: list[Execution] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    events: list[BusEvent] = field(default_factory=list)
    row: Row | None = None
    missing: list[Missing] = field(default_factory=list)


def redacted(value: Any) -> Any:
    """A value without what is private in it; JSON in strings is looked into.

    Args:
        value: anything that JSON has.
    """
    if isinstance(value, dict):
        # DynamoDB's placeholders are the fields' names with a mark in front.
        return {
            key: HIDDEN if re.sub(r"[^a-z]", "", str(key).lower()) in _PRIVATE else redacted(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return redacted(json.loads(value))
        except ValueError:
            return value
    return value


def unquoting(cause: str) -> str:
    """A cause without what it quotes: Step Functions repeats a state's input in some (`States.Runtime`)."""
    return re.split(r"[\[{]", cause, maxsplit=1)[0].strip(" '\"")


def seconds(moment: Any) -> float:
    """A moment in epoch seconds, whether boto3 made it a datetime, the record kept its text, or it is a number."""
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, str):
        return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    return float(moment)


def log_line(at: float, text: str) -> LogLine | None:
    """Read a structured log line; None if it is not one, or is metrics in the embedded format."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    if not isinstance(said, dict) or "_aws" in said or "message" not in said:
        return None
    when = seconds(said["timestamp"]) if isinstance(said.get("timestamp"), str) else at
    clean = redacted(said)
    return LogLine(
        when,
        str(said.get("service", "")),
        str(said.get("level", "INFO")),
        str(clean["message"]),
        str(said.get("xray_trace_id", "")),
        clean,
    )


def bus_event(name: str, source: str, detail: Any) -> BusEvent | None:
    """Read an event; None if it is not one of Tiffin's."""
    if isinstance(detail, str):
        try:
            detail = json.loads(detail)
        except ValueError:
            return None
    metadata = detail.get("metadata") if isinstance(detail, dict) else None
    if not metadata:
        return None
    return BusEvent(
        metadata["event_id"], name, source, seconds(metadata["occurred_at"]), redacted(detail.get("data", {}))
    )


def announced(execution: Execution) -> list[BusEvent]:
    """The events that an execution put on the bus, by its history."""
    found = []
    for event in execution.history:
        details = event.get("taskScheduledEventDetails") or {}
        if details.get("resource") == "putEvents":
            for entry in json.loads(details.get("parameters") or "{}").get("Entries", []):
                read = bus_event(entry.get("DetailType", ""), entry.get("Source", ""), entry.get("Detail"))
                found += [read] if read else []
    return found


def once(events: Iterable[BusEvent | None]) -> list[BusEvent]:
    """Each event once, however often it was announced."""
    unique: dict[str, BusEvent] = {}
    for event in events:
        if event:
            unique.setdefault(event.event_id, event)
    return list(unique.values())


def read_execution(
    kind: str, described: Mapping[str, Any], definition: str, history: list[dict[str, Any]]
) -> Execution:
    """An execution, from what Step Functions says of it.

    Args:
        kind: `order` or `unwind`.
        described: as `DescribeExecution` answers.
        definition: the ASL that it runs by; what is none is told without a drawing.
        history: see `Execution`.
    """
    try:
        drawn = json.loads(definition)
    except ValueError:
        drawn = {}
    stopped = described.get("stopDate")
    return Execution(
        arn=described["executionArn"],
        kind=kind,
        name=described["name"],
        status=described["status"],
        started=seconds(described["startDate"]),
        stopped=seconds(stopped) if stopped else None,
        given=json.loads(described.get("input") or "{}"),
        history=history,
        definition=drawn,
        error=described.get("error"),
        cause=described.get("cause"),
        clock=float(described.get("clock", 1.0)),
    )
