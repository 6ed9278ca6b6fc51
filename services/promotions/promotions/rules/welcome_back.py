"""Come back: the first delivered order earns a code for the next one."""

from collections.abc import Iterator

from tiffin.discounts import Percentage

from promotions.model import Grant, History, Terms, end_of_day, euros

VALID_DAYS = 30
TERMS = Terms(
    __name__,
    prefix="WELCOME",
    discount=Percentage(percent=20, cap=euros(5)),
    minimum_order=euros(15),
)


def rule(history: History) -> Iterator[Grant]:
    """Once, for the first delivered order."""
    for first in history.deliveries[:1]:
        yield TERMS.grant(by=first, expires_at=end_of_day(first.at, VALID_DAYS))
