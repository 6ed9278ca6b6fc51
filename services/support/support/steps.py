"""An order's states and requests in one sequence, each with what was said in it: by cause, and not by clock.

States have the moments of Step Functions, requests those of API Gateway, log lines those of the functions. A clock that
is half a second ahead must not put a request behind what it caused.
"""

from dataclasses import dataclass

from support.facts import LogLine
from support.timeline import Span, Timeline, distance, function_path
from support.visits import Visit

# By which state a move is awaited. A cancel is awaited by none: it stops the workflow where that is.
_AWAITS = {
    "accept": "AwaitRestaurant",
    "reject": "AwaitRestaurant",
    "dispatch": "AwaitDispatch",
    "deliver": "AwaitDelivery",
}
_HAD_EFFECT = (201, 202)


@dataclass(frozen=True)
class Step:
    """A state or a request, with its place.

    Attributes:
        at: epoch seconds, for people to read.
        lines: log lines that were written in it.
    """

    at: float
    entry: Visit | Span
    lines: list[LogLine]


def steps(timeline: Timeline) -> list[Step]:
    """States as their history has them. A request stands where its effect was; one without effect, at its moment."""
    visits = sorted(timeline.visits, key=lambda visit: visit.entered)
    requests = sorted((span for span in timeline.spans if span.kind == "request"), key=lambda span: span.start)
    beside = {id(line) for visit in visits for line in visit.logs}
    rest = [line for line in timeline.logs if id(line) not in beside]
    found = []
    for place in range(len(visits) + 1):
        for request in requests:
            if _place(request, visits) == place:
                lines = [line for line in rest if _request_of(line, requests) is request]
                found.append(Step(request.start, request, lines))
        found += [Step(visit.entered, visit, visit.logs) for visit in visits[place : place + 1]]
    return found


def _place(request: Span, visits: list[Visit]) -> int:
    """How many states stand before a request."""
    method, _, path = request.name.partition(" ")
    last = path.rpartition("/")[2]
    if request.status in _HAD_EFFECT and method == "POST":
        if last == "orders":
            return 0
        causes = [
            number
            for number, visit in enumerate(visits, 1)
            if visit.workflow == "order" and (last == "cancel" or visit.state == _AWAITS.get(last))
        ]
        if causes:
            return causes[-1]
    return sum(visit.entered <= request.start for visit in visits)


def _request_of(line: LogLine, requests: list[Span]) -> Span | None:
    """The request that a line was written for: of those of its trace that called its function, the nearest."""
    function = function_path(str(line.fields.get("function_name", "")))
    called = [
        request
        for request in requests
        if request.trace_id == line.trace_id
        and any(span.kind == "function" and span.name == function for _, span in request.walk())
    ]
    return min(called, key=lambda request: distance(line.at, request.start, request.end), default=None)
