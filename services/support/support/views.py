"""What support is answered of an order, to be drawn by a console. Pure; what is not named here, nobody is answered.

Each view has fields of its own, and no input or output of anything: what a state was given and gave is not in there, so
nothing that an order may hold one day is, either. Its size is bounded, and what is left out is told as missing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tiffin.models import BaseModel

from support.facts import Execution, LogLine, Missing, MissingReason, StoryPart, unquoting
from support.steps import steps
from support.story import ENDS, Story
from support.timeline import Publication, Span, Timeline, function_path
from support.visits import Attempt, Visit

MOST_ENTRIES, MOST_VISITS, MOST_ATTEMPTS, MOST_EVENTS, MOST_CONSUMERS = 1000, 500, 50, 100, 20
"""About a kilobyte each at most: an answer of a function may have six megabytes (Lambda developer guide, "Quotas")."""
_LABEL, _CAUSE = 300, 500


class OrderStatus(StrEnum):
    """Where an order is, as the orders API has it. The last six are ends."""

    PLACED = "PLACED"
    AWAITING_RESTAURANT = "AWAITING_RESTAURANT"
    PREPARING = "PREPARING"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    DELIVERED = "DELIVERED"
    DECLINED = "DECLINED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


class WorkflowKind(StrEnum):
    """Which workflow: an order's life, or what unwinds an order that died."""

    ORDER = "order"
    UNWIND = "unwind"


class ExecutionStatus(StrEnum):
    """How a workflow's execution is, in Step Functions' words."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"


class VisitOutcome(StrEnum):
    """What came of a stay in a state.

    `waiting` is for somebody's callback, `stopped` the execution's end while it was there, `retried` a success after
    failures, `caught` an error that its definition has a way on for.
    """

    SUCCEEDED = "succeeded"
    RETRIED = "retried"
    CAUGHT = "caught"
    FAILED = "failed"
    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"


class StateAttempt(BaseModel):
    """One call of a task; a retry is another one.

    Attributes:
        service, operation: what was called, such as `dynamodb` and `updateItem`.
        duration_ms: until it was answered; none, if it was not.
        error: its name.
        cause: its sentence.
    """

    at: datetime
    service: str
    operation: str
    duration_ms: float | None
    error: str | None
    cause: str | None


class StateVisit(BaseModel):
    """One stay in a state.

    Attributes:
        state: its name in the definition.
        type: of the state, such as `Task`.
        left: none, if it is there still, or the execution ended there.
        error, cause: of the last attempt that failed.
    """

    state: str
    type: str
    entered: datetime
    left: datetime | None
    outcome: VisitOutcome
    attempts: list[StateAttempt]
    error: str | None
    cause: str | None


class WorkflowRun(BaseModel):
    """One execution of a workflow for the order.

    Attributes:
        definition: the ASL that this execution runs by, be it the deployed one or one of before.
        path: the states in the sequence in which they were entered.
        waiting_in: the state in which it waits for somebody's callback.
        error, cause: why it ended, if that was no success.
    """

    kind: WorkflowKind
    execution_arn: str
    name: str
    status: ExecutionStatus
    started_at: datetime
    stopped_at: datetime | None
    definition: dict[str, Any]
    path: list[StateVisit]
    waiting_in: str | None
    error: str | None
    cause: str | None


class EntryKind(StrEnum):
    """What an entry of the timeline is. A segment is a request, a function or another piece of work in a trace."""

    STATE = "state"
    SEGMENT = "segment"
    CALL = "call"
    INITIALIZATION = "initialization"
    PAYMENT_ATTEMPT = "payment_attempt"
    EVENT = "event"
    CONSUMER = "consumer"
    LOG = "log"


class TimelineEntry(BaseModel):
    """Something that happened. One stands behind what caused it, and below what it happened in.

    Attributes:
        id: within this answer.
        parent: the entry that it happened in, or because of.
        depth: how many entries are around it.
        at: by the clock of whoever wrote it down; for people to read.
        status: a state's outcome, an HTTP status or a span's outcome, a payment's answer, a log line's level.
        service: which of ours wrote it down or did it, where that is known.
        workflow: whose state it is; none of what is no state.
    """

    id: str
    parent: str | None
    depth: int
    at: datetime
    duration_ms: float | None
    kind: EntryKind
    label: str
    status: str | None
    error: str | None
    service: str | None
    workflow: WorkflowKind | None = None


class PaymentOperation(StrEnum):
    """What was asked of payments."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    RELEASE = "release"


