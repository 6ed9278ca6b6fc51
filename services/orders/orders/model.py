"""The domain: what an order is, how it is priced, and which moves are legal when. Pure; imports no AWS."""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StringConstraints
from tiffin.discounts import Offer
from tiffin.events import rfc3339
from tiffin.money import Currency, Money

# Three hours: food that has not arrived by then is worth nothing. The workflow's own TimeoutSeconds says the same.
DELIVERY_WINDOW = timedelta(hours=3)
# How long after the deadline the workflow's own end may take to be recorded before the reconciler steps in.
GRACE = timedelta(minutes=3)
MAX_LINES = 50
MAX_QUANTITY = 99


class OrderStatus(StrEnum):
    """Where an order is. The last six are ends: nothing changes after them."""

    PLACED = "PLACED"
    AWAITING_RESTAURANT = "AWAITING_RESTAURANT"
    PREPARING = "PREPARING"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    DELIVERED = "DELIVERED"
    DECLINED = "DECLINED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


ENDS = frozenset(
    {
        OrderStatus.DELIVERED,
        OrderStatus.DECLINED,
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
        OrderStatus.FAILED,
    }
)


class Move(StrEnum):
    """A turn that a person takes: the restaurant, the courier or the customer."""

    ACCEPT = "accept"
    REJECT = "reject"
    CANCEL = "cancel"
    DISPATCH = "dispatch"
    DELIVER = "deliver"


LEGAL_IN: dict[Move, frozenset[OrderStatus]] = {
    Move.ACCEPT: frozenset({OrderStatus.AWAITING_RESTAURANT}),
    Move.REJECT: frozenset({OrderStatus.AWAITING_RESTAURANT}),
    Move.CANCEL: frozenset({OrderStatus.PLACED, OrderStatus.AWAITING_RESTAURANT}),
    Move.DISPATCH: frozenset({OrderStatus.PREPARING}),
    Move.DELIVER: frozenset({OrderStatus.OUT_FOR_DELIVERY}),
}


class IllegalMove(Exception):
    """The order is not where this move can be made, or another turn or the deadline was there first."""

    def __init__(self, order_id: str, move: Move, status: OrderStatus, taken: str | None = None) -> None:
        already = f" and “{taken}” was there first" if taken else ""
        super().__init__(f"Order {order_id} is {status}{already}: it cannot take “{move}”.")
        self.order_id, self.move, self.status, self.taken = order_id, move, status, taken


class UnknownDish(Exception):
    """The restaurant's menu has no such dish."""

    def __init__(self, restaurant_id: str, dish_id: str) -> None:
        super().__init__(f"{restaurant_id} has no dish {dish_id}.")
        self.dish_id = dish_id


class UnknownPromoCode(Exception):
    """This customer has no such promo code. Whether somebody else has it is nobody's business."""


class PromoCodeAlreadyUsed(Exception):
    """Another order has the promo code."""


def _printable(text: str) -> str:
    """Refuse control characters, which no note or address needs and which break logs and printers alike."""
    if any(ord(c) < 32 and c != "\n" for c in text):
        raise ValueError("control characters are not allowed")
    return text


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
CustomerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(_printable)
]
# Typed by hand, from a mail or a phone: capitals are ours to make.
PromoCodeText = Annotated[
    str, StringConstraints(pattern=r"^\s*[A-Za-z0-9][A-Za-z0-9-]{3,31}\s*$", strip_whitespace=True, to_upper=True)
]
Note = Annotated[str, StringConstraints(max_length=500), AfterValidator(_printable)]


class _Request(BaseModel):
    # An unknown field is a misunderstanding (a price, say, that would be ignored): better refused than dropped.
    model_config = ConfigDict(extra="forbid", frozen=True)


class LineRequest(_Request):
    """So many of one dish. No price: prices come from the menu."""

    dish_id: Slug
    quantity: Annotated[StrictInt, Field(ge=1, le=MAX_QUANTITY)]


class Delivery(_Request):
    """Where the food goes. Personal data: stays in the orders table, never in events, logs or traces."""

    name: Text
    address: Text


