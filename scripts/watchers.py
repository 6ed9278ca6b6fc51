"""What `make watchers` runs: how late live news comes, to one who listens and to many, and how much never does.

    .venv/bin/python scripts/watchers.py [--watchers 200] [--orders 20] [--write docs/live.md]

On an emulator of its own, beside one that may run.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab import watchers
from laptop import EmulatorError, Stack, measured
from rich.console import Console

COMMAND = "make watchers"
SOON = 2.0
"""Seconds within which a message is promised."""


def table(rows: Sequence[watchers.Row]) -> str:
    """The figures, with where and how they were taken."""
    lines = [
        f"| {row.what} | {row.watchers} | {row.orders} | {len(row.delays)} | {row.quantile(0.5):.2f} | "
        f"{row.quantile(0.99):.2f} | {row.quantile(1):.2f} | {row.lost} |"
        for row in rows
    ]
    return "\n".join(
        [
            f"{measured.where()}. Orders were delivered one after the other, each move made at once; a message is lost",
            f"if it does not come within {watchers.PATIENCE:g} s. Emulator, functions, listeners and whoever moves the",
            "orders share the machine.",
            "",
            "| each listens to | listeners | orders | messages | p50, s | p99, s | longest, s | lost |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 1 if a message was lost, or half of a row came late."""
    parser = argparse.ArgumentParser(description="How late live news comes.")
    parser.add_argument("--watchers", type=int, default=200, help="how many are many, at most 500")
    parser.add_argument("--orders", type=int, default=20, help="delivered for each row, at most 100")
    parser.add_argument("--write", type=Path, help="the page whose table is replaced")
    options = parser.parse_args(arguments)
    if not (1 <= options.watchers <= 500 and 1 <= options.orders <= 100):
        parser.error("1 to 500 watchers, and 1 to 100 orders")
    console = Console(soft_wrap=True, highlight=False)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            console.status("Starting") as status,
            Stack.up(state_dir=Path(folder)) as stack,
        ):
            rows = watchers.measure(stack, options.watchers, options.orders, status.update)
    except EmulatorError as error:
        console.print(f"[red]✗[/red] {error}")
        return 1
    text = table(rows)
    console.print(text, markup=False)
    if options.write:
        measured.replace(options.write, COMMAND, text)
    return 1 if any(row.lost or row.quantile(0.5) > SOON for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
