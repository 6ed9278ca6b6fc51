"""What each role sees of an order, alone and in its list. Pure; what is not named here, nobody is answered.

A view has fields of its own: what an order will hold one day is in no view until somebody puts it there.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Discriminator, Tag
from tiffin.models import BaseModel
from tiffin.money import StoredMoney
from tiffin.roles import Caller, Role

from orders.model import Claim, Delivery, Entry, Line, Order, OrderStatus, Ownership, Reason


class _View(BaseModel):
    # Made of an order's attributes; and nothing else is in an answer, by which a client tells the views apart.
    model_config = ConfigDict(from_attributes=True, json_schema_extra={"additionalProperties": False})


class KitchenOrder(_View):
    """An order as its restaurant sees it: what to cook. Not who ordered, where it goes, or how it is paid.

    Attributes:
        reason: why it ended; not why a card was declined.
        pending_move: a move that was made in this status and that the workflow has not recorded yet.
    """

    order_id: str
    restaurant_id: str
    status: OrderStatus
    reason: Reason | None = None
    lines: list[Line]
    subtotal: StoredMoney
    note: str | None = None
    placed_at: datetime
    updated_at: datetime
    deadline_at: datetime
    timeline: list[Entry]
    pending_move: str | None = None


class CourierOrder(_View):
    """An order as a courier sees it: where to fetch it, and, while on the road with it, where to bring it.

    Attributes:
        item_count: how much there is to carry.
        delivery: personal; only while this courier is on the road with it.
        pending_move: a move that was made in this status and that the workflow has not recorded yet.
    """

    order_id: str
    restaurant_id: str
    restaurant_name: str
    status: OrderStatus
    item_count: int
    delivery: Delivery | None = None
    placed_at: datetime
    updated_at: datetime
    deadline_at: datetime
    pending_move: str | None = None


class SupportOrder(Order):
    """An order as support sees it: all of it, and who did what. Each reading is logged.

    Attributes:
        courier_id: who left with it.
        claims: moves, by the status they were made in.
    """

    courier_id: str | None
    claims: dict[str, Claim]


def _role(shown: object) -> Role:
    match shown:
        case SupportOrder():
            return Role.SUPPORT
        case KitchenOrder():
            return Role.RESTAURANT
        case CourierOrder():
            return Role.COURIER
    return Role.CUSTOMER


OrderView = Annotated[
    Annotated[Order, Tag(Role.CUSTOMER)]
    | Annotated[KitchenOrder, Tag(Role.RESTAURANT)]
    | Annotated[CourierOrder, Tag(Role.COURIER)]
    | Annotated[SupportOrder, Tag(Role.SUPPORT)],
    Discriminator(_role),
]
"""Whichever of them is the caller's."""


def view(
    order: Order, ownership: Ownership, claims: Mapping[str, Claim], caller: Caller
) -> Order | KitchenOrder | CourierOrder | SupportOrder:
    """What somebody sees of an order that they may see.

    Args:
        order: the order.
        ownership: its.
        claims: moves made, by the status they were made in.
        caller: who looks.
    """
    match caller.role:
        case Role.CUSTOMER:
            return order
        case Role.RESTAURANT:
            declined = order.status is OrderStatus.DECLINED
            return KitchenOrder.model_validate(order.model_copy(update={"reason": None}) if declined else order)
        case Role.COURIER:
            return CourierOrder(
                order_id=order.order_id,
                restaurant_id=order.restaurant_id,
                restaurant_name=order.restaurant_name,
                status=order.status,
                item_count=sum(line.quantity for line in order.lines),
                delivery=order.delivery if ownership.lets_bring(caller) else None,
                placed_at=order.placed_at,
                updated_at=order.updated_at,
                deadline_at=order.deadline_at,
                pending_move=order.pending_move,
            )
        case Role.SUPPORT:
            return SupportOrder.model_validate(
                {**dict(order), "courier_id": ownership.courier_id, "claims": dict(claims)}
            )


# In lists: nothing personal. What is no key of the list's index is what the index holds (template, `OrdersTable`).


class OrderSummary(BaseModel):
    """An order in its customer's list."""

    order_id: str
    restaurant_id: str
    restaurant_name: str
    status: OrderStatus
    total: StoredMoney
    placed_at: datetime
    updated_at: datetime | None = None
    deadline_at: datetime


class KitchenSummary(BaseModel):
    """An order in its restaurant's list."""

    order_id: str
    status: OrderStatus
    placed_at: datetime
    updated_at: datetime | None = None
    deadline_at: datetime


class CourierSummary(BaseModel):
    """An order in a courier's list."""

    order_id: str
    restaurant_id: str
    restaurant_name: str
    status: OrderStatus
    placed_at: datetime
    deadline_at: datetime


class SupportSummary(BaseModel):
    """An order in support's list.

    Attributes:
        courier_id: who left with it, if somebody did; of a customer's list, nobody.
    """

    order_id: str
    restaurant_id: str
    restaurant_name: str
    courier_id: str | None = None
    status: OrderStatus
    placed_at: datetime
    updated_at: datetime | None = None
    deadline_at: datetime
