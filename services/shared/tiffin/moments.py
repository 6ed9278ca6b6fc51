"""Moments: always with an offset, compared in UTC, and within the years in which anything here can happen.

Two ranges. What an event says lies between 2020 and 2100 (`EARLIEST`, `LATEST`), or the event is not read: nothing was
ordered before, and no promise is made for longer, so another year is a defect or a forgery, and codes that never expire
would come of it. The range is fixed and knows no clock: an event is judged alike however late it is read, from a queue,
a dead-letter queue or a replay. And whatever is derived stays within it, so that it is read by whoever hears of it.

What is calculated with besides, such as a row of before that rule, may be of any year from 1 to 9999, and Python has no
day before or after (datetime, "Constants"): the conversion to UTC raises OverflowError there. What lies beyond counts
as the first or the last moment. Moments keep their order that way, so whatever is the same in any order of events stays
so.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

FIRST = datetime.min.replace(tzinfo=UTC)
# To the millisecond, as tables and events keep moments.
LAST = datetime.max.replace(tzinfo=UTC, microsecond=999_000)
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_TOO_LATE = datetime(2100, 1, 1, tzinfo=UTC)
LATEST = _TOO_LATE - timedelta(milliseconds=1)

_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T")


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
    """The moment that comes so much later, in UTC; the latest that may be told, if it would lie beyond.

    Args:
        moment: aware.
        by: how much later, zero or more.
    """
    try:
        return min(utc(moment) + by, LATEST)
    except OverflowError:
        return LATEST


def in_range(moment: datetime) -> datetime:
    """The moment itself, if it may be told.

    Raises:
        ValueError: it lies before 2020, or not before 2100.
    """
    if not EARLIEST <= moment < _TOO_LATE:
        raise ValueError(f"a moment lies between {EARLIEST.year} and {_TOO_LATE.year}")
    return moment


def _text(value: Any) -> Any:
    # By itself pydantic also takes a number, or a text of digits, for seconds since 1970.
    if not isinstance(value, datetime) and not (isinstance(value, str) and _WRITTEN.match(value)):
        raise ValueError("a moment is text, as RFC 3339 writes it")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(utc), AfterValidator(in_range)]
"""A moment of an event, as models read it: with an offset, and within the range."""
