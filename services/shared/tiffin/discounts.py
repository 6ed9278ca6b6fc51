"""Discounts: what a promo code takes off one order. One arithmetic for whoever offers a code and whoever charges less.

The shapes are those of `PromoCodeIssued` (`events/schemas/PromoCodeIssued.json`). Amounts are integer minor units. Only
a percentage has to be rounded: to the nearest minor unit, half of one up (2.5 cents are 3). In a currency that cards
are charged in larger steps of (KWD 0.010), a discount is a number of those, rounded down: what is left has to be paid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt

from tiffin.charges import down_to_a_charge
from tiffin.models import BaseModel
from tiffin.money import Money


class NotApplicable(ValueError):
    """The code takes nothing off this order; the message says why."""


class CodeExpired(NotApplicable):
    """The code is past its expiry."""


class MinimumNotReached(NotApplicable):
    """The order is smaller than the code asks for, or in another currency."""


class OtherCurrency(MinimumNotReached):
    """What the code takes off is in another currency than the order, so no order in this one is ever large enough."""


class TakesNothingOff(NotApplicable):
    """What the code takes off comes to nothing on this order: it would be spent in vain."""


class Percentage(BaseModel):
    """A share of the subtotal.

    Attributes:
        percent: per cent, 1 to 100.
        cap: upper limit of what is taken off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["percentage"] = "percentage"
    percent: Annotated[StrictInt, Field(ge=1, le=100)]
    cap: Money | None = None

    def off(self, subtotal: Money, delivery_fee: Money) -> Money:
        """What is taken off: the share, half a minor unit rounded up (2.5 cents are 3), at most the cap."""
        share = (subtotal.amount * self.percent + 50) // 100
        limit = subtotal.amount if self.cap is None else min(self.cap.amount, subtotal.amount)
        return Money(amount=min(share, limit), currency=subtotal.currency)


class FixedAmount(BaseModel):
    """An amount, at most the subtotal: what is left of the code is lost, an order never costs less than nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["fixed"] = "fixed"
    amount: Money

    def off(self, subtotal: Money, delivery_fee: Money) -> Money:
        """What is taken off."""
        return Money(amount=min(self.amount.amount, subtotal.amount), currency=subtotal.currency)


class FreeDelivery(BaseModel):
    """The delivery fee."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["free_delivery"] = "free_delivery"

    def off(self, subtotal: Money, delivery_fee: Money) -> Money:
        """What is taken off."""
        return delivery_fee


Discount = Annotated[Percentage | FixedAmount | FreeDelivery, Field(discriminator="type")]

# --- How much a code may take off -------------------------------------------------------------------------------------

CURRENCY = "EUR"
"""The currency of the promo-code programme: in it rules and campaigns state their amounts."""


def _euros(amount: int) -> Money:
    return Money(amount=amount * 100, currency=CURRENCY)


MOST: Mapping[str, Sequence[Percentage | FixedAmount | FreeDelivery]] = {
    "welcome_back": [Percentage(percent=20, cap=_euros(5))],
    "loyalty": [Percentage(percent=25, cap=_euros(10))],
    "apology": [FixedAmount(amount=_euros(5))],
    "free_delivery": [FreeDelivery()],
}
"""The most that a code takes off, by its reason.

Promotions give no code that exceeds it, and orders take none in: whoever forges an announcement gains no more. A limit
is raised before the rule's terms are, and lowered only when no code of the old terms is left.
"""
MOST_OF_ALL: Sequence[Percentage | FixedAmount | FreeDelivery] = [
    Percentage(percent=50, cap=_euros(20)),
    FixedAmount(amount=_euros(20)),
    FreeDelivery(),
]
"""The same for every other reason: campaigns, and rules that are not known here yet."""


def is_within_reason(reason: str, discount: Percentage | FixedAmount | FreeDelivery) -> bool:
    """Whether a discount is no larger than a code of this reason may take off: `MOST`, `MOST_OF_ALL`.

    Args:
        reason: the rule that gave the code.
        discount: what the code takes off one order.
    """
    return any(_is_no_larger(discount, most) for most in MOST.get(reason, MOST_OF_ALL))


def _is_no_larger(
    discount: Percentage | FixedAmount | FreeDelivery, most: Percentage | FixedAmount | FreeDelivery
) -> bool:
    limit, most_of_it = limit_of(discount), limit_of(most)
    if type(discount) is not type(most) or (limit is None) is not (most_of_it is None):
        return False
    if isinstance(discount, Percentage) and isinstance(most, Percentage) and discount.percent > most.percent:
        return False
    return (
        limit is None
        or most_of_it is None
        or (limit.currency == most_of_it.currency and limit.amount <= most_of_it.amount)
    )


# --- What is offered --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """A discount under its conditions.

    Attributes:
        discount: what is taken off one order.
        minimum_order: smallest subtotal that it can be spent on.
        expires_at: first moment at which it is no longer taken.
    """

    discount: Percentage | FixedAmount | FreeDelivery
    minimum_order: Money
    expires_at: datetime

    def off(self, subtotal: Money, delivery_fee: Money, at: datetime) -> Money:
        """What is taken off an order.

        Args:
            subtotal: price of the dishes.
            delivery_fee: price of the delivery, in the same currency.
            at: when the order is placed.

        Returns:
            At most what the order costs, so that nothing is ever paid out.

        Raises:
            CodeExpired: the code is past its expiry.
            MinimumNotReached: the order is too small or in another currency.
            OtherCurrency: what is taken off is in another currency.
            TakesNothingOff: it is nothing: the delivery is free, the cap is zero, the share rounds to nothing.
        """
        if at >= self.expires_at:
            raise CodeExpired(f"It expired at {self.expires_at.isoformat()}.")
        if subtotal.currency != self.minimum_order.currency or subtotal.amount < self.minimum_order.amount:
            raise MinimumNotReached(f"It needs an order of at least {self.minimum_order}.")
        limit = limit_of(self.discount)
        if limit is not None and limit.currency != subtotal.currency:
            raise OtherCurrency(f"It is for orders in {limit.currency}.")
        off = down_to_a_charge(self.discount.off(subtotal, delivery_fee))
        if off.amount == 0:
            raise TakesNothingOff("It would take nothing off this order.")
        return off


def limit_of(discount: Percentage | FixedAmount | FreeDelivery) -> Money | None:
    """The most that a discount takes off, if that is an amount of its own."""
    match discount:
        case FixedAmount(amount=amount):
            return amount
        case Percentage(cap=cap):
            return cap
    return None
