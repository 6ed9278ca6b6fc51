"""The domain of promo codes. Pure: no AWS, no clock.

Everything here is a function of *which* events a customer's orders have sent, never of the order in which they came:
the bus delivers at least once and unordered. That is why a code is named by what earned it (its key), why its expiry
follows from the event that earned it, and why a rule looks at the whole history each time.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from tiffin.discounts import CURRENCY, FixedAmount, FreeDelivery, Percentage, is_within_reason, limit_of
from tiffin.moments import later, utc
from tiffin.money import Money


def euros(amount: int) -> Money:
    """An amount of the programme's currency, in whole euros."""
    return Money(amount=amount * 100, currency=CURRENCY)


# --- What happened ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """An order that reached its customer.

    Attributes:
        order_id: the order.
        at: when it was handed over.
        total: what it cost the customer.
    """

    order_id: str
    at: datetime
    total: Money


@dataclass(frozen=True, slots=True)
class Expiry:
    """An order that was not delivered in time.

    Attributes:
        order_id: the order.
        at: by when it was to arrive.
    """

    order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one customer, each order once, oldest first, whatever the order in which it became known.

    Attributes:
        deliveries: delivered orders.
        expiries: expired orders.
    """

    deliveries: tuple[Delivery, ...] = ()
    expiries: tuple[Expiry, ...] = ()

    @classmethod
    def of(cls, facts: "Iterable[Delivery | Expiry]") -> "History":
        """Put facts in order. Of two reports of the same thing the earlier moment counts."""
        deliveries: dict[str, Delivery] = {}
        expiries: dict[str, Expiry] = {}
        for fact in sorted(facts, key=lambda f: (f.at, f.order_id)):
            if isinstance(fact, Delivery):
                deliveries.setdefault(fact.order_id, fact)
            else:
                expiries.setdefault(fact.order_id, fact)
        return cls(tuple(deliveries.values()), tuple(expiries.values()))

    def with_fact(self, fact: Delivery | Expiry) -> "History":
        """This history and one fact more; the same if it says nothing new."""
        return History.of((*self.deliveries, *self.expiries, fact))


# --- What a customer gets for it --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Budget:
    """How many codes a campaign gives away in all, to whoever comes first.

    Attributes:
        campaign: id of the campaign.
        codes: how many.
    """

    campaign: str
    codes: int


