"""The chaos run: hundreds of orders with random faults and random people, the same ones for the same seed.

Which faults an order meets follows from the seed and its number alone. So a red order can be run again by itself.
"""

import random
from collections import Counter
from dataclasses import dataclass

from orders.model import ENDS
from tiffin.money import printed

from .cases import (
    API,
    CANCELLED,
    DECLINED_CARD,
    DELIVERED,
    LEDGER,
    NEVER_DELIVERED,
    PAYMENTS,
    PAYMENTS_TABLE,
    PROMOTIONS_QUEUE,
    REJECTED,
    SILENT,
    UNWIND,
    Case,
    Fault,
    Plan,
)
from .invariants import IssuedTwice, settle
from .lab import Lab

_STATES = (
    "AnnouncePlaced", "AuthorizePayment", "AwaitRestaurant", "AnnounceAccepted", "AwaitDispatch", "AnnounceDispatched",
    "AwaitDelivery", "CapturePayment", "RecordDelivered", "AnnounceDelivered", "Close", "ReleasePayment", "RecordEnd",
    "AnnounceEnd", "Begin", "ReadOrder",
)  # fmt: skip


@dataclass
class Report:
    """What came of it.

    Attributes:
        figures: lines to show.
        wrong: what does not hold; empty if all is well.
    """

    figures: list[str]
    wrong: list[str]


def fault(chance: random.Random) -> Fault:
    """One fault, anywhere."""
    operation = chance.choice(("authorize", "capture", "release"))
    skip, times = chance.randrange(4), chance.choice((1, 1, 2, 3, 9))
    return chance.choice(
        (
            Fault("function", "raise", {"function": PAYMENTS, "operation": operation}, times=times),
            Fault("function", "lose", {"function": PAYMENTS, "operation": operation}, times=times),
            Fault("function", "timeout", {"function": PAYMENTS, "operation": operation}, times=times),
            Fault("function", "delay", {"function": PAYMENTS, "operation": operation}, seconds=chance.random() * 2),
            Fault("function", "lose", {"function": API}, skip=skip),
            Fault("api", "kill", {"table": PAYMENTS_TABLE, "operation": "TransactWriteItems"}, skip=skip),
            Fault("api", "kill-after", {"table": PAYMENTS_TABLE, "operation": "TransactWriteItems"}, skip=skip),
            Fault("api", "kill", {"table": LEDGER, "operation": "TransactWriteItems"}, skip=skip),
            Fault("api", "kill-after", {"table": LEDGER, "operation": "TransactWriteItems"}, skip=skip),
            Fault("api", "lose", {"table": LEDGER, "operation": "TransactWriteItems"}, skip=skip, times=times),
            Fault("api", "refuse", {"state": chance.choice(_STATES)}, times=times),
            Fault("api", "lose", {"state": chance.choice(_STATES)}, times=times),
            Fault("api", chance.choice(("refuse", "lose")), {"operation": "StartExecution"}, times=times),
            Fault("api", chance.choice(("refuse", "lose")), {"operation": "SendTaskSuccess"}, skip=skip, times=times),
            Fault("api", chance.choice(("refuse", "lose")), {"operation": "PutEvents"}, skip=skip, times=times),
            Fault(
                "state",
                "stop",
                {"state": chance.choice(_STATES), "moment": chance.choice(("before", "during", "after"))},
            ),
            Fault("state", "fail", {"state": chance.choice(_STATES), "moment": "before"}),
            Fault("target", "drop", {"target": UNWIND}),
            Fault("target", "repeat", {"target": UNWIND}, seconds=chance.choice((2, 10))),
            Fault("target", "delay", {"target": UNWIND}, seconds=chance.random() * 3),
            Fault("target", "repeat", {"target": PROMOTIONS_QUEUE}, skip=skip, seconds=chance.choice((2, 10))),
            Fault("target", "delay", {"target": PROMOTIONS_QUEUE}, skip=skip, seconds=chance.random() * 5),
        )
    )


def cases(seed: int, orders: int) -> list[Case]:
    """So many orders, most with one to three faults, of customers with one or two orders each."""
    found = []
    plans: tuple[tuple[Plan, int], ...] = (
        (DELIVERED, 60), (CANCELLED, 12), ({"PLACED": "cancel"}, 5), (REJECTED, 10), (SILENT, 5), (NEVER_DELIVERED, 8),
    )  # fmt: skip
    for number in range(orders):
        chance = seeded(seed, "chaos", number)
        plan = chance.choices([plan for plan, _ in plans], [weight for _, weight in plans])[0]
        faults = tuple(fault(chance) for _ in range(chance.choice((0, 1, 1, 2, 3))))
        found.append(
            Case(
                f"chaos-{seed}-{number:04d}",
                "random",
                "anywhere",
                plan,
                ENDS,
                faults,
                DECLINED_CARD if chance.random() < 0.08 else "pm_card_visa",
                f"c-chaos-{seed}-{number // 2}",
            )
        )
    return found


def run(lab: Lab, seed: int, orders: int) -> Report:
    """Run it, and reconcile the money."""
    rows = cases(seed, orders)
    chance = seeded(seed, "kills")
    looks = 0

    def kill(lab: Lab, _: Case) -> None:
        nonlocal looks
        looks += 1
        if chance.random() < 0.01:
            lab.kill_workers()

    lab.run(rows, limit=900, each=kill)
    verdicts, facts = settle(lab, rows, seconds=90)
    struck = lab.struck()
    placed = [case for case in rows if case.order_id in facts.orders]
    ends = Counter(str(facts.orders[case.order_id]["status"]) for case in placed)
    balances = {case.order_id: facts.balance(case.order_id) for case in placed}
    delivered: Counter[str] = Counter()
    captured: Counter[str] = Counter()
    for case in placed:
        order = facts.orders[case.order_id]
        total = order["total"]
        delivered[total["currency"]] += int(total["amount"]) if order["status"] == "DELIVERED" else 0
        captured[total["currency"]] += balances[case.order_id].captured
    double = sum(
        sum(entry["entry"].startswith("CAPTURE#") for entry in facts.ledger.get(order_id, [])) > 1
        for order_id in balances
    )
    without = sum(
        balance.captured > 0 and facts.orders[order_id]["status"] != "DELIVERED"
        for order_id, balance in balances.items()
    )
    held = sum(balance.open != 0 for balance in balances.values())
    twice = sum(isinstance(verdict.get("I3"), IssuedTwice) for verdict in verdicts.values())
    figures = [
        f"Chaos: {len(placed)} orders, {sum(struck.get(case.name, 0) for case in rows)} faults struck.",
        f"Ended: {', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}.",
        f"Double captures: {double}. Captures without delivery: {without}. Holds left: {held}."
        f" Codes issued twice: {twice}.",
        f"Money: {_sums(delivered)} by the delivered orders, {_sums(captured)} captured by the gateway's ledger.",
    ]
    wrong = [
        f"{case.name} {inv}: {fault}; {case.faults}" for case in rows for inv, fault in verdicts[case.name].items()
    ]
    if delivered != captured:
        wrong.append(f"the sum over orders is {_sums(delivered)}, the sum over the ledger {_sums(captured)}")
    return Report(figures, wrong)


def _sums(by_currency: Counter[str]) -> str:
    return " and ".join(printed(amount, currency) for currency, amount in sorted(by_currency.items())) or "nothing"


def seeded(seed: int, *parts: object) -> random.Random:
    """A source of chance that is the same in each run of this seed, whatever else happens meanwhile."""
    return random.Random(f"{seed}:{':'.join(map(str, parts))}")  # noqa: S311 - repeatable, which is the point
