"""The fault matrix's most telling rows, in one run: what is left when something broke in the worst place."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from lab import matrix
from lab.cases import Case
from lab.invariants import Facts, settle
from lab.lab import Lab
from payments.sandbox import Balance

pytestmark = pytest.mark.laptop("fault")

# A restaurant's fifteen minutes are ten seconds: several orders are on the move, and other tests beside them.
CLOCK = 90
SEED = 7
TAKEN, GIVEN_BACK, NEVER_HELD = Balance(2150, 2150, 0), Balance(2150, 0, 2150), Balance(0, 0, 0)

# Row of the matrix: how its order ends, and what the gateway's ledger says of the money.
ROWS = {
    "write-authorize-3-kill-after": ("DELIVERED", TAKEN),
    "gw-500-capture": ("DELIVERED", TAKEN),
    "gw-tombstone": ("FAILED", NEVER_HELD),
    "api-start-kill": ("DELIVERED", TAKEN),
    "db-recordend-conflict-u": ("CANCELLED", GIVEN_BACK),
    "bus-announcedelivered-down": ("DELIVERED", TAKEN),
    "status-aborted-never": ("CANCELLED", GIVEN_BACK),
    "status-aborted-ten": ("CANCELLED", GIVEN_BACK),
    "stop-capturepayment-after": ("DELIVERED", TAKEN),
    "event-delivered-ten": ("DELIVERED", TAKEN),
}


class Run(NamedTuple):
    """What a run of the rows left behind."""

    cases: dict[str, Case]
    wrong: dict[str, dict[str, str]]
    facts: Facts
    struck: dict[str, int]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """All rows at once, on a stack of their own."""
    cases = {case.name.split("-", 2)[2]: case for case in matrix.cases(SEED)}
    chosen = {row: cases[row] for row in ROWS}
    with Lab.up(CLOCK) as lab:
        lab.run(list(chosen.values()), at_once=6, limit=120)
        wrong, facts = settle(lab, list(chosen.values()), seconds=15)
        yield Run(chosen, wrong, facts, lab.struck())


@pytest.mark.parametrize("row", ROWS)
def test_an_order_that_met_a_fault_ends_well(run: Run, row: str) -> None:
    case = run.cases[row]
    assert run.struck[case.name] >= 1, f"the fault never struck: {run.facts.orders.get(case.order_id)}, {case.notes}"
    assert run.wrong[case.name] == {}
    end, money = ROWS[row]
    order = run.facts.orders[case.order_id]
    assert order["status"] == end
    assert "open_shard" not in order
    assert run.facts.balance(case.order_id) == money
    assert not case.notes


def test_a_late_authorization_finds_the_tombstone(run: Run) -> None:
    payment = run.facts.payments[run.cases["gw-tombstone"].order_id]
    assert payment["status"] == "RELEASED"


def test_ten_reports_of_a_death_lead_to_one_end(run: Run) -> None:
    events = run.facts.events[run.cases["status-aborted-ten"].order_id]
    assert len({e["detail"]["metadata"]["event_id"] for e in events if e["detail-type"] == "OrderCancelled"}) == 1
    assert sum(e["detail-type"] == "PaymentReleased" for e in events) == 1


def test_ten_copies_of_a_delivery_event_issue_one_code(run: Run) -> None:
    case = run.cases["event-delivered-ten"]
    assert sum(e["detail-type"] == "PromoCodeIssued" for e in run.facts.events[case.order_id]) == 1
