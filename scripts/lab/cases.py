"""A case: one order of a fault run, what people do with it, what goes wrong with it, and how it may end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders.model import order_id_for

PAYMENTS, API, PROMOTIONS = "*PaymentsFunction*", "*-ApiFunction*", "*-Promotions-*ConsumerFunction*"
ORDERS_TABLE, PAYMENTS_TABLE, LEDGER = "*OrdersTable*", "*PaymentsTable*", "*SandboxLedgerTable*"
PROMOTIONS_QUEUE, UNWIND = "*PromotionsQueue*", "*UnwindWorkflow*"
MACHINES = {"OrderWorkflow": "order workflow", "UnwindWorkflow": "unwind"}
"""Both state machines, in words."""
# More often than anybody tries again: SDK, workflow and reconciler together.
FOR_GOOD = 1000
DECLINED_CARD = "pm_card_mastercard_chargeDeclinedInsufficientFunds"

Row = dict[str, Any]


class Granted(str):
    """A note: somebody was granted what is against the rules."""

    __slots__ = ()


class ExperimentFailed(str):
    """A note: what was to be done to the order was not done, so nothing can be learnt from how it ended."""

    __slots__ = ()


@dataclass(frozen=True)
class Fault:
    """A rule for the emulator; see `laptop/emulator/fault_points.py` for points, actions and attributes."""

    point: str
    action: str
    match: Mapping[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    error: str = ""


# What is done with the lab to a case. The lab is not named: it is made of cases, not they of it.
Act = Callable[[Any, "Case"], None]
# Who does what once the order is in a status: a move of the API, or something out of the ordinary.
Plan = Mapping[str, str | Act]
DELIVERED: Plan = {"AWAITING_RESTAURANT": "accept", "PREPARING": "dispatch", "OUT_FOR_DELIVERY": "deliver"}
REJECTED: Plan = {"AWAITING_RESTAURANT": "reject"}
CANCELLED: Plan = {"AWAITING_RESTAURANT": "cancel"}
SILENT: Plan = {}
NEVER_DELIVERED: Plan = {"AWAITING_RESTAURANT": "accept", "PREPARING": "dispatch"}


@dataclass
class Case:
    """One order of the run: who does what with it, what goes wrong, and how it may end.

    Attributes:
        name: unique in the run.
        fault: what goes wrong, in words.
        place: where, in words.
        plan: the people's moves.
        ends: statuses it may end in.
        faults: rules for this order alone.
        method: payment method.
        customer: who orders, by name; a customer of this case alone by default.
        subject: what the services call that customer, once they have signed in.
        afterwards: done once the order is closed, before it is judged.
        must_strike: whether one of its faults must have struck for the case to count.
    """

    name: str
    fault: str
    place: str
    plan: Plan = field(default_factory=lambda: DELIVERED)
    ends: frozenset[str] = frozenset({"DELIVERED"})
    faults: tuple[Fault, ...] = ()
    method: str = "pm_card_visa"
    customer: str = ""
    subject: str = ""
    afterwards: Act | None = None
    must_strike: bool = True
    answered: bool = False
    notes: list[str] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    began: float = 0.0
    closed: bool = False
    row: Row = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.customer = self.customer or f"c-{self.name}"[:64].rstrip("-")

    @property
    def order_id(self) -> str:
        """The order's id, known before it is placed, once its customer has signed in."""
        return order_id_for(self.subject, self.name)
