"""What an estimate is made of: what is known of an order, what a model weighs it with, and the minutes that follow.

All of it comes from the event alone. A linear model is little arithmetic; what it shows is where its weights may lie.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tiffin.moments import utc
from tiffin.money import DECIMALS, Money

RESTAURANTS = 256
"""Restaurants share so many weights: by a hash, so that a new one needs no new model."""
HOURS = 7 * 24
TENSORS: Mapping[str, int] = {"bias": 1, "restaurants": RESTAURANTS, "hours": HOURS, "total": 1}
"""How many weights a model has, by the names of its tensors. It may have more tensors, which nobody reads."""
SHORTEST, LONGEST = 10, 180
"""Minutes that an estimate lies between; the order workflow gives an order three hours in all."""

Weights = Mapping[str, Sequence[float]]


class NoNumber(ValueError):
    """The model's weights add up to nothing that could be minutes."""


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    """What a model knows of an order.

    Attributes:
        restaurant_id: who prepares it.
        accepted_at: since when, aware.
        total: what it costs; more food takes longer.
    """

    restaurant_id: str
    accepted_at: datetime
    total: Money

    @property
    def restaurant(self) -> int:
        """Which of the restaurants' weights is this one's: the same in every process and version of Python."""
        return zlib.crc32(self.restaurant_id.encode()) % RESTAURANTS

    @property
    def hour(self) -> int:
        """The hour of the week in UTC, Monday's first is 0."""
        at = utc(self.accepted_at)
        return at.weekday() * 24 + at.hour

    @property
    def size(self) -> float:
        """The total in its currency's major unit, as a logarithm: twice the price is not twice the work."""
        return math.log1p(self.total.amount / 10 ** DECIMALS[self.total.currency])


def minutes(weights: Weights, order: AcceptedOrder) -> int:
    """Minutes from accepted to handed over, between `SHORTEST` and `LONGEST`.

    Args:
        weights: of a model, by `TENSORS`.
        order: the order.

    Raises:
        NoNumber: a weight is not a number, or not finite.
    """
    found = (
        weights["bias"][0]
        + weights["restaurants"][order.restaurant]
        + weights["hours"][order.hour]
        + weights["total"][0] * order.size
    )
    if not math.isfinite(found):
        raise NoNumber("the model's weights are not finite numbers")
    return max(SHORTEST, min(LONGEST, round(found)))
