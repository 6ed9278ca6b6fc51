"""From facts to one timeline: visits of states, spans of traces, events with consumers, logs beside their steps."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tiffin.events import ORDER_ENDS

from support.facts import Execution, Facts, LogLine, Missing, MissingReason, Row, StoryPart, seconds
from support.visits import Visit, visits_of

_RESOURCE = re.compile(r"(?:.*-)?([A-Za-z]+(?:Function|Workflow|Table|Queue))-[A-Za-z0-9]+$")
# A function of a nested application: of a name that gets too long, AWS cuts what makes the nested stack's unique, and
# the emulator the logical id and the hyphen behind it.
_NESTED = re.compile(
    r".+-(?P<application>[A-Z][A-Za-z]+?)(?:Service)?-(?:[A-Z0-9]{1,13}|[0-9a-f]{8}-[0-9a-f]{3})-"
    r"(?P<function>[A-Z][A-Za-z]*?)(?:-[A-Za-z0-9]+|[0-9A-F]{13})$"
)
_CUT = re.compile("F(u(n(c(t(io?)?)?)?)?)?$")
_SDK_NAMES = {"dynamodb": "DynamoDB", "states": "StepFunctions", "events": "EventBridge", "sqs": "SQS"}
# The events of an order, as one leads to the next. Their moments come from several clocks, and are for people to read.
LIFE = (
    "OrderPlaced",
    "PromoCodeRedeemed",
    "PaymentAuthorized",
    "PaymentDeclined",
    "OrderAccepted",
    "OrderDispatched",
    "PaymentCaptured",
    "PaymentReleased",
    *ORDER_ENDS,
    "PromoCodeRestored",
    "PromoCodeIssued",
)
# A span's trace and its own id, by which other spans name it as their parent.
_Key = tuple[str, str]


@dataclass
class Span:
    """One piece of work in a trace.

    Attributes:
        kind: request, function, workflow, state, call or step.
        status: of the HTTP answer, if there was one.
        outcome: ok, error, fault or throttle.
    """

    trace_id: str
    id: str
    name: str
    kind: str
    start: float
    end: float
    status: int | None = None
    outcome: str = "ok"
    cause: str | None = None
    waits: bool = False
    annotations: dict[str, Any] = field(default_factory=dict)
    children: list["Span"] = field(default_factory=list)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Span"]]:
        """This span and all below, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True)
class Consumption:
    """That a service took an event in.

    Attributes:
        delay: seconds from the event to the consumer; none, if by their clocks it was heard before it happened.
    """

    service: str
    at: float
    delay: float
    outcome: str


@dataclass
class Publication:
    """An event, and who heard it."""

    event_id: str
    name: str
    source: str
    occurred_at: float
    data: dict[str, Any]
    consumers: list[Consumption] = field(default_factory=list)

    def heard(self) -> list[tuple[Consumption, str]]:
        """Each consumer once for each outcome, at the first of its moments, and how often again: empty, if never."""
        alike: dict[tuple[str, str], list[Consumption]] = defaultdict(list)
        for consumption in self.consumers:
            alike[consumption.service, consumption.outcome].append(consumption)
        return [(first, _again(len(more))) for first, *more in alike.values()]


def _again(times: int) -> str:
    return {0: "", 1: "again once"}.get(times, f"again {times} times")


@dataclass
class Timeline:
    """All of one order.

    Attributes:
        placed: epoch seconds; everything else is told relative to it.
    """

    order_id: str
    source: str
    placed: float
    ended: float
    executions: list[Execution]
    visits: list[Visit]
    spans: list[Span]
    events: list[Publication]
    logs: list[LogLine]
    clock: float = 1.0
    row: Row | None = None
    missing: list[Missing] = field(default_factory=list)

    @property
    def order(self) -> Execution | None:
        """The execution of the order workflow."""
        return next((e for e in self.executions if e.kind == "order"), None)


def build(facts: Facts) -> Timeline:
    """Join the facts of one order."""
    visits = [visit for execution in facts.executions for visit in visits_of(execution)]
    spans = trees(facts.segments, facts.order_id)
    waiting = {visit.state for visit in visits if visit.waits}
    for root in spans:
        for _, span in root.walk():
            span.waits = span.kind == "state" and span.name in waiting
    for line in facts.logs:
        callers = [visit for visit in visits if line.fields.get("function_name") in _functions(visit)]
        if callers:
            # The function's clock is not the workflow's: of several calls of one function the nearest is meant.
            min(callers, key=lambda visit: distance(line.at, visit.entered, visit.left)).logs.append(line)
    moments = [v.left or v.entered for v in visits] + [s.end for r in spans for _, s in r.walk()]
    moments += [line.at for line in facts.logs]
    order = next((e for e in facts.executions if e.kind == "order"), None)
    starts = [root.start for root in spans] + [e.started for e in facts.executions] + [line.at for line in facts.logs]
    return Timeline(
        order_id=facts.order_id,
        source=facts.source,
        placed=placed_at(order) if order else facts.row.placed if facts.row else min(starts, default=0.0),
        ended=max(moments, default=0.0),
        executions=facts.executions,
        visits=visits,
        spans=spans,
        events=_publications(facts, spans),
        logs=facts.logs,
        clock=order.clock if order else 1.0,
        row=facts.row,
        missing=[*facts.missing, *_unseen(facts, spans)],
    )


