"""How a code is spent and given back. Pure, and the same whatever the order in which an order's events arrive.

Each use of a code by an order has a state of its own, which only ever climbs: redeemed, then restored or spent. So it
does not matter whether order A gave the code back before or after order B took it, nor whether A's end came before A's
beginning: an end says which code the order had used, which makes the use known, and leaves a tombstone for the late
beginning.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple


class Use(NamedTuple):
    """The use of a code by an order.

    Attributes:
        code: the code.
        order_id: the order that it discounts.
    """

    code: str
    order_id: str


class State(IntEnum):
    """Where a use stands. The greater state wins, whichever became known first."""

    REDEEMED = 1
    """The order is on its way."""
    RESTORED = 2
    """The order ended without delivery; the code can be spent again."""
    SPENT = 3
    """The order was delivered; the code is used up."""


class Happened(StrEnum):
    """What became of an order, as far as its promo code is concerned."""

    PLACED = "placed"
    DELIVERED = "delivered"
    ENDED_UNDELIVERED = "ended_undelivered"


_REACHED = {
    Happened.PLACED: State.REDEEMED,
    Happened.ENDED_UNDELIVERED: State.RESTORED,
    Happened.DELIVERED: State.SPENT,
}


def after(before: State | None, happened: Happened) -> State:
    """Where a use stands after an event.

    Args:
        before: where it stood; None if it was not known.
        happened: what became of the order.
    """
    reached = _REACHED[happened]
    return reached if before is None else max(before, reached)


def announcements(before: State | None, now: State) -> tuple[str, ...]:
    """The events that a change of state announces: each at most once per use, and in any order of arrival the same.

    Args:
        before: where the use stood; None if it was not known.
        now: where it stands.
    """
    names = []
    if before is None:
        names.append("PromoCodeRedeemed")
    if now is State.RESTORED and before is not State.RESTORED:
        names.append("PromoCodeRestored")
    return tuple(names)


def holders(code: str, uses: Mapping[Use, State]) -> Iterable[str]:
    """The orders that a code is taken by; none if it can be spent.

    There may be two for a moment, when the next order becomes known before the end of the last one.
    """
    return sorted(use.order_id for use, state in uses.items() if use.code == code and state is not State.RESTORED)