@dataclass(frozen=True, slots=True)
class Cap:
    """How many codes of one rule a customer gets at most within some days, counted by when they were earned.

    The first that become known count. So beyond the cap it matters in which order events come, as with a budget.

    Attributes:
        codes: how many.
        days: within how many days.
    """

    codes: int
    days: int

    def leaves_room(self, earned_at: datetime, others: Iterable[datetime]) -> bool:
        """Whether one more is possible.

        Args:
            earned_at: when it was earned.
            others: when those were that the customer has already.
        """
        near = sum(1 for other in others if abs(other - earned_at) < timedelta(days=self.days))
        return near < self.codes


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms under which a rule gives codes away.

    Attributes:
        rule: the rule's module, `__name__`: its last part names the rule in keys and events, for good.
        prefix: first part of the code, for people to tell codes apart: 2 to 20 of A-Z and 0-9.
        discount: what a code takes off one order.
        minimum_order: smallest subtotal that it can be spent on.
        cap: how many of them one customer gets, if not as many as were earned.

    Raises:
        ValueError: nobody could spend such a code, or it would take off more than its reason allows.
    """

    rule: str
    prefix: str
    discount: Percentage | FixedAmount | FreeDelivery
    minimum_order: Money
    cap: Cap | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Z0-9]{2,20}", self.prefix):
            raise ValueError(f"{self.prefix!r} cannot begin a code: it takes 2 to 20 of A-Z and 0-9")
        limit = limit_of(self.discount)
        if limit is not None and (limit.amount == 0 or limit.currency != self.minimum_order.currency):
            raise ValueError(f"{limit} off an order of at least {self.minimum_order} is nothing, or another currency")
        if not is_within_reason(self.reason, self.discount):
            raise ValueError(f"a code of {self.reason} takes off less than that: see tiffin.discounts, MOST")

    @property
    def reason(self) -> str:
        """The rule's name, as keys and events have it."""
        return self.rule.rpartition(".")[2]

    def grant(self, *parts: str, by: "Delivery | Expiry", expires_at: datetime) -> "Grant":
        """Entitle the customer to a code.

        Args:
            parts: what tells several codes of this rule for one customer apart. They must follow from what happened
                alone, never from when it became known.
            by: what earned it.
            expires_at: first moment at which it is no longer taken. It, too, must follow from what happened.
        """
        return Grant(
            key="#".join((self.reason.upper(), *parts)),
            reason=self.reason,
            prefix=self.prefix,
            discount=self.discount,
            minimum_order=self.minimum_order,
            order_id=by.order_id,
            earned_at=by.at,
            expires_at=utc(expires_at),
            cap=self.cap,
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """A customer's entitlement to one code, as a rule sees it.

    Attributes:
        key: names what earned it, once per customer.
        reason: name of the rule.
        prefix: first part of the code.
        discount: what the code takes off one order.
        minimum_order: smallest subtotal that it can be spent on.
        order_id: the order that earned it.
        earned_at: when it was earned.
        expires_at: first moment at which it is no longer taken.
        budget: limit over all customers, if there is one.
        cap: limit for one customer, if there is one.
    """

    key: str
    reason: str
    prefix: str
    discount: Percentage | FixedAmount | FreeDelivery
    minimum_order: Money
    order_id: str
    earned_at: datetime
    expires_at: datetime
    budget: Budget | None = None
    cap: Cap | None = None


Rule = Callable[[History], Iterator[Grant]]
"""What a history entitles to. A rule must be monotone: what it grants for a history, it grants for a longer one too."""


def end_of_day(moment: datetime, days_later: int = 0) -> datetime:
    """The first moment after a day (UTC) that lies some days later; the last moment that there is, if none is left.

    Args:
        moment: any moment of the first day.
        days_later: how many days later.
    """
    return later(datetime.combine(utc(moment).date(), time.min, UTC), timedelta(days=days_later + 1))


_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read as a digit or another letter (https://www.crockford.com/base32.html)."""


def code_for(customer_id: str, key: str, prefix: str) -> str:
    """The code of a customer and a reason: always the same one, and eight characters that a person can type.

    It is no secret and needs none: a code is good for its own customer only, and only once it was issued.

    Args:
        customer_id: whose code it is.
        key: what earned it.
        prefix: first part of the code.
    """
    number = int.from_bytes(hashlib.sha256(f"{customer_id}\n{key}".encode()).digest()[:5], "big")
    return f"{prefix}-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(35, -1, -5))


class Status(StrEnum):
    """Whether a code can be spent."""

    AVAILABLE = "available"
    REDEEMED = "redeemed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class PromoCode:
    """A code that a customer got.

    Attributes:
        customer_id: whose code it is.
        code: as the customer types it.
        key: names what earned it, once per customer.
        reason: name of the rule.
        discount: what it takes off one order.
        minimum_order: smallest subtotal that it can be spent on.
        order_id: the order that earned it.
        earned_at: when it was earned.
        expires_at: first moment at which it is no longer taken.
    """

    customer_id: str
    code: str
    key: str
    reason: str
    discount: Percentage | FixedAmount | FreeDelivery
    minimum_order: Money
    order_id: str
    earned_at: datetime
    expires_at: datetime

    @classmethod
    def issue(cls, customer_id: str, grant: Grant) -> "PromoCode":
        """Make the code that a grant entitles to."""
        return cls(
            customer_id=customer_id,
            code=code_for(customer_id, grant.key, grant.prefix),
            key=grant.key,
            reason=grant.reason,
            discount=grant.discount,
            minimum_order=grant.minimum_order,
            order_id=grant.order_id,
            earned_at=grant.earned_at,
            expires_at=grant.expires_at,
        )

    def status(self, now: datetime, *, taken: bool) -> Status:
        """Whether it can be spent.

        Args:
            now: the moment, aware.
            taken: whether an order has it.
        """
        if taken:
            return Status.REDEEMED
        return Status.EXPIRED if now >= self.expires_at else Status.AVAILABLE