class PaymentAttempt(BaseModel):
    """One call of payments by a workflow, and the card network's answer.

    Attributes:
        workflow, state: who called.
        answer: the payment's status, such as `AUTHORIZED`; none, if the call failed or goes on.
        network: the card network, such as `mastercard`.
        code: why it declined, such as `insufficient_funds`.
        error, cause: of a call that failed, and is tried again.
    """

    workflow: WorkflowKind
    state: str
    operation: PaymentOperation
    at: datetime
    duration_ms: float | None
    answer: str | None
    network: str | None
    code: str | None
    error: str | None
    cause: str | None


class EventConsumer(BaseModel):
    """That a service took an event in.

    Attributes:
        delay_ms: from the event to the consumer, by two clocks; never less than none.
        outcome: `consumed`, or what else came of it.
    """

    service: str
    at: datetime
    delay_ms: float
    outcome: str


class AnnouncedEvent(BaseModel):
    """A domain event about the order, and who is known to have heard it."""

    event_id: str
    name: str
    source: str
    occurred_at: datetime
    consumers: list[EventConsumer]


class MissingPart(BaseModel):
    """A part of the story that could not be had, or not whole.

    Attributes:
        detail: a sentence for a person.
    """

    part: StoryPart
    reason: MissingReason
    detail: str


class NamedMoment(BaseModel):
    """A moment that a sentence names.

    Attributes:
        text: as the sentence has it, word for word, in UTC, with how long ago it was when that was told; to be shown
            in the reader's own time instead.
        at: the moment.
    """

    text: str
    at: datetime


class OrderStory(BaseModel):
    """Where an order is, what happened to it, and why.

    Attributes:
        headline: the answer in one sentence.
        moments: those that the headline names.
        status: the order's.
        dead: its workflow ended, and no end of the order is recorded yet.
        deadline_at: by when it is to have ended.
        ended_at: when it did; none, while it is open.
        told_at: when this was read; for seconds, others get the same answer.
        missing: what else there should be.
    """

    order_id: str
    headline: str
    moments: list[NamedMoment]
    status: OrderStatus
    dead: bool
    placed_at: datetime
    deadline_at: datetime | None
    ended_at: datetime | None
    told_at: datetime
    workflows: list[WorkflowRun]
    payments: list[PaymentAttempt]
    events: list[AnnouncedEvent]
    timeline: list[TimelineEntry]
    missing: list[MissingPart]


class WorkflowDefinition(BaseModel):
    """A workflow as it is deployed.

    Attributes:
        definition: its ASL.
    """

    kind: WorkflowKind
    definition: dict[str, Any]


class WorkflowDefinitions(BaseModel):
    """The workflows as they are deployed: what an order that is placed now will run by."""

    workflows: list[WorkflowDefinition]


def view(told: Timeline, said: Story, now: datetime) -> OrderStory:
    """The answer.

    Args:
        told: the order's timeline.
        said: what came of it.
        now: when that was read.
    """
    missing = list(told.missing)
    workflows = [_run(told, execution, missing) for execution in told.executions]
    entries = _few_enough(list(_entries(told)), missing)
    for there, most in ((len(told.events), MOST_EVENTS), *((len(e.consumers), MOST_CONSUMERS) for e in told.events)):
        if there > most:
            missing.append(_cut(StoryPart.EVENTS, there, most))
    return OrderStory(
        order_id=told.order_id,
        headline=said.sentence,
        moments=[NamedMoment(text=text, at=_at(moment)) for text, moment in said.moments.items()],
        status=_status(told, said),
        dead=said.status == "DEAD",
        placed_at=_at(told.placed),
        deadline_at=_deadline(told),
        ended_at=_at(said.at) if said.at is not None and said.status in ENDS else None,
        told_at=now,
        workflows=workflows,
        payments=[payment for _, _, payment in _payments(told)][:MOST_VISITS],
        events=[_event(event) for event in told.events[:MOST_EVENTS]],
        timeline=entries,
        missing=[MissingPart(part=one.part, reason=one.why, detail=one.detail) for one in missing],
    )