class PlaceOrder(_Request):
    """The body of `POST /orders`.

    Attributes:
        customer_id: who orders.
        restaurant_id: from whom.
        lines: what, 1 to 50 different lines.
        payment_method: a gateway's payment method name, such as Stripe's `pm_card_visa`. Never a card number.
        delivery: where to.
        note: for the kitchen; any language, emoji included.
        promo_code: a code that promotions issued to this customer.
    """

    customer_id: CustomerId
    restaurant_id: Slug
    lines: Annotated[list[LineRequest], Field(min_length=1, max_length=MAX_LINES)]
    payment_method: Annotated[str, StringConstraints(pattern=r"^pm_[A-Za-z0-9_]{1,96}$")]
    delivery: Delivery
    note: Note = ""
    promo_code: PromoCodeText | None = None

    def fingerprint(self) -> str:
        """A hash that tells two different bodies under one idempotency key apart."""
        # Without what is absent, so that a field that this model gains later leaves earlier bodies' hashes as they are.
        canonical = json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class RejectOrder(_Request):
    """The optional body of `POST /orders/{id}/reject`: a closed list, as free text may hold what events must not."""

    reason: Literal["too_busy", "out_of_stock", "closing", "outside_delivery_area", "other"] = "other"


class Dish(BaseModel):
    """A dish on the menu; `price` in minor units of the restaurant's currency."""

    dish_id: Slug
    name: str
    description: str = ""
    category: str = ""
    price: Annotated[StrictInt, Field(gt=0)]
    vegetarian: bool = False
    vegan: bool = False
    allergens: list[str] = []


class Restaurant(BaseModel):
    """A restaurant and its menu; `delivery_fee` in minor units."""

    restaurant_id: Slug
    name: str
    cuisine: str
    currency: Currency
    delivery_fee: Annotated[StrictInt, Field(ge=0)]
    dishes: list[Dish]


class RestaurantSummary(BaseModel):
    """A restaurant without its menu."""

    restaurant_id: str
    name: str
    cuisine: str
    currency: str
    delivery_fee: int


@dataclass(frozen=True, slots=True)
class PromoCode:
    """A customer's promo code, as far as promotions announced it.

    Attributes:
        customer_id: whose it is.
        code: as the customer types it.
        offer: what it takes off, and when.
        reserved_by: the order that has it, if one does.
    """

    customer_id: str
    code: str
    offer: Offer
    reserved_by: str | None = None

    def off(self, order_id: str, subtotal: Money, delivery_fee: Money, now: datetime) -> Money:
        """What it takes off an order; see `Offer.off` for the amounts.

        Raises:
            PromoCodeAlreadyUsed: another order has it.
            CodeExpired, MinimumNotReached: it is not for this order.
        """
        # Reserved by this very order: a twin of this request was faster, and will be found.
        if self.reserved_by not in (None, order_id):
            raise PromoCodeAlreadyUsed(self.code)
        return self.offer.off(subtotal, delivery_fee, now)


class Line(BaseModel):
    """A priced line of an order."""

    dish_id: str
    name: str
    quantity: int
    unit_price: Money
    price: Money


class Reason(BaseModel):
    """Why an order ended as it did, for a person to read.

    Attributes:
        code: stable, for programs: `insufficient_funds`, `restaurant_silent`.
        message: one sentence.
        network: the card network that declined, for declines.
        summary: `mastercard: insufficient_funds`, the answer to "why?" in one glance.
    """

    code: str
    message: str
    network: str | None = None
    summary: str

    @classmethod
    def of(cls, code: str, message: str, network: str | None = None) -> "Reason":
        return cls(code=code, message=message, network=network, summary=f"{network}: {code}" if network else code)


class Turn(BaseModel):
    """The order came to `status` at `at`."""

    status: OrderStatus
    at: datetime


class Payment(BaseModel):
    """What the order knows of its payment. The payments service owns the truth."""

    status: Literal["PENDING", "AUTHORIZED", "DECLINED", "CAPTURED", "RELEASED"] = "PENDING"
    network: str | None = None