_READING = "Read by support"
"""What services log of whoever only looks at an order. That trace has no annotation of it, and is none of its story."""


def _unseen(facts: Facts, spans: list[Span]) -> list[Missing]:
    """Whether log lines name traces that X-Ray does not show."""
    named = {line.trace_id for line in facts.logs if line.trace_id and line.message != _READING}
    unseen = named - {span.trace_id for span in spans}
    if not unseen or any(one.part is StoryPart.TRACES for one in facts.missing):
        return []
    detail = (
        f"{len(unseen)} of the traces that the log lines name could not be found in X-Ray: an account with "
        "Transaction Search indexes 1 % of them unless told otherwise (docs/tracing.md, Limits)."
    )
    return [Missing(StoryPart.TRACES, MissingReason.NOT_FOUND, detail)]


def distance(at: float, begin: float, end: float | None) -> float:
    """How far a moment lies outside a span of time, in seconds; one without an end still goes on."""
    return max(0.0, begin - at, 0.0 if end is None else at - end)


def _functions(visit: Visit) -> set[str]:
    """Names of the functions that a state called; it knows them by their ARNs."""
    given = [attempt.given for attempt in visit.attempts if isinstance(attempt.given, dict)]
    return {
        str(g["FunctionName"]).rpartition(":function:")[2].partition(":")[0] for g in given if g.get("FunctionName")
    }


def placed_at(order: Execution) -> float:
    """When the order was placed: its own word for it, or the workflow's start."""
    return seconds(order.given["placed_at"]) if order.given.get("placed_at") else order.started


def trees(segments: Iterable[dict[str, Any]], order_id: str) -> list[Span]:
    """Build trees of spans from segment documents, with nothing in them of any other order.

    Args:
        segments: documents, subsegments inside or sent on their own.
        order_id: whose; a batch that held other orders' messages is cut down to this one's.

    Returns:
        The roots, by their start.
    """
    flat: dict[_Key, dict[str, Any]] = {}
    parents: dict[_Key, str | None] = {}
    for segment in segments:
        for node, parent in _flatten(segment, segment.get("parent_id")):
            key = (segment["trace_id"], node["id"])
            if key not in flat or not node.get("in_progress"):
                flat[key], parents[key] = node, parent
    children: dict[_Key, list[_Key]] = defaultdict(list)
    roots = []
    for key in flat:
        above = (key[0], parents[key] or "")
        if above in flat and above != key:
            children[above].append(key)
        else:
            roots.append(key)
    # Parts of an invocation are sent ahead. Where events are consumed, one whose parent is not there yet is anybody's.
    consuming = {trace_id for (trace_id, _), node in flat.items() if "event_id" in (node.get("annotations") or {})}
    built = [
        span
        for root in roots
        for span in _span(root, flat, children)
        if not (root[0] in consuming and flat[root].get("type") == "subsegment" and _is_nobodys(span))
    ]
    return sorted(_only(built, order_id), key=lambda s: s.start)


def _end(node: dict[str, Any]) -> float:
    return float(node.get("end_time", node["start_time"]))


def _flatten(node: dict[str, Any], parent: str | None) -> Iterator[tuple[dict[str, Any], str | None]]:
    yield {k: v for k, v in node.items() if k != "subsegments"}, parent
    for child in node.get("subsegments") or []:
        yield from _flatten(child, node["id"])


def _span(
    key: _Key,
    flat: dict[_Key, dict[str, Any]],
    children: dict[_Key, list[_Key]],
) -> list[Span]:
    """A span, or what is below it where it says nothing of its own."""
    node = flat[key]
    below = [
        span
        for child in sorted(children.get(key, []), key=lambda k: flat[k]["start_time"])
        for span in _span(child, flat, children)
    ]
    name, kind = _called(node)
    http = node.get("http") or {}
    outcome = next((o for o in ("throttle", "fault", "error") if node.get(o)), "ok")
    annotations = dict(node.get("annotations") or {})
    exceptions = (node.get("cause") or {}).get("exceptions") if isinstance(node.get("cause"), dict) else None
    cause = "; ".join(f"{e.get('type', '')}: {e.get('message', '')}"[:300] for e in exceptions or []) or None
    inner = next((s for s in below if s.kind == kind == "function" and s.name == name), None)
    if inner is not None:
        # The service's segment and the function's are one invocation.
        inner.start, inner.end = min(inner.start, float(node["start_time"])), max(inner.end, _end(node))
        below.remove(inner)
        inner.children = sorted([*inner.children, *below], key=lambda s: s.start)
        return [inner]
    found = Span(
        trace_id=key[0],
        id=key[1],
        name=name,
        kind=kind,
        start=float(node["start_time"]),
        end=_end(node),
        status=(http.get("response") or {}).get("status"),
        outcome=outcome,
        cause=cause,
        annotations=annotations,
        children=below,
    )
    if kind == "call" and any(s.kind == "function" for s in below):
        # The invocation says more than the call of it.
        for span in below:
            span.annotations = annotations | span.annotations
        return below
    if kind == "function":
        _take_in_handlers(found)
    return [found]


