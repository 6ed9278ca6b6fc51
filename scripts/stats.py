"""What `make stats` runs: how long orders take to each status, and events to each consumer.

    python scripts/stats.py [--hours N] [--json] [--profile NAME] [--region NAME] [--stack NAME]
    python scripts/stats.py --kitchens ...               what each restaurant's kitchen did, by the stream's figures

It reads what `make trace` reads: the laptop or its record, or AWS, for the orders of the last hours. The kitchens'
figures are in a table of the running laptop, or of AWS.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from laptop.environment import STATE_DIR
from laptop.record.store import FILE
from operations import deployed, kitchens
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from support import timeline
from support.facts import UnknownOrder
from support.story import duration
from support.timeline import Timeline
from tracing import figures, sources

_MINUTES = 15
"""How many are shown."""


def table(title: str, found: Mapping[str, list[float]]) -> Table:
    """Percentiles of each series, one line each."""
    shown = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    shown.add_column("", no_wrap=True)
    for heading in ("orders", *(f"p{p}" for p in figures.PERCENTILES)):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, values in found.items():
        shown.add_row(name, str(len(values)), *(duration(v) for v in figures.percentiles(values).values()))
    return shown


def kitchen_table(title: str, first: str, found: Mapping[str, kitchens.Figures]) -> Table:
    """What kitchens did, one line each."""
    shown = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    shown.add_column(first, no_wrap=True)
    for heading in ("placed", "accepted", "handed over", "on average", "slowest", "late"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, did in found.items():
        mean, slowest = (
            ("", "") if did.mean_ms is None else (duration(did.mean_ms / 1000), duration(did.slowest_ms / 1000))
        )
        counts = (str(count) for count in (did.placed, did.accepted, did.dispatched))
        shown.add_row(escape(name), *counts, mean, slowest, f"[red]{did.late}[/red]" if did.late else "0")
    return shown


def tell_kitchens(options: argparse.Namespace, console: Console) -> int:
    """Print what kitchens did; returns the exit status."""
    until = datetime.now(UTC)
    try:
        minutes = kitchens.read(deployed.reach(options), until - timedelta(hours=options.hours), until)
    except (kitchens.NoKitchens, *TROUBLE) as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    if options.json:
        told = [{"restaurant_id": r, "minute": f"{when:%Y-%m-%dT%H:%MZ}", **asdict(did)} for r, when, did in minutes]
        print(json.dumps(told, indent=2))
        return 0
    if not minutes:
        console.print(f"No kitchen was asked for anything in the last {options.hours:g} hours.", highlight=False)
        return 0
    limit = int(kitchens.PREPARATION_LIMIT / timedelta(minutes=1))
    console.print(
        f"What kitchens did in the last {options.hours:g} hours. Times are from accepted to handed over; "
        f"over {limit} minutes is late.\n",
        highlight=False,
        soft_wrap=True,
    )
    console.print(kitchen_table("Each kitchen", "restaurant", kitchens.by_restaurant(minutes)))
    console.print()
    latest = dict(list(kitchens.by_minute(minutes).items())[-_MINUTES:])
    console.print(
        kitchen_table(f"All together, the last {_MINUTES} minutes in which anything was done", "minute, UTC", latest)
    )
    return 0


def read(options: argparse.Namespace) -> list[Timeline]:
    """The orders of the last hours."""
    # On the laptop the record has everything, of running stacks too.
    asked = sources.source(options) if deployed.on_aws(options) else sources.Recorded(STATE_DIR / FILE)
    timelines = []
    for order_id in asked.recent(time.time() - options.hours * 3600):
        try:
            timelines.append(timeline.build(asked.facts(order_id)))
        except UnknownOrder:
            continue
    return timelines


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="How long orders take to each status, and events to each consumer.")
    parser.add_argument("--hours", type=float, default=24, help="how far back to look")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--kitchens", action="store_true", help="what each restaurant's kitchen did")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    if options.kitchens:
        return tell_kitchens(options, console)
    try:
        timelines = read(options)
    except TROUBLE as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    true_to_life = [order for order in timelines if order.clock == 1]
    accelerated = [order for order in timelines if order.clock != 1]
    if options.json:
        print(json.dumps({**told(true_to_life), "accelerated": told(accelerated)}, indent=2))
        return 0
    span = f"in the last {options.hours:g} hours"
    console.print(f"{len(true_to_life)} orders {span}.\n", highlight=False)
    show(true_to_life, console)
    if accelerated:
        rates = sorted({order.clock for order in accelerated})
        fast = f"{rates[0]:g} to {rates[-1]:g}" if len(rates) > 1 else f"{rates[0]:g}"
        console.print(f"{len(accelerated)} more {span}, on a clock {fast} times as fast.\n", highlight=False)
        show(accelerated, console)
    return 0


def statuses(orders: Sequence[Timeline]) -> dict[str, list[float]]:
    """Seconds from placed to each status, the soonest first."""
    return dict(sorted(figures.statuses(orders).items(), key=lambda item: figures.percentiles(item[1])[50]))


def delays(orders: Sequence[Timeline]) -> dict[str, list[float]]:
    """Seconds from each event to its consumers, by name."""
    return {f"{event} → {service}": values for (event, service), values in sorted(figures.delays(orders).items())}


def told(orders: Sequence[Timeline]) -> dict[str, Any]:
    """The figures of some orders, for a program."""
    return {
        "orders": len(orders),
        "statuses": figures.summary(statuses(orders)),
        "delays": figures.summary(delays(orders)),
    }


def show(orders: Sequence[Timeline], console: Console) -> None:
    """Print the figures of some orders."""
    if not orders:
        return
    console.print(table("From placed to each status", statuses(orders)))
    console.print()
    console.print(table("From each event to its consumer", delays(orders)))
    console.print()


if __name__ == "__main__":
    sys.exit(main())
