"""What `make stats` runs: how long orders take to each status, and events to each consumer.

    python scripts/stats.py [--hours N] [--json] [--profile NAME] [--region NAME] [--stack NAME]

It reads what `make trace` reads: the laptop or its record, or AWS, for the orders of the last hours.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping

from laptop.environment import STATE_DIR
from laptop.record.store import FILE
from operations import deployed
from rich.console import Console
from rich.table import Table
from tracing import figures, sources, timeline
from tracing.facts import UnknownOrder
from tracing.story import duration


def table(title: str, found: Mapping[str, list[float]]) -> Table:
    """Percentiles of each series, one line each."""
    shown = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    shown.add_column("", no_wrap=True)
    for heading in ("orders", *(f"p{p}" for p in figures.PERCENTILES)):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, values in found.items():
        shown.add_row(name, str(len(values)), *(duration(v) for v in figures.percentiles(values).values()))
    return shown


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="How long orders take to each status, and events to each consumer.")
    parser.add_argument("--hours", type=float, default=24, help="how far back to look")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    # On the laptop the record has everything, of running stacks too.
    asked = sources.source(options) if options.profile or options.region else sources.Recorded(STATE_DIR / FILE)
    timelines = []
    for order_id in asked.recent(time.time() - options.hours * 3600):
        try:
            timelines.append(timeline.build(asked.facts(order_id)))
        except UnknownOrder:
            continue
    statuses = dict(sorted(figures.statuses(timelines).items(), key=lambda item: figures.percentiles(item[1])[50]))
    delays = {f"{event} → {service}": values for (event, service), values in sorted(figures.delays(timelines).items())}
    if options.json:
        told = {"orders": len(timelines), "statuses": figures.summary(statuses), "delays": figures.summary(delays)}
        print(json.dumps(told, indent=2))
        return 0
    console.print(f"{len(timelines)} orders in the last {options.hours:g} hours.\n", highlight=False)
    console.print(table("From placed to each status", statuses))
    console.print()
    console.print(table("From each event to its consumer", delays))
    return 0


if __name__ == "__main__":
    sys.exit(main())