def _status(told: Timeline, said: Story) -> OrderStatus:
    """The end that is told, or what the row says, or the last that a workflow wrote."""
    written = [a.entered for v in told.visits for a in v.attempts if a.entered and a.ended is not None]
    known = [said.status, told.row.status if told.row else "", *reversed(written)]
    return next((OrderStatus(one) for one in known if one in OrderStatus.__members__), OrderStatus.PLACED)


def _deadline(told: Timeline) -> datetime | None:
    if told.row and told.row.deadline is not None:
        return _at(told.row.deadline)
    given = told.order.given.get("deadline_at") if told.order else None
    return datetime.fromisoformat(given) if isinstance(given, str) else None


# --- Workflows --------------------------------------------------------------------------------------------------------


def _run(told: Timeline, execution: Execution, missing: list[Missing]) -> WorkflowRun:
    kind = WorkflowKind(execution.kind)
    visits = [visit for visit in told.visits if visit.execution == execution.arn]
    running = execution.stopped is None
    if len(visits) > MOST_VISITS:
        part = StoryPart.WORKFLOW if kind is WorkflowKind.ORDER else StoryPart.UNWIND
        missing.append(_cut(part, len(visits), MOST_VISITS))
    last = visits[-1] if visits else None
    return WorkflowRun(
        kind=kind,
        execution_arn=execution.arn,
        name=execution.name,
        status=ExecutionStatus(execution.status),
        started_at=_at(execution.started),
        stopped_at=None if execution.stopped is None else _at(execution.stopped),
        definition=execution.definition,
        path=[_visit(visit, running) for visit in visits[:MOST_VISITS]],
        waiting_in=last.state if last and running and last.waits and last.left is None else None,
        error=_short(execution.error, _LABEL),
        cause=_cause(execution.cause),
    )


def _visit(visit: Visit, running: bool) -> StateVisit:
    failed = next((attempt for attempt in reversed(visit.attempts) if attempt.error), None)
    return StateVisit(
        state=visit.state,
        type=visit.kind,
        entered=_at(visit.entered),
        left=None if visit.left is None else _at(visit.left),
        outcome=_outcome(visit, running),
        attempts=[_attempt(attempt) for attempt in visit.attempts[:MOST_ATTEMPTS]],
        error=failed.error if failed else None,
        cause=_cause(failed.cause) if failed else None,
    )


def _outcome(visit: Visit, running: bool) -> VisitOutcome:
    if visit.left is None and running:
        return VisitOutcome.WAITING if visit.waits else VisitOutcome.RUNNING
    if visit.failed:
        return VisitOutcome.FAILED if visit.left is None else VisitOutcome.CAUGHT
    if visit.left is None:
        return VisitOutcome.STOPPED
    return VisitOutcome.RETRIED if any(attempt.error for attempt in visit.attempts) else VisitOutcome.SUCCEEDED


def _attempt(attempt: Attempt) -> StateAttempt:
    return StateAttempt(
        at=_at(attempt.at),
        service=attempt.service,
        operation=attempt.operation,
        duration_ms=_took(attempt.at, attempt.ended),
        error=_short(attempt.error, _LABEL),
        cause=_cause(attempt.cause),
    )


# --- Payments and events ----------------------------------------------------------------------------------------------


