"""Moments: always with an offset, compared in UTC, and never beyond the first or the last that there is.

The contracts let through every moment from year 1 to year 9999 (`events/schemas/common.json`), and Python has no day
before or after (datetime, "Constants"): the conversion to UTC, or thirty days more, raises OverflowError there. Here
what lies beyond counts as the first or the last moment. Moments keep their order that way, so whatever is the same in
any order of events stays so.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

FIRST = datetime.min.replace(tzinfo=UTC)
# To the millisecond, as tables and events keep moments.
LAST = datetime.max.replace(tzinfo=UTC, microsecond=999_000)


def utc(moment: datetime) -> datetime:
    """A moment in UTC; the first or the last that there is, if it lies beyond.

    Raises:
        ValueError: it has no offset, so nobody knows when it is.
    """
    if moment.utcoffset() is None:
        raise ValueError("a moment needs an offset from UTC")
    try:
        return min(moment.astimezone(UTC), LAST)
    except OverflowError:
        return FIRST if moment.year == FIRST.year else LAST


def later(moment: datetime, by: timedelta) -> datetime:
    """The moment that comes so much later, in UTC; the last that there is, if it would lie beyond.

    Args:
        moment: aware.
        by: how much later, zero or more.
    """
    try:
        return min(utc(moment) + by, LAST)
    except OverflowError:
        return LAST


Moment = Annotated[AwareDatetime, AfterValidator(utc)]
"""A moment of an event, as models read it."""
