"""Sorry: an order that was not delivered in time earns a code.

Not each without end: whoever could have orders expire at will would live on apologies.
"""

from collections.abc import Iterator

from tiffin.discounts import FixedAmount

from promotions.model import Cap, Grant, History, Terms, end_of_day, euros

VALID_DAYS = 90
TERMS = Terms(
    __name__,
    prefix="SORRY",
    discount=FixedAmount(amount=euros(5)),
    minimum_order=euros(10),
    cap=Cap(codes=3, days=30),
)


def rule(history: History) -> Iterator[Grant]:
    """Once for each expired order, as far as the cap allows."""
    for expiry in history.expiries:
        yield TERMS.grant(expiry.order_id, by=expiry, expires_at=end_of_day(expiry.at, VALID_DAYS))