def _payments(told: Timeline) -> Iterator[tuple[Visit, Attempt, PaymentAttempt]]:
    """The workflows' calls by the payment contract (`events/commands/payments.json`)."""
    for visit in told.visits:
        for attempt in visit.attempts:
            asked = attempt.given.get("Payload") if isinstance(attempt.given, dict) else None
            if not isinstance(asked, dict) or asked.get("operation") not in list(PaymentOperation):
                continue
            returned = attempt.returned.get("Payload") if isinstance(attempt.returned, dict) else None
            answer = returned if isinstance(returned, dict) else {}
            known = {name: _short(answer.get(name), _LABEL) for name in ("status", "network", "code")}
            yield (
                visit,
                attempt,
                PaymentAttempt(
                    workflow=WorkflowKind(visit.workflow),
                    state=visit.state,
                    operation=PaymentOperation(asked["operation"]),
                    at=_at(attempt.at),
                    duration_ms=_took(attempt.at, attempt.ended),
                    answer=known["status"],
                    network=known["network"],
                    code=known["code"],
                    error=_short(attempt.error, _LABEL),
                    cause=_cause(attempt.cause),
                ),
            )


def _event(event: Publication) -> AnnouncedEvent:
    return AnnouncedEvent(
        event_id=event.event_id,
        name=event.name,
        source=event.source,
        occurred_at=_at(event.occurred_at),
        consumers=[
            EventConsumer(service=c.service, at=_at(c.at), delay_ms=round(c.delay * 1000, 1), outcome=c.outcome)
            for c in event.consumers[:MOST_CONSUMERS]
        ],
    )


# --- The timeline -----------------------------------------------------------------------------------------------------


def _entries(told: Timeline) -> Iterator[TimelineEntry]:
    """Everything, what belongs together in one piece, and the pieces in their sequence."""
    pieces: list[tuple[float, list[TimelineEntry]]] = []
    payments: dict[int, list[PaymentAttempt]] = {}
    for visit, _, payment in _payments(told):
        payments.setdefault(id(visit), []).append(payment)
    executions = {execution.arn: execution for execution in told.executions}
    placed, standing, told_lines = 0.0, set[int](), set[int]()
    for number, step in enumerate(steps(told)):
        # By cause, and not by clock: none stands before the one that stands before it.
        placed = max(placed, step.at)
        if isinstance(step.entry, Span):
            standing.add(id(step.entry))
            piece = list(_spans(step.entry))
        else:
            ran = executions[step.entry.execution]
            piece = list(_state(f"state-{number}", step.entry, ran, payments.get(id(step.entry), [])))
        piece += [_line(line, f"{piece[0].id}-log-{n}", piece[0]) for n, line in enumerate(step.lines)]
        told_lines |= {id(line) for line in step.lines}
        pieces.append((placed, piece))
    pieces += [(root.start, list(_spans(root))) for root in told.spans if id(root) not in standing]
    pieces += [(event.occurred_at, list(_heard(event))) for event in told.events]
    rest = [line for line in told.logs if id(line) not in told_lines]
    pieces += [(line.at, [_line(line, f"log-{number}", None)]) for number, line in enumerate(rest)]
    for _, piece in sorted(pieces, key=lambda one: one[0]):
        yield from piece


def _state(own: str, visit: Visit, ran: Execution, payments: Sequence[PaymentAttempt]) -> Iterator[TimelineEntry]:
    seen = _visit(visit, ran.stopped is None)
    yield _entry(
        own,
        None,
        EntryKind.STATE,
        visit.state,
        visit.entered,
        visit.left,
        status=seen.outcome,
        error=seen.error,
        service="orders",
        workflow=WorkflowKind(ran.kind),
    )
    for number, payment in enumerate(payments):
        answer = ", ".join(filter(None, (payment.network, payment.code)))
        yield TimelineEntry(
            id=f"{own}-payment-{number}",
            parent=own,
            depth=1,
            at=payment.at,
            duration_ms=payment.duration_ms,
            kind=EntryKind.PAYMENT_ATTEMPT,
            label=f"{payment.operation}{f': {answer}' if answer else ''}",
            status=payment.answer,
            error=payment.error,
            service="payments",
        )


