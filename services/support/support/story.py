"""What happened to an order, in one sentence, for whoever asks first and reads no further."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tiffin.events import ORDER_ENDS

from support.facts import Execution, StoryPart, unquoting
from support.timeline import Timeline
from support.visits import Visit

ENDS = frozenset(ORDER_ENDS.values())

_WAITS_FOR = {
    "AwaitRestaurant": "the restaurant to answer",
    "AwaitDispatch": "the courier to leave with it",
    "AwaitDelivery": "the courier to hand it over",
}


@dataclass(frozen=True)
class Story:
    """How it ended, or that it has not.

    Attributes:
        status: the order's end, `OPEN` or, if nobody recorded an end after a death, `DEAD`.
        sentence: the one to read.
        at: when it ended, epoch seconds.
        moments: those that the sentence names, epoch seconds, by the words that it has for them, with how long ago
            each was.
    """

    status: str
    sentence: str
    at: float | None
    moments: Mapping[str, float] = field(default_factory=dict)


def tell(timeline: Timeline, now: float) -> Story:
    """Name the end and its cause.

    Args:
        timeline: the order's.
        now: epoch seconds, for what is still open.
    """
    end = _recorded_end(timeline) or _end_in_the_row(timeline)
    order = timeline.order
    if end is not None:
        status, reason, at = end
        return Story(status, _ended(timeline, status, reason, at), at)
    if order is None:
        if timeline.row and any(one.part is StoryPart.WORKFLOW for one in timeline.missing):
            return Story("OPEN", f"still open: {timeline.row.status}, as its row says; its workflow is not known", None)
        return Story("OPEN", "still open: placed, but its workflow was never started; the reconciler will", None)
    if order.status == "RUNNING":
        return _open(timeline, now)
    return Story("DEAD", _dead(timeline, order), order.stopped)


def _recorded_end(timeline: Timeline) -> tuple[str, dict[str, Any], float] | None:
    """The end that a workflow wrote on the order; the first, as an order ends once.

    It was when the row says, as lists of orders have it; without the row, when the write was answered.
    """
    entered = timeline.row.entered if timeline.row else {}
    for visit in timeline.visits:
        for attempt in visit.attempts:
            status = attempt.entered
            if status in ENDS and attempt.ended is not None:
                reason = attempt.write["ExpressionAttributeValues"].get(":reason") or {}
                at = entered.get(status, attempt.ended)
                return status, {k: v.get("S") for k, v in (reason.get("M") or {}).items()}, at
    return None


def _end_in_the_row(timeline: Timeline) -> tuple[str, dict[str, Any], float] | None:
    """The same by the order's row: of what is older than Step Functions' memory, all there is."""
    row = timeline.row
    if row is None or row.status not in ENDS:
        return None
    return row.status, row.reason, row.entered.get(row.status, timeline.ended)


def _ended(timeline: Timeline, status: str, reason: dict[str, Any], at: float) -> str:
    after = f"{duration(max(0.0, at - timeline.placed))} after placing"
    if timeline.clock != 1 and (status == "EXPIRED" or reason.get("code") == "restaurant_silent"):
        after += f", on a clock {timeline.clock:g} times as fast"
    code, message = reason.get("code"), str(reason.get("message") or "").rstrip(".")
    if status == "DELIVERED":
        network = _network(timeline.visits)
        return f"delivered, and paid{f' with {network}' if network else ''}, {after}"
    if status == "DECLINED":
        return f"payment declined: {reason.get('network')}, {code}, {after}"
    if status == "REJECTED":
        if code == "restaurant_silent":
            return f"rejected: {_lower(message)}, {after}"
        why = message.partition(": ")[2]
        return f"rejected by the restaurant{f': {why}' if why else ''}, {after}"
    if status == "CANCELLED":
        return f"cancelled by the customer{_while_waiting(timeline)}, {after}"
    if status == "EXPIRED":
        return f"expired: {_lower(message)}{_while_waiting(timeline)}, {after}"
    order = timeline.order
    failure = _failure(timeline, order) if order else ""
    if order and order.status == "ABORTED" and not failure:
        failure = f"somebody stopped its workflow{_while_waiting(timeline)}"
    return f"failed: {failure or _lower(message) or code}, {after}"


def _open(timeline: Timeline, now: float) -> Story:
    visit = next((v for v in reversed(timeline.visits) if v.workflow == "order"), None)
    if visit is None:
        after = f"{duration(now - timeline.placed)} after placing"
        return Story("OPEN", f"still open: its workflow is about to begin, {after}", None)
    since = f"{clock(visit.entered)} UTC ({duration(now - visit.entered)})"
    trouble = next((a for a in reversed(visit.attempts) if a.error), None)
    if visit.waits:
        what, trouble = f"waiting for {_WAITS_FOR.get(visit.state, visit.state)}", None
    else:
        what = f"{visit.state} is being retried" if trouble else f"in {visit.state}"
    sentence = f"still open: {what} since {since}"
    if trouble is not None:
        sentence += f", last time it failed with {trouble.error}"
    return Story("OPEN", sentence, None, {since: visit.entered})


def _dead(timeline: Timeline, order: Execution) -> str:
    stopped = order.stopped or timeline.ended
    what = {"TIMED_OUT": "ran out of time", "ABORTED": "was stopped"}.get(order.status, "failed")
    failure = _failure(timeline, order)
    after = f"{duration(stopped - timeline.placed)} after placing"
    return f"its workflow {what}{f' ({failure})' if failure else ''} {after}, and no end is recorded yet"


def _failure(timeline: Timeline, order: Execution) -> str:
    """What killed the order workflow: in which state, and with what."""
    last = next((v for v in reversed(timeline.visits) if v.workflow == "order"), None)
    error = order.error or (last.attempts[-1].error if last and last.failed else None)
    if not error:
        return ""
    cause = (last.attempts[-1].cause if last and last.failed else None) or order.cause
    where = f" in {last.state}" if last else ""
    why = unquoting(str(cause or "")).rstrip(".")[:160]
    return f"{error}{where}{f': {why}' if why else ''}"


def _while_waiting(timeline: Timeline) -> str:
    last = next((v for v in reversed(timeline.visits) if v.workflow == "order"), None)
    return f", while waiting for {_WAITS_FOR[last.state]}" if last and last.waits and last.state in _WAITS_FOR else ""


def _network(visits: list[Visit]) -> str | None:
    for visit in visits:
        for attempt in visit.attempts:
            payload = attempt.returned.get("Payload") if isinstance(attempt.returned, dict) else None
            if isinstance(payload, dict) and payload.get("status") == "AUTHORIZED":
                return str(payload.get("network"))
    return None


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def duration(seconds: float) -> str:
    """A span of time as a person says it: `12 ms`, `2.3 s`, `4 min 10 s`, `1 h 5 min`."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def clock(moment: float) -> str:
    """The time of day, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S")
