"""One order's timeline for a terminal."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from support.facts import StoryPart
from support.steps import steps
from support.story import Story, clock, duration
from support.timeline import Span, Timeline
from support.visits import Attempt, Visit

from .axis import Axis

_COLOURS = {"DELIVERED": "green", "OPEN": "cyan", "EXPIRED": "red", "FAILED": "red", "DEAD": "red"}
_OUTCOMES = {"ok": "cyan", "error": "yellow", "throttle": "yellow", "fault": "red"}
# Columns of a waterfall, at most: names, bars, and figures with what divides them.
_NAMES, _BAR, _FIGURES = 52, 36, 25


def show(console: Console, timeline: Timeline, story: Story) -> None:
    """Print the story first, then what it stands on."""
    colour = _COLOURS.get(story.status, "yellow")
    console.print(f"[bold {colour}]{escape(story.sentence)}[/]", highlight=False, soft_wrap=True)
    traces = len({s.trace_id for s in timeline.spans})
    console.print(
        f"[dim]{timeline.order_id}, placed {clock(timeline.placed)} UTC; {traces} traces, "
        f"{len(timeline.visits)} states, {len(timeline.events)} events, "
        f"{len(timeline.logs)} log lines, from {escape(timeline.source)}[/]\n",
        highlight=False,
        soft_wrap=True,
    )
    for missing in timeline.missing:
        told = missing.detail if missing.part is StoryPart.TRACES else f"Not all of {missing.part}: {missing.detail}"
        console.print(f"[dim]{escape(told)}[/]\n", highlight=False, soft_wrap=True)
    _steps(console, timeline)
    _waterfall(console, timeline)
    _events(console, timeline)


def _steps(console: Console, timeline: Timeline) -> None:
    """States and requests in their sequence, each with what was called and said in it."""
    told = steps(timeline)
    for step in told:
        entry, since = step.entry, f"{step.at - timeline.placed:+9.3f} s"
        if isinstance(entry, Span):
            status = f" → {entry.status}" if entry.status else ""
            console.print(
                f"[dim]{since}[/]  [{_OUTCOMES[entry.outcome]}]{escape(entry.name)}{status}[/]", highlight=False
            )
        else:
            left = duration(entry.left - entry.entered) if entry.left else "not left"
            mark = "[red]✗[/]" if entry.failed else "[magenta]…[/]" if entry.waits else "[green]●[/]"
            unwinding = " [dim](unwind)[/]" if entry.workflow == "unwind" else ""
            console.print(f"[dim]{since}[/]  {mark} [bold]{entry.state}[/]{unwinding}  [dim]{left}[/]", highlight=False)
            for attempt in attempts(entry):
                console.print(f"               [dim]{escape(attempt)}[/]", highlight=False, soft_wrap=True)
        for line in step.lines:
            console.print(f"               [blue]{escape(line.service)}:[/] {escape(line.message)}", highlight=False)
    if told:
        console.print()


def attempts(visit: Visit) -> Iterator[str]:
    """What a state called, and what came of it; one line for each attempt."""
    for number, attempt in enumerate(visit.attempts, 1):
        told = f"{attempt.service} {attempt.operation}{_object(attempt)}"
        if len(visit.attempts) > 1:
            told += f", attempt {number}"
        if attempt.error:
            told += f" → {attempt.error}{f': {attempt.cause}' if attempt.cause else ''}"
        elif (answer := _answer(attempt.returned)) is not None:
            told += f" → {answer}"
        yield told


def _object(attempt: Attempt) -> str:
    given = attempt.given if isinstance(attempt.given, dict) else {}
    if attempt.operation == "putEvents":
        return " " + ", ".join(str(entry.get("DetailType")) for entry in given.get("Entries", []))
    payload = given.get("Payload")
    return f" {payload.get('operation', '')}" if isinstance(payload, dict) else ""


def _answer(returned: Any) -> str | None:
    payload = returned.get("Payload", returned) if isinstance(returned, dict) else None
    if not isinstance(payload, dict):
        return None
    told = [str(payload[key]) for key in ("status", "move", "network", "code", "reason") if payload.get(key)]
    return ", ".join(told) or None


def _waterfall(console: Console, timeline: Timeline) -> None:
    if not timeline.spans:
        console.print("[dim]No trace segments were found.[/]\n")
        return
    axis = Axis(timeline.spans)
    table = Table(title="Traces", title_justify="left", show_edge=False, pad_edge=False, show_header=False)
    # In a narrow terminal the bars are shorter, then the names; the figures stay.
    room = console.width - _FIGURES
    bars = min(_BAR, max(_BAR // 2, room - _NAMES))
    table.add_column(no_wrap=True, max_width=min(_NAMES, room - bars))
    table.add_column(no_wrap=True, width=bars)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for root in timeline.spans:
        for depth, span in root.walk():
            first = int(axis.at(span.start) * (bars - 1))
            last = max(int(axis.at(span.end) * (bars - 1)), first)
            colour = "magenta" if span.waits else _OUTCOMES[span.outcome]
            bar = (
                " " * first
                + f"[{colour}]"
                + ("─" if span.waits or span.kind == "workflow" else "█") * (last - first + 1)
                + "[/]"
            )
            outcome = str(span.status or "") if span.outcome == "ok" else f"[{colour}]{span.status or span.outcome}[/]"
            table.add_row("  " * min(depth, 8) + escape(span.name), bar, duration(span.end - span.start), outcome)
    console.print(table)
    if axis.breaks:
        console.print(f"[dim]Idle, and cut short: {', '.join(duration(b.seconds) for b in axis.breaks)}[/]")
    console.print()


def _events(console: Console, timeline: Timeline) -> None:
    table = Table(title="Events", title_justify="left", show_edge=False, pad_edge=False)
    for heading in ("after", "event", "from", "consumed by"):
        table.add_column(heading, no_wrap=heading != "consumed by")
    for event in timeline.events:
        consumers = []
        for first, again in event.heard():
            more = ", ".join(filter(None, ("" if first.outcome in ("ok", "consumed") else first.outcome, again)))
            consumers.append(f"{first.service} {duration(first.delay)} later{f' ({more})' if more else ''}")
        after = duration(event.occurred_at - timeline.placed)
        table.add_row(after, event.name, event.source, ", ".join(consumers) or "[dim]nobody that is traced[/]")
    console.print(table)
