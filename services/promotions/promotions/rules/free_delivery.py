"""Order much: more than an amount within a period of 30 days earns a free delivery.

The periods are fixed: 30 days each (UTC), one after the other, before and after `FIRST_DAY`. A window that slid along
with each order would not do: which orders it took in would depend on which became known first, and so would the number
of codes.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from tiffin.discounts import FreeDelivery

from promotions.model import CURRENCY, Grant, History, Terms, euros

FIRST_DAY = date(2026, 1, 1)
PERIOD_DAYS = 30
MORE_THAN = euros(100)
TERMS = Terms(
    prefix="FREE",
    discount=FreeDelivery(),
    minimum_order=euros(15),
)


def rule(history: History) -> Iterator[Grant]:
    """Once for each period whose delivered orders come to more than the amount; valid to the end of the next period.

    Orders in another currency than the programme's count for nothing here.
    """
    sums: defaultdict[date, int] = defaultdict(int)
    for delivery in history.deliveries:
        if delivery.total.currency != CURRENCY:
            continue
        start = _period(delivery.at.astimezone(UTC).date())
        before = sums[start]
        sums[start] += delivery.total.amount
        if before <= MORE_THAN.amount < sums[start]:
            yield TERMS.grant(
                "free_delivery",
                start.isoformat(),
                by=delivery,
                expires_at=datetime.combine(start + timedelta(days=2 * PERIOD_DAYS), time.min, UTC),
            )


def _period(day: date) -> date:
    """First day of the period that a day lies in."""
    return day - timedelta(days=(day - FIRST_DAY).days % PERIOD_DAYS)