def _take_in_handlers(function: Span) -> None:
    """Annotations of the handler's own subsegment are the function's, and its calls too."""
    lifted = []
    for child in function.children:
        if child.kind == "handler":
            function.annotations |= child.annotations
            function.cause = function.cause or child.cause
            if child.outcome != "ok":
                function.outcome = child.outcome
            lifted += child.children
        else:
            lifted.append(child)
    function.children = sorted(lifted, key=lambda s: s.start)


def _called(node: dict[str, Any]) -> tuple[str, str]:
    """A name that a person knows, and the kind of span."""
    name, origin, aws = str(node["name"]), node.get("origin", ""), node.get("aws") or {}
    request = (node.get("http") or {}).get("request") or {}
    if origin == "AWS::ApiGateway::Stage":
        return f"{request.get('method', '')} {_path(request.get('url', name))}".strip(), "request"
    if origin in ("AWS::Lambda", "AWS::Lambda::Function"):
        return function_path(name), "function"
    if origin == "AWS::StepFunctions::StateMachine" or origin == "AWS::STEPFUNCTIONS":
        return short(name), "workflow"
    if name.startswith("## "):
        handler = re.fullmatch(r"## (?:\w+\.)*(?:lambda_)?handler", name)
        return name.removeprefix("## ").rpartition(".")[2], "handler" if handler else "step"
    if node.get("namespace") == "aws":
        service = _SDK_NAMES.get(name.lower(), name)
        parts = [service, str(aws.get("operation", "")), short(str(aws.get("table_name", "")))]
        return " ".join(part for part in parts if part), "call"
    if node.get("namespace") == "remote":
        return f"{request.get('method', '')} {name}".strip(), "call"
    return name, "state" if node.get("type") == "subsegment" and not node.get("namespace") else "step"


def _path(url: str) -> str:
    """The path of a URL, with the order's id left out: it stands above."""
    path = re.sub(r"^https?://[^/]+", "", url).partition("?")[0]
    return re.sub(r"ord_[a-z2-7]+", "…", path)


def short(name: str) -> str:
    """The logical id in a name that CloudFormation made."""
    match = _RESOURCE.match(name.rpartition("/")[2] if name.startswith("arn:") else name)
    return match[1] if match else name


def function_path(name: str) -> str:
    """A function as the templates know it, such as `Orders/ApiFunction`; as much of it as its name still says."""
    match = _NESTED.match(name)
    return f"{match['application']}/{_CUT.sub('Function', match['function'])}" if match else short(name)


def _only(roots: list[Span], order_id: str) -> list[Span]:
    """Cut every span away that is about another order, and what cannot be told to be about this one beside it."""
    kept = []
    for root in roots:
        mixed = any(_order_of(span) not in (None, order_id) for _, span in root.walk())
        span = _pruned(root, order_id, mixed)
        if span is not None:
            kept.append(span)
    return kept


def _order_of(span: Span) -> str | None:
    value = span.annotations.get("order_id")
    return str(value) if value is not None else None


def _is_nobodys(span: Span) -> bool:
    return all(_order_of(each) is None for _, each in span.walk())


def _pruned(span: Span, order_id: str, mixed: bool) -> Span | None:
    own = _order_of(span)
    if own == order_id and not mixed:
        return span
    if own not in (None, order_id) and not mixed:
        return None
    if not mixed:
        return span
    below = [kept for child in span.children if (kept := _pruned(child, order_id, mixed)) is not None]
    if own == order_id and not any(_order_of(s) not in (None, order_id) for _, s in span.walk()):
        return span
    if not below:
        return None
    annotations = span.annotations if own in (None, order_id) else {}
    return Span(**{**span.__dict__, "children": below, "annotations": annotations})


def _publications(facts: Facts, spans: list[Span]) -> list[Publication]:
    found = {e.event_id: Publication(e.event_id, e.name, e.source, e.occurred_at, e.data) for e in facts.events}
    for root in spans:
        service = ""
        for _, span in root.walk():
            service = str(span.annotations.get("Service", "")) or service
            event = found.get(str(span.annotations.get("event_id", "")))
            if event is not None:
                outcome = str(span.annotations.get("outcome", "")) or span.outcome
                delay = max(0.0, span.start - event.occurred_at)
                event.consumers.append(Consumption(service or root.name, span.start, delay, outcome))
    for event in found.values():
        event.consumers.sort(key=lambda c: c.at)
    return sorted(found.values(), key=lambda e: (LIFE.index(e.name) if e.name in LIFE else len(LIFE), e.occurred_at))
