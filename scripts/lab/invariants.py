"""What must hold of an order, whatever broke: I1, I2, I3, I5 and I6 of the design, judged from what is there.

Nothing here asks the services. The orders table, the payments table, the gateway's own ledger, the promotions table and
the bus are read, and compared with each other.
"""

import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from contracts import schemas
from laptop import BusTap
from laptop.pace import Deadline
from orders.model import ENDS
from payments.sandbox import Balance

from .cases import Case, Row
from .lab import Lab

INVARIANTS = ("I1", "I2", "I3", "I5", "I6")
# Before which status each status may stand.
_LIFE = ("PLACED", "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED")
_END_AFTER = {
    "DECLINED": {"PLACED"},
    "REJECTED": {"AWAITING_RESTAURANT"},
    "CANCELLED": {"PLACED", "AWAITING_RESTAURANT"},
    # A courier's delivery may be known from the money alone, when the workflow died with it.
    "DELIVERED": {"OUT_FOR_DELIVERY"},
    "EXPIRED": set(_LIFE[:-1]),
    "FAILED": set(_LIFE[:-1]),
}
_ANNOUNCED = {"PLACED": "OrderPlaced", "PREPARING": "OrderAccepted", "OUT_FOR_DELIVERY": "OrderDispatched"}
_END_EVENTS = {f"Order{end.capitalize()}" for end in ENDS}


class Source(Protocol):
    """Who knows what is in the tables, and what the bus has carried."""

    tap: BusTap

    def rows(self, output: str, key: str) -> dict[str, list[Row]]:
        """Everything in a table, by one attribute."""


class IssuedTwice(str):
    """What is wrong: a promo code exists twice, or was announced as two events."""

    __slots__ = ()


@dataclass
class Facts:
    """Everything there is, read at one moment."""

    orders: dict[str, Row]
    payments: dict[str, Row]
    ledger: dict[str, list[Row]]
    promotions: dict[str, list[Row]]
    customers: dict[str, list[Row]]
    events: dict[str, list[dict[str, Any]]]

    @classmethod
    def read(cls, lab: Source) -> "Facts":
        """Read all tables, and what the bus has carried so far."""
        events: dict[str, list[dict[str, Any]]] = {}
        for event in list(lab.tap.events):
            events.setdefault(event["detail"]["metadata"]["order_id"], []).append(event)
        payments = lab.rows("PaymentsTableName", "order_id")
        return cls(
            orders={order_id: rows[0] for order_id, rows in lab.rows("OrdersTableName", "order_id").items()},
            payments={k: next((r for r in rows if r["record"] == "PAYMENT"), {}) for k, rows in payments.items()},
            ledger=lab.rows("SandboxLedgerTableName", "order_id"),
            promotions=lab.rows("PromotionsTableName", "customer_id"),
            customers=lab.rows("CustomersTableName", "customer_id"),
            events=events,
        )

    def balance(self, order_id: str) -> Balance:
        """An order's money by the gateway's ledger."""
        sums: Counter[str] = Counter()
        for entry in self.ledger.get(order_id, []):
            if "#" in entry["entry"]:
                sums[entry["entry"].partition("#")[0]] += int(entry["amount"]["amount"])
        return Balance(held=sums["HOLD"], captured=sums["CAPTURE"], voided=sums["VOID"])


def judge(case: Case, facts: Facts) -> dict[str, str]:
    """What is wrong with an order, by invariant; nothing, if all is well."""
    row = facts.orders.get(case.order_id)
    if row is None:
        return {"I1": "it was answered with 2xx, and there is no such order"} if case.answered else {}
    wrong = {
        "I1": _ended(case, row) or _gave_its_place_back(row, facts),
        "I2": _money(case, row, facts),
        "I3": _codes(case, row, facts),
        "I5": _legal(row),
        "I6": _announced(case, row, facts),
    }
    return {invariant: fault for invariant, fault in wrong.items() if fault}


def settle(lab: Lab, cases: list[Case], seconds: float = 45.0) -> tuple[dict[str, dict[str, str]], Facts]:
    """Judge all cases, again and again while events may still be on their way.

    Returns:
        What is wrong, by case and invariant, and the facts that it was judged by.
    """
    deadline = Deadline(seconds)
    while True:
        facts = Facts.read(lab)
        verdicts = {case.name: judge(case, facts) for case in cases}
        if not any(verdicts.values()) or deadline.passed():
            return verdicts, facts
        time.sleep(1.0)


def _ended(case: Case, row: Row) -> str:
    if row["status"] not in ENDS:
        return f"it is still {row['status']}"
    if row["status"] not in case.ends:
        return f"it ended {row['status']}, expected was {' or '.join(sorted(case.ends))}"
    if "open_shard" in row:
        return "it ended, and the reconciler still owes it something"
    if row["status"] != "DELIVERED" and not row.get("reason"):
        return "it ended without a reason"
    return ""