class Order(BaseModel):
    """An order as its customer and support see it.

    Attributes:
        deadline_at: when it will be given up if it has not arrived.
        timeline: every status so far with its moment, oldest first.
        pending_move: a turn that was taken and that the workflow has not recorded yet.
        delivery, note: personal; left out of lists.
    """

    order_id: str
    customer_id: str
    restaurant_id: str
    restaurant_name: str
    status: OrderStatus
    reason: Reason | None = None
    lines: list[Line]
    subtotal: Money
    delivery_fee: Money
    discount: Money
    total: Money
    promo_code: str | None = None
    payment_method: str
    payment: Payment = Payment()
    placed_at: datetime
    updated_at: datetime
    deadline_at: datetime
    timeline: list[Turn]
    pending_move: str | None = None
    delivery: Delivery | None = None
    note: str | None = None


def order_id_for(customer_id: str, idempotency_key: str) -> str:
    """Derive the order's id, so that a repeated request is the same order and the same execution.

    Customer and key are hashed with their lengths between them: no two pairs run together to the same text.
    """
    material = f"{len(customer_id)}:{customer_id}:{idempotency_key}".encode()
    return "ord_" + base64.b32encode(hashlib.sha256(material).digest()).decode().lower()[:26]


def place(
    request: PlaceOrder,
    restaurant: Restaurant,
    *,
    order_id: str,
    now: datetime,
    promo_code: PromoCode | None = None,
) -> Order:
    """Price a request from the menu and make it an order.

    Args:
        request: what the customer asked for.
        restaurant: the restaurant with its current menu.
        order_id: see `order_id_for`.
        now: the moment of placing, aware.
        promo_code: the code that the request names, as promotions announced it.

    Raises:
        UnknownDish: a line names a dish that the menu has not.
        PromoCodeAlreadyUsed, CodeExpired, MinimumNotReached: the code takes nothing off this order.
    """
    menu = {dish.dish_id: dish for dish in restaurant.dishes}
    lines = []
    for wanted in request.lines:
        dish = menu.get(wanted.dish_id)
        if dish is None:
            raise UnknownDish(restaurant.restaurant_id, wanted.dish_id)
        unit = Money(amount=dish.price, currency=restaurant.currency)
        lines.append(
            Line(
                dish_id=dish.dish_id,
                name=dish.name,
                quantity=wanted.quantity,
                unit_price=unit,
                price=unit * wanted.quantity,
            )
        )
    subtotal = Money.total((line.price for line in lines), restaurant.currency)
    fee = Money(amount=restaurant.delivery_fee, currency=restaurant.currency)
    gross = subtotal + fee
    off = promo_code.off(order_id, subtotal, fee, now) if promo_code else Money(amount=0, currency=restaurant.currency)
    total = gross.minus(off)
    return Order(
        order_id=order_id,
        customer_id=request.customer_id,
        restaurant_id=restaurant.restaurant_id,
        restaurant_name=restaurant.name,
        status=OrderStatus.PLACED,
        lines=lines,
        subtotal=subtotal,
        delivery_fee=fee,
        discount=gross.minus(total),
        total=total,
        promo_code=promo_code.code if promo_code else None,
        payment_method=request.payment_method,
        placed_at=now,
        updated_at=now,
        deadline_at=now + DELIVERY_WINDOW,
        timeline=[Turn(status=OrderStatus.PLACED, at=now)],
        delivery=request.delivery,
        note=request.note,
    )


def workflow_input(order: Order, trace_header: str) -> dict[str, Any]:
    """What the workflow needs to know of an order, and no more: nothing personal enters its history.

    The same order always gives the same input, as starting it again must be the same execution.
    """
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "restaurant_id": order.restaurant_id,
        "subtotal": order.subtotal.model_dump(),
        "discount": order.discount.model_dump(),
        "total": order.total.model_dump(),
        "item_count": sum(line.quantity for line in order.lines),
        "promo_code": order.promo_code,
        "payment_method": order.payment_method,
        "placed_at": rfc3339(order.placed_at),
        "deadline_at": rfc3339(order.deadline_at),
        "overdue_at": rfc3339(order.deadline_at + GRACE),
        "trace_header": trace_header,
    }
