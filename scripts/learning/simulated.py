"""Orders that never were, with the minutes they took: the same ones for the same seed.

A kitchen has a pace of its own; evenings and weekends take longer; a large order takes longer than a small one; and
nobody knows the rest, which is noise.
"""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from estimates.model import AcceptedOrder
from tiffin.money import Money

START = datetime(2026, 1, 5, tzinfo=UTC)
_WEEKS = 26
RESTAURANTS = [
    "r-bella-napoli",
    "r-sakura-sushi",
    "r-bombay-tiffin",
    *(f"r-simulated-{number}" for number in range(60)),
]
NOISE = 4.0
"""Standard deviation of what cannot be predicted, in minutes."""


def orders(count: int, seed: int) -> Iterator[tuple[AcceptedOrder, float]]:
    """Orders, each with the minutes from its acceptance to its delivery.

    Args:
        count: how many.
        seed: the same orders for the same one.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    pace = {restaurant: random.Random(restaurant).uniform(-8, 8) for restaurant in RESTAURANTS}  # noqa: S311
    for _ in range(count):
        restaurant = chance.choice(RESTAURANTS)
        at = START + timedelta(seconds=chance.randrange(_WEEKS * 7 * 24 * 60 * 60))
        order = AcceptedOrder(restaurant, at, Money(amount=round(chance.lognormvariate(7.9, 0.5)), currency="EUR"))
        yield (
            order,
            18 + pace[restaurant] + rush(at) + 3 * math.log1p(order.total.amount / 100) + chance.gauss(0, NOISE),
        )


def rush(at: datetime) -> float:
    """Minutes that an hour adds: noon, evening, and more of it at the weekend."""
    peak = 6 * math.exp(-((at.hour - 12) ** 2) / 4) + 12 * math.exp(-((at.hour - 19) ** 2) / 6)
    return peak * (1.4 if at.weekday() >= 5 else 1.0)
