"""What is counted of a kitchen, and in which minute. Pure: no AWS, no clock.

A stream keeps the order of what comes into it, but EventBridge promises none on the way there, and both hand things
out more than once. So each fact counts once, whatever came before it, and the same facts make the same figures in any
order.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tiffin.moments import later

PREPARATION_LIMIT = timedelta(minutes=20)
"""How long a kitchen may take from accepting an order to handing it to the courier; longer is late."""
KEPT = timedelta(days=400)
"""How long figures are kept, counted from their minute: longer than a year, which is what a stream can keep at most."""
REMEMBERED = KEPT + timedelta(days=7)
"""How long it is known of an order what was counted: longer than any minute that it counts in."""
_MILLISECOND = timedelta(milliseconds=1)


class CountedAlready(Exception):
    """The figures have this fact."""


class Forgotten(Exception):
    """It happened so long ago that the figures of its minute are gone, and with them what was counted."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one kitchen did, in a minute or in a longer time.

    Attributes:
        placed: orders that customers placed.
        accepted: orders that it accepted.
        dispatched: orders that it handed to a courier.
        prepared: how many of these are known from beginning to end, so that the next three count them.
        preparation_ms: how long these took together, in milliseconds.
        slowest_ms: how long the slowest of them took.
        late: how many of them took too long.
    """

    placed: int = 0
    accepted: int = 0
    dispatched: int = 0
    prepared: int = 0
    preparation_ms: int = 0
    slowest_ms: int = 0
    late: int = 0

    def __add__(self, more: "Figures") -> "Figures":
        """Both together."""
        return Figures(
            self.placed + more.placed,
            self.accepted + more.accepted,
            self.dispatched + more.dispatched,
            self.prepared + more.prepared,
            self.preparation_ms + more.preparation_ms,
            max(self.slowest_ms, more.slowest_ms),
            self.late + more.late,
        )

    @property
    def mean_ms(self) -> float | None:
        """How long an order took, on average; None if none is known."""
        return self.preparation_ms / self.prepared if self.prepared else None


@dataclass(frozen=True, slots=True)
class Course:
    """What is known of one order: when it was placed, accepted and handed to the courier, as far as that was heard.

    It is also what was counted: a moment that is here is in the figures, one that is missing is not.
    """

    placed_at: datetime | None = None
    accepted_at: datetime | None = None
    dispatched_at: datetime | None = None


MOMENTS = {"OrderPlaced": "placed_at", "OrderAccepted": "accepted_at", "OrderDispatched": "dispatched_at"}
"""By the events that are counted: which moment each of them tells."""


def minute(moment: datetime) -> datetime:
    """The minute that a moment lies in, by its beginning."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def is_late(preparation: timedelta) -> bool:
    """Whether a kitchen took longer for an order than it may."""
    return preparation > PREPARATION_LIMIT


def must_be_kept(at: datetime, now: datetime) -> None:
    """Refuse what is older than the figures.

    Raises:
        Forgotten: it is: whether it was counted, nobody knows any more.
    """
    if later(minute(at), KEPT) <= now:
        raise Forgotten(f"it is older than {KEPT.days} days")


def hear(known: Course, name: str, at: datetime) -> tuple[Course, dict[datetime, Figures]]:
    """Take a fact in.

    Args:
        known: what was heard of the order before.
        name: one of `MOMENTS`.
        at: when it happened, whenever it is heard of.

    Returns:
        What is known now, and what is added to which minutes. Both ends of a preparation may be heard of in any order;
        it belongs to the minute in which it ended.

    Raises:
        CountedAlready: it was heard of before.
    """
    which = MOMENTS[name]
    if getattr(known, which) is not None:
        raise CountedAlready(name)
    now = replace(known, **{which: at})
    adds = {minute(at): Figures(**{which.removesuffix("_at"): 1})}
    if which != "placed_at" and now.accepted_at and now.dispatched_at:
        # The later of the two, should clocks differ: who forgets one of them forgets the minute that both count in.
        left = minute(max(now.accepted_at, now.dispatched_at))
        adds[left] = adds.get(left, Figures()) + _prepared(now.accepted_at, now.dispatched_at)
    return now, adds


def forget(known: Course, since: datetime) -> Course:
    """What would be known of an order if nothing had been heard that happened since a moment."""
    left = {name: getattr(known, name) for name in MOMENTS.values()}
    return Course(**{name: at for name, at in left.items() if at is not None and at < since})


def _prepared(accepted_at: datetime, dispatched_at: datetime) -> Figures:
    # Clocks may differ by a little: no food leaves before it is begun.
    took = max(dispatched_at - accepted_at, timedelta())
    milliseconds = took // _MILLISECOND
    return Figures(prepared=1, preparation_ms=milliseconds, slowest_ms=milliseconds, late=int(is_late(took)))
