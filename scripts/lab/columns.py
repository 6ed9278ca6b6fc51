"""What is compared, a way a column, as the tables of a page: what can be counted, and what was measured."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from pathlib import Path

from laptop.environment import ROOT

from . import pricing
from .bills import as_table
from .breaking import ROWS
from .comparing import COUNTED, JUDGED, Found, costs, polling, touched
from .metered import Counts
from .ways import WAYS, Way

KINDS = {
    "AWS::Serverless::Function": "functions",
    "AWS::Serverless::StateMachine": "state machines",
    "AWS::SQS::Queue": "queues",
    "AWS::Events::Rule": "rules",
    "AWS::Lambda::EventSourceMapping": "pollers",
}
"""What is counted of a template: what runs, and what something lies in or passes by."""


PAGE = ROOT / "docs" / "compare.md"
BEGIN, END = "<!-- counted by scripts/render_compare.py -->", "<!-- end of the count -->"
"""Marks of what is there before anything runs."""


def page(found: Mapping[Way, Found], where: str) -> str:
    """All tables of what was measured, and what they were made of.

    Args:
        found: of each way what was seen.
        where: day and machine of the measurement.
    """
    ways = list(found)
    heads = ["", *(way.name for way in ways)]

    def row(name: str, cell: Callable[[Found], str]) -> list[str]:
        return [name, *map(cell, found.values())]

    broken = [row(name, lambda f, name=name: f.broken[name]) for name in ROWS]  # type: ignore[misc]
    takes = [
        row(name, lambda f, of=of: f"{of(f.counts['delivered']):.0f}")  # type: ignore[misc]
        for name, of in TAKEN.items()
    ]
    takes.append(row("events in its history", lambda f: str(f.recorded)))
    takes.append(row("seconds from placed to closed, here", lambda f: f"{f.seconds['delivered']:.1f}"))
    prices = [
        row(f"1,000 orders, {name}", lambda f, name=name: f"{1000 * sum(costs(f.counts[name]).values()):.3f}")  # type: ignore[misc]
        for name in COUNTED
    ]
    prices.append(row("queues polled all month, orders or not", lambda f: f"{polling(f.queues):.2f} ({f.queues})"))
    services = [
        row(what, lambda f, what=what: f"{1000 * costs(f.counts['delivered']).get(what, 0.0):.3f}")  # type: ignore[misc]
        for what in dict.fromkeys(what for f in found.values() for what in costs(f.counts["delivered"]))
    ]
    return "\n\n".join(
        [
            f"{where}, one order of each kind, one after the other. Of each order here {', '.join(JUDGED)} hold.",
            "**What dies how**, and what follows:",
            as_table(heads, broken),
            "**What one delivered order takes**, in its own context and payments; who only listens is left out:",
            as_table(heads, takes),
            "**What it costs**, in US dollars, by "
            f"`scripts/lab/prices.toml` ({pricing.REGION}, {pricing.DATE:%d %B %Y}), without traces:",
            as_table(heads, prices),
            "**Of that, 1,000 delivered orders**:",
            as_table(heads, services),
        ]
    )


def count(ways: Sequence[Way] = WAYS) -> str:
    """What there is of each way before anything runs: what is written, of what it is made, what its engine gives."""

    def row(name: str, cell: Callable[[Way], str]) -> list[str]:
        return [name, *map(cell, ways)]

    return "\n\n".join(
        [
            as_table(
                ["", *(way.name for way in ways)],
                [
                    row("where the behaviour is written", lambda w: f"{len(w.files())} files, {w.lines()} lines"),
                    row(
                        "of that, in templates",
                        lambda w: ", ".join(starmap(_so_many, sorted(declared(w).items()))),
                    ),
                    row("what says in which sequence the steps come", _life),
                    row("a picture of it", lambda w: w.picture),
                    row("the history of an order", lambda w: w.history),
                    row("limits of the engine", lambda w: w.limits),
                    row("how the three hours are done", lambda w: w.three_hours),
                    row("where an order may be", lambda w: f"{len(w.places)}: {', '.join(map(str, w.places))}"),
                    row("“ask the restaurant before the card” touches", _change),
                ],
            ),
            "**The files**, each with its lines (without empty ones and comments), and what of a template is meant:",
            *(f"- *{way.name}*: {_files(way)}" for way in ways),
        ]
    )


def files() -> dict[Path, str]:
    """The page with the count as it is now."""
    before, _, rest = PAGE.read_text("utf-8").partition(f"{BEGIN}\n")
    _, _, after = rest.partition(END)
    return {PAGE: f"{before}{BEGIN}\n\n{count()}\n\n{END}{after}"}


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


def _life(way: Way) -> str:
    language = " of JSON" if way.life[0].path.endswith(".json") else " of Python"
    lines = sum(len(part.lines()) for part in way.life)
    return f"{_so_many('files', len(way.life))}, {lines} lines{language}"


def _change(way: Way) -> str:
    if way.change is None:
        return "not tried"
    lines = touched(way.change)
    return f"{_so_many('files', len(lines))}, {sum(lines.values())} lines"


def _files(way: Way) -> str:
    parts: Sequence[str] = [
        f"`{part.path}` {len(part.lines())}" + (f" ({', '.join(part.resources)})" if part.resources else "")
        for part in way.behaviour
    ]
    return "; ".join(parts)
