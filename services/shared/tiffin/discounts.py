"""Discounts: what a promo code takes off one order. One arithmetic for whoever offers a code and whoever charges less.

The shapes are those of `PromoCodeIssued` (`events/schemas/PromoCodeIssued.json`). Amounts are integer minor units. Only
a percentage has to be rounded: to the nearest minor unit, half of one up (2.5 cents are 3). In a currency that cards
are charged in larger steps of (KWD 0.010), a discount is a number of those, rounded down: what is left has to be paid.
"""

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
