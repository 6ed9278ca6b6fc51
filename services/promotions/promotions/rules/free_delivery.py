"""Order much: more than an amount within the last 30 days earns a free delivery, at most once in each fixed period.

Each delivery looks back 30 days, and the code is named by the period (30 days each, UTC, before and after `FIRST_DAY`)
in which that delivery lies. The name may not come from the window itself: which delivery is the first to exceed the
amount changes when older ones become known, its period only ever gets earlier codes, never fewer. An order may so count
for two codes, of two periods that meet.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from tiffin.discounts import CURRENCY, FreeDelivery
from tiffin.moments import later, utc

from promotions.model import Grant, History, Terms, euros

FIRST_DAY = date(2026, 1, 1)
PERIOD_DAYS = 30
MORE_THAN = euros(100)
TERMS = Terms(
    __name__,
    prefix="FREE",
    discount=FreeDelivery(),
    minimum_order=euros(15),
)


def rule(history: History) -> Iterator[Grant]:
    """Once for each period with a delivery that makes more than the amount of the last 30 days.

    The code is valid to the end of the next period. Orders in another currency than the programme's count for nothing.
    """
    counted = [delivery for delivery in history.deliveries if delivery.total.currency == CURRENCY]
    rewarded: set[date] = set()
    amount, oldest = 0, 0
    for delivery in counted:
        amount += delivery.total.amount
        while delivery.at - counted[oldest].at >= timedelta(days=PERIOD_DAYS):
            amount -= counted[oldest].total.amount
            oldest += 1
        period = _period(utc(delivery.at).date())
        if amount > MORE_THAN.amount and period not in rewarded:
            rewarded.add(period)
            yield TERMS.grant(
                period.isoformat(),
                by=delivery,
                expires_at=later(datetime.combine(period, time.min, UTC), timedelta(days=2 * PERIOD_DAYS)),
            )


def _period(day: date) -> date:
    """First day of the period that a day lies in, or the first of all days."""
    return date.fromordinal(max(1, day.toordinal() - (day - FIRST_DAY).days % PERIOD_DAYS))
