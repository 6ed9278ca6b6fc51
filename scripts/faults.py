"""Break Tiffin on purpose, everywhere, and show that what must hold holds: the fault matrix, and the chaos run.

    python scripts/faults.py [--seed N] [--orders N] [--only TEXT] [--write docs/faults.md]

One deployed stack, hundreds of orders, each with a fault of its own, put in at the boundary: by the emulator between
Tiffin and AWS, at the gateway's ledger, or with a signal to a worker. Tiffin's code has no part in it. Each row is then
judged by the tables, the gateway's books and the bus. The exit status is 1 if any row is red.
"""

import argparse
import sys
import time
from pathlib import Path

from lab import chaos
from lab.invariants import INVARIANTS
from lab.lab import Lab
from lab.results import Result, document, run_matrix
from laptop import EmulatorError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

SEED = 20261125
# A restaurant's fifteen minutes are 7.5 seconds, and it answers late where ten orders start functions anew.
CLOCK = 120


def table(results: list[Result]) -> Table:
    """The matrix, for a terminal."""
    shown = Table(show_edge=False, pad_edge=False, row_styles=["", "dim"])
    for heading in ("fault", "place", "outcome", *INVARIANTS):
        shown.add_column(heading, overflow="fold")
    for result in results:
        marks = [f"[{'red' if i in result.wrong else 'green'}]{result.mark(i)}[/]" for i in INVARIANTS]
        shown.add_row(escape(result.case.fault), escape(result.case.place), escape(result.ended), *marks)
        for invariant, wrong in result.wrong.items():
            shown.add_row("", f"[red]{invariant} {escape(result.case.name)}[/]", f"[red]{escape(wrong)}[/]")
    return shown


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Break Tiffin on purpose, and show that what must hold holds.")
    parser.add_argument("--seed", type=int, default=SEED, help="chooses orders and random faults")
    parser.add_argument("--orders", type=int, default=0, help="orders of the chaos run; it then runs after the matrix")
    parser.add_argument("--only", default="", help="rows whose name, fault or place contains this")
    parser.add_argument("--no-matrix", action="store_true", help="the chaos run alone")
    parser.add_argument("--write", type=Path, help="where the page goes")
    options = parser.parse_args(arguments)
    if options.write and (options.only or options.no_matrix):
        parser.error("the page has the whole matrix")
    if options.write and not options.write.parent.is_dir():
        parser.error(f"there is no folder {options.write.parent}")
    console = Console(width=None if sys.stdout.isatty() else 200)
    began = time.monotonic()
    results: list[Result] = []
    figures: list[str] = []
    wrong: list[str] = []
    try:
        with Lab.up(CLOCK, console) as lab:
            lab.say = lambda text: console.print(f"[dim]{time.monotonic() - began:5.0f} s  {escape(text)}[/dim]")
            if not options.no_matrix:
                results = run_matrix(lab, options.seed, options.only, console.print)
            if options.orders:
                report = chaos.run(lab, options.seed, options.orders)
                figures, wrong = report.figures, report.wrong
            clock = lab.clock
    except EmulatorError as error:
        console.print(f"[red]✗[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left running.")
        return 130
    seconds = time.monotonic() - began
    if results:
        console.print(table(results))
    for line in [*figures, *wrong]:
        console.print(escape(line), highlight=False, soft_wrap=True)
    red = sum(bool(result.wrong) for result in results)
    console.print(f"\n{len(results) - red} rows green, {red} red; seed {options.seed}, {seconds:.0f} s")
    if options.write:
        options.write.write_text(document(results, figures, options.seed, seconds, clock))
        console.print(f"Written: {options.write}")
    return 1 if red or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
