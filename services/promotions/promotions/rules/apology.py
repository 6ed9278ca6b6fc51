"""Sorry: an order that was not delivered in time earns a code."""

from collections.abc import Iterator

from tiffin.discounts import FixedAmount

from promotions.model import Grant, History, Terms, end_of_day, euros

VALID_DAYS = 90
TERMS = Terms(
    __name__,
    prefix="SORRY",
    discount=FixedAmount(amount=euros(5)),
    minimum_order=euros(10),
)


def rule(history: History) -> Iterator[Grant]:
    """Once for each expired order."""
    for expiry in history.expiries:
        yield TERMS.grant(expiry.order_id, by=expiry, expires_at=end_of_day(expiry.at, VALID_DAYS))
