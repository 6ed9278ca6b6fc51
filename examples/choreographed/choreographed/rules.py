"""What follows from what. Pure; each rule is one step, and the sequence of the steps stands nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orders.model import ENDS, GRACE, Move, Order, OrderStatus, Reason
from tiffin.events import ORDER_ENDS, rfc3339

# As long as the restaurant may stay silent; and payments, before somebody gives the order up.
SILENCE = timedelta(minutes=15)
EVENT_OF = {
    OrderStatus.PREPARING: "OrderAccepted",
    OrderStatus.OUT_FOR_DELIVERY: "OrderDispatched",
    **{OrderStatus(end): event for event, end in ORDER_ENDS.items()},
}
"""Which event tells that an order entered a status. Of AWAITING_RESTAURANT nobody is told."""


class Operation(StrEnum):
    """What payments may be asked for."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class End:
    """How an order ends: a bad end is decided first, and has come once its money is let go.

    Attributes:
        status: the end.
        reason: why; None of a good one.
    """

    status: OrderStatus
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """An order as far as it has come: all that a step may know.

    Attributes:
        order: the order.
        claims: moves made, by the status they were made in.
        undoing: how it will end, if somebody decided so; no turn is taken from then on.
        trace_header: of the request that placed it.
    """

    order: Order
    claims: Mapping[str, Mapping[str, Any]]
    undoing: End | None
    trace_header: str

    @property
    def move(self) -> str | None:
        """The move that was made in the present status."""
        return self.claims.get(self.order.status, {}).get("move")

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.order.status in ENDS


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event to be announced: its name, when it happened (RFC 3339), and its data."""

    name: str
    occurred_at: str
    data: dict[str, Any]


def ended(status: OrderStatus, code: str, message: str) -> End:
    """An end for a reason."""
    return End(status, Reason(code=code, message=message, summary=code))


DELIVERED = End(OrderStatus.DELIVERED)
CANCELLED = ended(OrderStatus.CANCELLED, "cancelled_by_customer", "The customer cancelled the order.")
SILENT = ended(OrderStatus.REJECTED, "restaurant_silent", "The restaurant did not answer within 15 minutes.")
EXPIRED = ended(OrderStatus.EXPIRED, "not_delivered_in_time", "The food was not delivered within three hours.")


def failed(why: str) -> End:
    """A defect of ours, or of the gateway's.

    Args:
        why: the name of the error.
    """
    # The only code of the contract so far (`events/schemas/OrderFailed.json`), and there is no workflow.
    return ended(OrderStatus.FAILED, "workflow_failed", f"The order could not be completed: {why}.")


def declined(code: str, message: str, network: str) -> End:
    """The card network's answer, kept for whoever asks why."""
    return End(
        OrderStatus.DECLINED,
        Reason(code=code, message=message, network=network, summary=f"{network}: {code}"),
    )


def rejected(why: str | None) -> End:
    """The restaurant cannot.

    Args:
        why: one of the restaurant's reasons.
    """
    told = "" if why in (None, "other") else f": {str(why).replace('_', ' ')}"
    return ended(OrderStatus.REJECTED, "restaurant_rejected", f"The restaurant rejected the order{told}.")


def follows(life: Life) -> OrderStatus | End | None:
    """What the move that was made in the present status makes of the order: its next status, or the decision to end it.

    Nothing, if no move was made, or if payments must be asked first: see `owes`.
    """
    if life.over or life.undoing:
        return None
    match life.move:
        case Move.ACCEPT:
            return OrderStatus.PREPARING
        case Move.DISPATCH:
            return OrderStatus.OUT_FOR_DELIVERY
        case Move.REJECT:
            return rejected(life.claims[life.order.status].get("reason"))
        case Move.CANCEL:
            return CANCELLED
    return None


def owes(life: Life | None) -> Operation | None:
    """What payments must be asked for, as an order stands; of one that is not there, nothing."""
    if life is None or life.over:
        return None
    if life.undoing:
        return Operation.RELEASE
    if life.order.status is OrderStatus.PLACED and not life.move:
        return Operation.AUTHORIZE
    if life.order.status is OrderStatus.OUT_FOR_DELIVERY and life.move == Move.DELIVER:
        return Operation.CAPTURE
    return None


def times_up(life: Life, now: datetime) -> End | None:
    """How an order must end because somebody took too long.

    Args:
        life: the order.
        now: the moment, aware.
    """
    if life.over or life.undoing:
        return None
    # The food has arrived, and the money is being taken: that may take a little longer.
    if now >= life.order.deadline_at + (GRACE if life.move == Move.DELIVER else timedelta()):
        return EXPIRED
    if life.order.status is OrderStatus.PLACED and now >= life.order.placed_at + SILENCE:
        return failed("payments did not answer")
    return SILENT if now >= silent_at(life) and not life.move else None


def silent_at(life: Life) -> datetime:
    """From when on the restaurant has been silent for too long; its deadline, if the order does not wait for it."""
    entered = next((e.at for e in life.order.timeline if e.status is OrderStatus.AWAITING_RESTAURANT), None)
    waits = entered and life.order.status is OrderStatus.AWAITING_RESTAURANT
    return min(entered + SILENCE, life.order.deadline_at) if entered and waits else life.order.deadline_at


def announcement(before: Life | None, after: Life) -> Announcement | None:
    """What the world is told of a change, if anything.

    Args:
        before: the order before it; None if it was not there.
        after: the order after it.
    """
    order, status = after.order, after.order.status
    data: dict[str, Any] = {
        "customer_id": order.customer_id,
        "restaurant_id": order.restaurant_id,
        "total": order.total.model_dump(),
    }
    if before is None:
        data |= {
            "subtotal": order.subtotal.model_dump(),
            "discount": order.discount.model_dump(),
            "item_count": sum(line.quantity for line in order.lines),
            "promo_code": order.promo_code,
            "placed_at": rfc3339(order.placed_at),
        }
        return Announcement("OrderPlaced", rfc3339(order.placed_at), data)
    if status is before.order.status or status not in EVENT_OF:
        return None
    entered = next(rfc3339(entry.at) for entry in order.timeline if entry.status is status)
    if after.over:
        data |= {"promo_code": order.promo_code}
    if order.reason:
        data["reason"] = order.reason.model_dump(include={"code", "message", "network"}, exclude_none=True)
    if status is OrderStatus.EXPIRED:
        data["deadline_at"] = rfc3339(order.deadline_at)
    if status is OrderStatus.DELIVERED:
        data |= {"placed_at": rfc3339(order.placed_at), "delivered_at": entered}
    return Announcement(EVENT_OF[status], entered, data)