def _spans(root: Span) -> Iterator[TimelineEntry]:
    """A span and all below it; a service of ours is known from the nearest above that names it."""

    def told(span: Span, above: TimelineEntry | None) -> Iterator[TimelineEntry]:
        # A workflow and its states are the orders service's, and write no annotations.
        named = span.annotations.get("Service") or ("orders" if span.kind == "workflow" else None)
        entry = _entry(
            f"span-{span.trace_id}-{span.id}",
            above,
            _kind(span),
            span.name,
            span.start,
            span.end,
            status=str(span.status or span.outcome),
            error=None if span.outcome == "ok" else span.cause or span.outcome,
            service=str(named) if named else above.service if above else None,
        )
        yield entry
        for child in span.children:
            yield from told(child, entry)

    yield from told(root, None)


def _kind(span: Span) -> EntryKind:
    if span.kind == "call":
        return EntryKind.CALL
    # Lambda's name for the subsegment of a start (docs/tracing.md).
    return EntryKind.INITIALIZATION if span.name == "Initialization" else EntryKind.SEGMENT


def _heard(event: Publication) -> Iterator[TimelineEntry]:
    own = f"event-{event.event_id}"
    announced = _entry(
        own, None, EntryKind.EVENT, event.name, event.occurred_at, None, service=event.source.removeprefix("tiffin.")
    )
    yield announced
    for number, consumer in enumerate(event.consumers):
        yield _entry(
            f"{own}-{number}",
            announced,
            EntryKind.CONSUMER,
            f"{event.name} taken in by {consumer.service}",
            consumer.at,
            None,
            status=consumer.outcome,
            service=consumer.service,
        )


def _line(line: LogLine, own: str, above: TimelineEntry | None) -> TimelineEntry:
    reason = line.fields.get("reason")
    error = line.fields.get("exception_name") or line.fields.get("error_type") or reason
    return _entry(
        own,
        above,
        EntryKind.LOG,
        line.message,
        line.at,
        None,
        status=line.level,
        error=str(error) if isinstance(error, str) else None,
        service=line.service or function_path(str(line.fields.get("function_name", ""))) or None,
    )


def _entry(
    own: str,
    above: TimelineEntry | None,
    kind: EntryKind,
    label: str,
    begin: float,
    end: float | None,
    *,
    status: str | None = None,
    error: str | None = None,
    service: str | None = None,
    workflow: WorkflowKind | None = None,
) -> TimelineEntry:
    return TimelineEntry(
        id=own,
        parent=above.id if above else None,
        depth=above.depth + 1 if above else 0,
        at=_at(begin),
        duration_ms=_took(begin, end),
        kind=kind,
        label=label[:_LABEL],
        status=status,
        error=_cause(error),
        service=service,
        workflow=workflow,
    )


# What is left out first where there is too much, always from the end.
_LEAST_MISSED = (
    EntryKind.LOG,
    EntryKind.CALL,
    EntryKind.INITIALIZATION,
    EntryKind.SEGMENT,
    EntryKind.CONSUMER,
    EntryKind.EVENT,
    EntryKind.PAYMENT_ATTEMPT,
    EntryKind.STATE,
)


def _few_enough(entries: list[TimelineEntry], missing: list[Missing]) -> list[TimelineEntry]:
    """Entries without those that are missed least, until they are few enough; none goes that has one below it."""
    over = len(entries) - MOST_ENTRIES
    if over <= 0:
        return entries
    missing.append(_cut(StoryPart.TIMELINE, len(entries), MOST_ENTRIES))
    below, gone = Counter(entry.parent for entry in entries), set[str]()
    for kind in _LEAST_MISSED:
        for entry in reversed(entries):
            if len(gone) < over and entry.kind is kind and not below[entry.id]:
                gone.add(entry.id)
                below[entry.parent] -= 1
    return [entry for entry in entries if entry.id not in gone]


# --- Small things -----------------------------------------------------------------------------------------------------


def _cut(part: StoryPart, there: int, shown: int) -> Missing:
    return Missing(part, MissingReason.TOO_MUCH, f"Of {there} {shown} are shown.")


def _at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _took(begin: float, end: float | None) -> float | None:
    return None if end is None else round(max(0.0, end - begin) * 1000, 1)


def _short(text: Any, most: int) -> str | None:
    return str(text)[:most] if text else None


def _cause(text: str | None) -> str | None:
    return _short(unquoting(text), _CAUSE) if text else None
