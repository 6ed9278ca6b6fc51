"""Break Tiffin on purpose, everywhere, and show that what must hold holds: the fault matrix, and the chaos run.

    python scripts/faults.py [--seed N] [--orders N] [--only TEXT] [--write docs/faults.md]

One deployed stack, hundreds of orders, each with a fault of its own, put in at the boundary: by the emulator between
Tiffin and AWS, at the gateway's ledger, or with a signal to a worker. Tiffin's code has no part in it. Each row is then
judged by the tables, the gateway's books and the bus. The exit status is 1 if any row is red.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from emulator import EmulatorError
from emulator.isolation import ROOT
from faults_lab import chaos, matrix
from faults_lab.invariants import INVARIANTS, Facts, settle
from faults_lab.lab import Case, Lab
from rich.console import Console
from rich.markup import escape
from rich.table import Table

SEED = 20261125
CLOCK = 180
OUTPUT = ROOT / "docs" / "faults.md"


class Result:
    """A row's outcome.

    Attributes:
        case: the row.
        ended: what became of the order.
        wrong: what does not hold, by invariant.
    """

    def __init__(self, case: Case, ended: str, wrong: dict[str, str]) -> None:
        self.case, self.ended, self.wrong = case, ended, wrong

    def mark(self, invariant: str) -> str:
        """✓ or ✗."""
        return "✗" if invariant in self.wrong else "✓"


def run_matrix(lab: Lab, seed: int, only: str, tell: Callable[[str], None]) -> list[Result]:
    """Run every row, then the rows that need the stack for themselves."""
    rows = matrix.cases(seed)
    matrix.know(rows)
    chosen = [case for case in rows if only in f"{case.name} {case.fault} {case.place}"]
    tell(f"{len(chosen)} rows")
    lab.run(chosen)
    results = _judge(lab, chosen, tell)
    for phase in matrix.PHASES:
        if only in phase.__name__:
            cases = phase(lab, seed)
            results += _judge(lab, cases, tell)
    return results


def _judge(lab: Lab, cases: list[Case], tell: Callable[[str], None]) -> list[Result]:
    verdicts, facts = settle(lab, cases)
    struck = lab.struck()
    results = []
    for case in cases:
        wrong = dict(verdicts[case.name])
        if case.faults and case.must_strike and not struck.get(case.name):
            wrong["I1"] = "the fault never struck"
        grave = [note for note in case.notes if "granted" in note or "taken" in note or "itself" in note]
        if grave and not wrong:
            wrong["I5"] = "; ".join(grave)
        results.append(Result(case, _ending(case, facts), wrong))
        for invariant, fault in wrong.items():
            tell(f"[red]✗[/red] {case.name} {invariant}: {escape(fault)}; {case.notes}")
    return results


def _ending(case: Case, facts: Facts) -> str:
    row, money = facts.orders.get(case.order_id, {}), facts.balance(case.order_id)
    fate = "captured" if money.captured else "released" if money.held else "none held"
    reason = (row.get("reason") or {}).get("code")
    return f"{row.get('status', 'no order')}{f' ({reason})' if reason else ''}, money {fate}"


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


def document(results: list[Result], figures: list[str], seed: int, seconds: float) -> str:
    """The matrix, for the documentation."""
    green = sum(not result.wrong for result in results)
    lines = [
        "# Fault matrix",
        "",
        "<!-- Written by `make faults`. Do not edit: run it. -->",
        "",
        "Each row is one order that met one fault in one place, on a deployed stack. Faults are put in between Tiffin",
        "and AWS (`scripts/emulator/faults.py`), never by a branch in the product. Then the tables, the",
        "gateway's own ledger and the bus are read, and these invariants of the design judged:",
        "",
        "- **I1** the order reached an end, one that the fault explains, and nothing is owed to it any more.",
        "- **I2** money captured ⇔ delivered; otherwise the hold is released; never captured twice.",
        "- **I3** each promo code that was earned exists once, announced as one event; none is unearned.",
        "- **I5** the order's turns are legal ones, each taken by whom it belongs to.",
        "- **I6** every event is valid against its schema, and every turn was announced.",
        "",
        f"{green} of {len(results)} rows hold. {datetime.now(UTC):%d %B %Y}, seed {seed}, {seconds:.0f} s on"
        f" {os.cpu_count()} cores ({platform.machine()}, {platform.system()}, Python {platform.python_version()});"
        f" workflows lived {CLOCK} times as fast.",
        "",
        *figures,
        "",
        f"| fault | place | outcome | {' | '.join(INVARIANTS)} |",
        f"|---|---|---|{'---|' * len(INVARIANTS)}",
    ]
    for result in results:
        marks = " | ".join(result.mark(invariant) for invariant in INVARIANTS)
        lines.append(f"| {result.case.fault} | {result.case.place} | {result.ended} | {marks} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Break Tiffin on purpose, and show that what must hold holds.")
    parser.add_argument("--seed", type=int, default=SEED, help="chooses orders and random faults")
    parser.add_argument("--orders", type=int, default=0, help="orders of the chaos run; it then runs after the matrix")
    parser.add_argument("--only", default="", help="rows whose name, fault or place contains this")
    parser.add_argument("--no-matrix", action="store_true", help="the chaos run alone")
    parser.add_argument("--write", type=Path, default=OUTPUT, help="where the table goes")
    options = parser.parse_args(arguments)
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
    if not options.only and not options.no_matrix:
        options.write.write_text(document(results, figures, options.seed, seconds))
        console.print(f"Written: {options.write}")
    return 1 if red or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
