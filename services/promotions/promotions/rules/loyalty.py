"""Stay: every fifth delivered order earns a code."""

from collections.abc import Iterator

from tiffin.discounts import Percentage

from promotions.model import Grant, History, Terms, end_of_day, euros

EVERY = 5
VALID_DAYS = 60
TERMS = Terms(
    __name__,
    prefix="LOYAL",
    discount=Percentage(percent=25, cap=euros(10)),
    minimum_order=euros(15),
)


def rule(history: History) -> Iterator[Grant]:
    """Once for each full five delivered orders."""
    for number, fifth in enumerate(history.deliveries[EVERY - 1 :: EVERY], start=1):
        yield TERMS.grant(str(number), by=fifth, expires_at=end_of_day(fifth.at, VALID_DAYS))
