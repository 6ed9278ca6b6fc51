"""A customer's orders as the promo-code context hears of them, and the ledger kept in memory."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from contracts.schemas import example
from promotions.ledger import Announcement, Change, Customer, News, decide
from promotions.model import Delivery, Expiry, Grant, History, PromoCode, Rule, euros
from promotions.operations import Promotions
from promotions.redemption import Happened
from promotions.rules import RULES, apology, campaign, free_delivery, loyalty, welcome_back
from promotions.rules.campaign import Campaign
from promotions.store import PromotionsStore, _data
from tiffin.discounts import FixedAmount
from tiffin.events import event_id
from tiffin.money import Money

ANNA = "5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11"
BORIS = "0d6b1b0e-31c5-4b3a-8d5a-6a1f5f6f4c22"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TRACE = "Root=1-6926e5b0-4c1d2f3a5b6c7d8e9f0a1b2c;Parent=53995c3f42cd8ad8;Sampled=1"
SPRING = Campaign(
    id="spring",
    prefix="SPRING",
    starts_at=NOON,
    ends_at=NOON + timedelta(days=7),
    expires_at=NOON + timedelta(days=30),
    budget=100,
    per_customer=2,
    minimum_order=euros(20),
    discount=FixedAmount(amount=euros(4)),
)
"""A campaign during the days of these stories, with more codes than they can earn."""

FIVE: tuple[Rule, ...] = (apology.rule, campaign.rule, free_delivery.rule, loyalty.rule, welcome_back.rule)
"""The rules of these stories, which count codes. What every rule owes is asked of `RULES`, whichever there are."""


def order(number: int) -> str:
    """A well-formed order id for a small number."""
    digits = "".join("abcdefghijklmnopqrstuvwxyz234567"[number >> shift & 31] for shift in (10, 5, 0))
    return "ord_" + digits.rjust(26, "o")


def delivery(number: int, *, days: float = 0, total: Money | None = None) -> Delivery:
    """An order delivered some days after noon."""
    return Delivery(order(number), NOON + timedelta(days=days), total or euros(21))


def placed(number: int, code: str | None = None, *, customer: str = ANNA) -> News:
    """An order was placed."""
    return News(customer, order(number), Happened.PLACED, code)


def delivered(
    number: int, code: str | None = None, *, days: float | None = None, customer: str = ANNA, total: Money | None = None
) -> News:
    """An order was delivered: unless said otherwise, one per day."""
    fact = delivery(number, days=number if days is None else days, total=total)
    return News(customer, order(number), Happened.DELIVERED, code, fact)


def expired(number: int, code: str | None = None, *, customer: str = ANNA) -> News:
    """An order was not delivered in time."""
    fact = Expiry(order(number), NOON + timedelta(days=number))
    return News(customer, order(number), Happened.ENDED_UNDELIVERED, code, fact)


def ended(number: int, code: str | None = None, *, customer: str = ANNA) -> News:
    """An order was declined, rejected or cancelled, or it failed."""
    return News(customer, order(number), Happened.ENDED_UNDELIVERED, code)


class RecordingStore(PromotionsStore):
    """The table, and the use case that writes it: takes news in, and is asked what is known.

    Args:
        table: the promotions table.
        rules: the rules in force.
    """

    def __init__(self, table: Any, rules: Sequence[Rule] = FIVE) -> None:
        super().__init__(table)
        self.record = Promotions(self, rules, pause=lambda _: None).record


def without_cap(rule: Rule) -> Rule:
    """A rule that gives as many as were earned: what a cap leaves out depends on what becomes known first."""

    @wraps(rule)
    def uncapped(history: History) -> Iterator[Grant]:
        return (replace(grant, cap=None) for grant in rule(history))

    return uncapped


UNCAPPED = tuple(without_cap(rule) for rule in RULES)


@dataclass
class Ledger:
    """A customer's record in memory: what the store does with a change, without a table.

    Attributes:
        rules: the rules in force.
        customer: what is known.
        announced: what was announced.
    """

    rules: Sequence[Rule] = FIVE
    customer: Customer = field(default_factory=lambda: Customer(ANNA))
    announced: list[Announcement] = field(default_factory=list)

    def take(self, *news: News) -> "Ledger":
        """Take events in, one after the other."""
        for one in news:
            while change := decide(self.customer, one, self.rules):
                self._apply(change)
                if not change.partial:
                    break
        return self

    def _apply(self, change: Change) -> None:
        history = self.customer.history
        self.customer = replace(
            self.customer,
            history=History.of((*history.deliveries, *history.expiries, *change.facts)),
            codes={**self.customer.codes, **{code.key: code for code in (*change.issued, *change.amended)}},
            uses={**self.customer.uses, **change.uses},
        )
        self.announced.extend(change.announcements)


def announced(table: Any) -> list[dict[str, Any]]:
    """What the outbox of the promotions table holds, as complete EventBridge events."""
    envelope = example("PromoCodeIssued")
    return [
        envelope | {"detail-type": row["detail_type"], "source": row["source"], "detail": json.loads(row["detail"])}
        for row in table.scan()["Items"]
        if row["record"].startswith("EVENT#")
    ]


def said(announcements: Sequence[Announcement]) -> list[tuple[str, ...]]:
    """What was announced, sorted, as whoever keeps a copy of the codes has it in the end.

    Of a code's announcements that is the earliest expiry. How many there were, and which order each named as the cause,
    depends on what was known by then: a use belongs to an order, a code to a customer.
    """
    until: dict[str, str] = {}
    for code in (a.issued for a in announcements if a.issued):
        until[code.code] = min(until.get(code.code, "9"), code.expires_at.isoformat())
    issued = [("PromoCodeIssued", code, expires_at) for code, expires_at in until.items()]
    return sorted(issued + [(a.name, a.code, a.order_id) for a in announcements if not a.issued])


def issued(grant: Grant) -> dict[str, Any]:
    """The event that announces Anna's code, as the outbox holds it."""
    code = PromoCode.issue(ANNA, grant)
    event = example("PromoCodeIssued")
    event["detail"]["data"] = _data(ANNA, Announcement("PromoCodeIssued", code.order_id, code.code, issued=code))
    event["detail"]["metadata"] |= {
        "order_id": code.order_id,
        "event_id": event_id(code.order_id, "PromoCodeIssued", code.code),
    }
    return event
