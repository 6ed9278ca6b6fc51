"""Run the fault matrix, judge each row, and write down what came of it."""

import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime

from rich.markup import escape

from . import matrix
from .cases import Case, ExperimentFailed, Granted
from .invariants import INVARIANTS, Facts, settle
from .lab import Lab


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
    chosen = [case for case in rows if only in f"{case.name} {case.fault} {case.place}"]
    tell(f"{len(chosen)} rows")
    lab.run(chosen)
    results = _judge(lab, chosen, tell)
    for outage in matrix.OUTAGES:
        if only in outage.__name__:
            cases = outage(lab, seed)
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
        grave = [note for note in case.notes if isinstance(note, (Granted, ExperimentFailed))]
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


def document(results: list[Result], figures: list[str], seed: int, seconds: float, clock: float) -> str:
    """The matrix, for the documentation."""
    green = sum(not result.wrong for result in results)
    lines = [
        "# Fault matrix",
        "",
        "<!-- Written by `make faults PAGE=docs/faults.md`. Do not edit: run it. -->",
        "",
        "Each row is one order that met one fault in one place, on a deployed stack. Faults are put in between Tiffin",
        "and AWS (`scripts/laptop/emulator/fault_points.py`), never by a branch in the product. Then the tables, the",
        "gateway's own ledger and the bus are read, and these invariants of the design judged:",
        "",
        "- **I1** the order reached an end, one that the fault explains, and nothing is owed to it any more,",
        "  nor does it take up a place among its customer's open orders.",
        "- **I2** money captured ⇔ delivered; otherwise the hold is released; never captured twice.",
        "- **I3** each promo code that was earned exists once, announced as one event; none is unearned.",
        "- **I5** the order's statuses follow from legal moves, each made by whom it belongs to.",
        "- **I6** every event is valid against its schema, and every status was announced.",
        "",
        f"{green} of {len(results)} rows hold. {datetime.now(UTC):%d %B %Y}, seed {seed}, {seconds:.0f} s on"
        f" {os.cpu_count()} cores ({platform.machine()}, {platform.system()}, Python {platform.python_version()});"
        f" workflows lived {clock:g} times as fast.",
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
