"""What was compared, a way a column, as the tables of a page."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap

from . import pricing
from .bills import as_table
from .comparing import COUNTED, JUDGED, Found, costs, polling, touched
from .metered import Counts
from .ways import Way

KINDS = {
    "AWS::Serverless::Function": "functions",
    "AWS::Serverless::StateMachine": "state machines",
    "AWS::SQS::Queue": "queues",
    "AWS::Events::Rule": "rules",
    "AWS::Lambda::EventSourceMapping": "pollers",
}
"""What is counted of a template: what runs, and what something lies in or passes by."""


def page(found: Mapping[Way, tuple[Found, str]], where: str) -> str:
    """All tables, and what they were made of.

    Args:
        found: of each way what was seen, and what `make trace` said of a delivered order; empty if it has no answer.
        where: day and machine of the measurement.
    """
    ways = list(found)
    heads = ["", *(way.name for way in ways)]

    def row(name: str, cell: Callable[[Way, Found, str], str]) -> list[str]:
        return [name, *(cell(way, *found[way]) for way in ways)]

    smell = [
        row("where the behaviour is written", lambda w, *_: f"{len(w.files())} files, {w.lines()} lines"),
        row("of that, in templates", lambda w, *_: ", ".join(starmap(_so_many, sorted(declared(w).items())))),
        row("how the three hours are done", lambda w, *_: w.three_hours),
        row("where an order may be", lambda w, *_: f"{len(w.places)}: " + ", ".join(f"`{p}`" for p in w.places)),
        row("what `make trace` says of one", lambda _, __, said: f"“{said}”" if said else "nothing"),
        row("who takes events off queues is broken", lambda w, f, _: _broken(f) if w.consumers else "nobody does"),
        row("payments fail five times in a row", lambda _, f, __: _letters(f)),
        row("each event three times; the authorization after the cancel", lambda *_: f"{', '.join(JUDGED)} hold"),
        row("“ask the restaurant before the card” touches", lambda w, *_: _change(w)),
    ]  # fmt: skip
    takes = [
        row(name, lambda _, f, __, of=of: f"{of(f.counts['delivered']):.0f}")  # type: ignore[misc]
        for name, of in TAKEN.items()
    ]
    takes.append(row("seconds from placed to closed, here", lambda _, f, __: f"{f.seconds['delivered']:.1f}"))
    prices = [
        row(f"1,000 orders, {name}", lambda _, f, __, name=name: f"{1000 * sum(costs(f.counts[name]).values()):.3f}")  # type: ignore[misc]
        for name in COUNTED
    ]
    prices.append(
        row("queues polled all month, orders or not", lambda _, f, __: f"{polling(f.queues):.2f} ({f.queues})")
    )
    by_service = dict.fromkeys(what for f, _ in found.values() for what in costs(f.counts["delivered"]))
    services = [
        row(
            what,
            lambda _, f, __, what=what: f"{1000 * costs(f.counts['delivered']).get(what, 0.0):.3f}",  # type: ignore[misc]
        )
        for what in by_service
    ]
    return "\n\n".join(
        [
            f"{where}, one order of each kind, one after the other.",
            as_table(heads, smell),
            "**What one delivered order takes**, in its own context and payments; who only listens is left out:",
            as_table(heads, takes),
            "**What it costs**, in US dollars, by "
            f"`scripts/lab/prices.toml` ({pricing.REGION}, {pricing.DATE:%d %B %Y}), without traces:",
            as_table(heads, prices),
            "**Of that, 1,000 delivered orders**:",
            as_table(heads, services),
            "**The files**, each with its lines (without empty ones and comments), and what of a template is meant:",
            *(f"- *{way.name}*: {_files(way)}" for way in ways),
        ]
    )


def declared(way: Way) -> Counter[str]:
    """How many of each kind of resource say how an order behaves, in words."""
    types = {name: kind for kind, name in way.declared()}
    named = [types[name] for part in way.behaviour for name in part.resources if name in types]
    return Counter(KINDS[kind] for kind in named if kind in KINDS)


def _so_many(kind: str, number: int) -> str:
    return f"{number} {kind.removesuffix('s') if number == 1 else kind}"


def _calls(counts: Counts) -> int:
    return sum(counts.calls.values())


TAKEN: dict[str, Callable[[Counts], float]] = {
    "state transitions": lambda c: sum(c.transitions.values()),
    "durable operations": lambda c: c.operations,
    "invocations of functions": lambda c: sum(c.invocations.values()),
    "events on the bus": lambda c: sum(c.events.values()),
    "messages in queues": lambda c: sum(c.messages.values()),
    "requests to DynamoDB": _calls,
    "write units": lambda c: sum(c.writes.values()),
    "read units": lambda c: sum(c.reads.values()),
}


def _broken(found: Found) -> str:
    status, seconds = found.broken
    return f"{status} all the same" if not seconds else f"{status} until it is mended, closed {seconds:.0f} s later"


def _letters(found: Found) -> str:
    dead, seconds = found.letters
    if not dead:
        return f"tried again where it stands; closed after {seconds:.0f} s"
    return f"{_so_many('dead letters', dead)}; PLACED until a sweep asks again, closed after {seconds:.0f} s"


def _change(way: Way) -> str:
    if way.change is None:
        return "not tried"
    lines = touched(way.change)
    return f"{len(lines)} {'file' if len(lines) == 1 else 'files'}, {sum(lines.values())} lines"


def _files(way: Way) -> str:
    parts: Sequence[str] = [
        f"`{part.path}` {len(part.lines())}" + (f" ({', '.join(part.resources)})" if part.resources else "")
        for part in way.behaviour
    ]
    return "; ".join(parts)
