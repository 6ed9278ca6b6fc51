"""Sorry: an order that was not delivered in time earns a code."""

from collections.abc import Iterator

from promotions.model import FixedAmount, Grant, History, Terms, euros

TERMS = Terms(
    prefix="SORRY",
    discount=FixedAmount(amount=euros(5)),
    minimum_order=euros(10),
    days=90,
)


def rule(history: History) -> Iterator[Grant]:
    """Once for each expired order."""
    for expiry in history.expiries:
        yield TERMS.grant("apology", expiry.order_id, order_id=expiry.order_id, at=expiry.at)