def _gave_its_place_back(row: Row, facts: Facts) -> str:
    records = facts.customers.get(row["customer_id"], [])
    for open_ in (record for record in records if record["record"] == "open"):
        places = open_.keys() - {"customer_id", "record", "orders", "expires_at"}
        if row["order_id"] in places:
            return "it ended, and takes up a place of its customer's still"
        if len(places) != open_["orders"]:
            return f"its customer has {len(places)} places taken, and {open_['orders']} are counted"
    return ""


def _money(case: Case, row: Row, facts: Facts) -> str:
    books, total = facts.balance(case.order_id), int(row["total"]["amount"])
    captures = sum(e["entry"].startswith("CAPTURE#") for e in facts.ledger.get(case.order_id, []))
    if captures > 1:
        return f"captured {captures} times"
    if (books.captured > 0) != (row["status"] == "DELIVERED"):
        return f"{row['status']}, and {books.captured} captured"
    if books.captured not in (0, total):
        return f"{books.captured} captured of {total}"
    if books.open:
        return f"{books.open} still held"
    payment = facts.payments.get(case.order_id, {}).get("status")
    expected = {"CAPTURED"} if books.captured else {"RELEASED", "DECLINED", None}
    if payment not in expected:
        return f"payments say {payment}, the gateway's books {books}"
    return ""


def _codes(case: Case, row: Row, facts: Facts) -> str:
    records = facts.promotions.get(case.subject, [])
    codes = [r for r in records if r["record"].startswith("CODE#")]
    if len({r["code"] for r in codes}) != len(codes):
        return IssuedTwice("a code was issued twice")
    for kind in ("PromoCodeIssued", "PromoCodeRedeemed", "PromoCodeRestored"):
        ids: dict[tuple[str, str], set[str]] = {}
        for event in (e for events in facts.events.values() for e in events if e["detail-type"] == kind):
            if event["detail"]["data"]["customer_id"] == case.subject:
                # A code may be announced again, with an earlier expiry: promotions/ledger.py.
                issued_until = event["detail"]["data"].get("expires_at")
                about = issued_until or event["detail"]["metadata"]["order_id"]
                ids.setdefault((event["detail"]["data"]["code"], about), set()).add(
                    event["detail"]["metadata"]["event_id"]
                )
        if any(len(found) > 1 for found in ids.values()):
            return IssuedTwice(f"{kind} of one code was announced as two events")
    apologies = [r for r in codes if r["reason"] == "apology" and r["order_id"] == case.order_id]
    if len(apologies) != (row["status"] == "EXPIRED"):
        return f"{row['status']}, and {len(apologies)} apologies"
    if row["status"] == "DELIVERED" and not any(r["record"] == "CODE#WELCOME_BACK" for r in codes):
        return "a first delivery, and no code for it"
    # A delivery that becomes known late may turn out to be the one that earned a code: the code was announced all the
    # same, for another order of its customer.
    issued = {
        e["detail"]["data"]["code"]
        for events in facts.events.values()
        for e in events
        if e["detail-type"] == "PromoCodeIssued" and e["detail"]["data"]["customer_id"] == case.subject
    }
    if silent := {r["code"] for r in codes if r["order_id"] == case.order_id} - issued:
        return f"{', '.join(sorted(silent))} was issued and not announced"
    return ""


def _legal(row: Row) -> str:
    entered = [status for status in _LIFE if status in row["timeline"]] + [
        end for end in ENDS - {"DELIVERED"} if end in row["timeline"]
    ]
    *before, last = entered
    if before != list(_LIFE[: len(before)]):
        return f"it entered {', '.join(entered)}"
    if last in _END_AFTER and before[-1] not in _END_AFTER[last]:
        return f"{last} after {before[-1]}"
    moves = {"AWAITING_RESTAURANT": {"accept"}, "PREPARING": {"dispatch"}, "OUT_FOR_DELIVERY": {"deliver"}}
    for status, after in pairwise(_LIFE[1:]):
        if after in row["timeline"] and row.get("claims", {}).get(status, {}).get("move") not in moves[status]:
            return f"{after}, though nobody made the move in {status}"
    return ""


def _announced(case: Case, row: Row, facts: Facts) -> str:
    events = facts.events.get(case.order_id, [])
    for event in events:
        try:
            schemas.validate(event)
        except schemas.ContractViolation as violation:
            return str(violation)
    names = {event["detail-type"] for event in events}
    wanted = {_ANNOUNCED[status] for status in row["timeline"] if status in _ANNOUNCED}
    wanted |= {f"Order{row['status'].capitalize()}"} if row["status"] in ENDS else set()
    payment = facts.payments.get(case.order_id, {})
    if payment.get("amount") and payment["status"] in {"CAPTURED", "RELEASED", "DECLINED"}:
        wanted.add(f"Payment{payment['status'].capitalize()}")
    if missing := wanted - names:
        return f"never announced: {', '.join(sorted(missing))}"
    if len(ends := names & _END_EVENTS) > 1:
        return f"two ends were announced: {', '.join(sorted(ends))}"
    return ""
