"""The domain: what an order is, how it is priced, and which moves are legal when. Pure; imports no AWS."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt
from tiffin.charges import NotChargeable, Range, chargeable
from tiffin.discounts import Offer
from tiffin.events import ORDER_ENDS
from tiffin.models import BaseModel
from tiffin.money import Money, StoredMoney
from tiffin.roles import Caller, Role

# Three hours: food that has not arrived by then is worth nothing. The workflow's own TimeoutSeconds says the same.
DELIVERY_WINDOW = timedelta(hours=3)
# How long after the deadline the workflow's own end may take to be recorded before the reconciler steps in.
GRACE = timedelta(minutes=3)


class OrderStatus(StrEnum):
    """Where an order is, in the sequence of its life. The last six are ends: nothing changes after them."""

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


ENDS = frozenset(OrderStatus(status) for status in ORDER_ENDS.values())
OPEN = frozenset(OrderStatus) - ENDS


class Move(StrEnum):
    """What a person does: the restaurant, the courier or the customer."""

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


MADE_BY: dict[Move, Role] = {
    Move.ACCEPT: Role.RESTAURANT,
    Move.REJECT: Role.RESTAURANT,
    Move.CANCEL: Role.CUSTOMER,
    Move.DISPATCH: Role.COURIER,
    Move.DELIVER: Role.COURIER,
}
# Where an order that has no courier is any courier's: it is to be fetched, or it left before couriers were recorded.
COURIERS = frozenset({OrderStatus.PREPARING, OrderStatus.OUT_FOR_DELIVERY})


@dataclass(frozen=True, slots=True)
class Ownership:
    """To whom an order is anything. It is asked before all else: of what is not theirs, nobody learns that it exists.

    Attributes:
        customer_id: who ordered; None in a row that has lost it.
        restaurant_id: from whom; None likewise.
        courier_id: who left with it; None until somebody does, and in rows of before couriers were recorded.
        status: where it is, as stored.
    """

    customer_id: str | None
    restaurant_id: str | None
    courier_id: str | None
    status: str

    def lets_see(self, caller: Caller) -> bool:
        """Whether somebody may know of the order at all."""
        if caller.role is Role.COURIER:
            return self.courier_id == caller.subject or (self.courier_id is None and self.status in COURIERS)
        return caller.is_party_to(self.customer_id, self.restaurant_id)

    def lets_move(self, caller: Caller, move: Move) -> bool:
        """Whether it is theirs to make a move, be it legal now or not."""
        return MADE_BY[move] is caller.role and self.lets_see(caller)

    def lets_bring(self, caller: Caller) -> bool:
        """Whether somebody is on the road with it, and must know where to."""
        return caller.role is Role.COURIER and self.status == OrderStatus.OUT_FOR_DELIVERY and self.lets_see(caller)


class IllegalMove(Exception):
    """The order is not where this move can be made, or another move or the deadline was there first."""

    def __init__(self, order_id: str, move: Move, status: OrderStatus, taken: str | None = None) -> None:
        already = f" and “{taken}” was there first" if taken else ""
        super().__init__(f"Order {order_id} is {status}{already}: it cannot take “{move}”.")
        self.order_id, self.move, self.status, self.taken = order_id, move, status, taken


class UnknownRestaurant(Exception):
    """There is no such restaurant."""


class UnknownDish(Exception):
    """The restaurant's menu has no such dish."""

    def __init__(self, restaurant_id: str, dish_id: str) -> None:
        super().__init__(f"{restaurant_id} has no dish {dish_id}.")
        self.dish_id = dish_id


class MenuChanged(Exception):
    """The menu is another one than the customer saw: a dish or a price may have changed since.

    Attributes:
        menu_version: of the menu as it is now; None if it has none.
    """

    def __init__(self, restaurant_id: str, menu_version: str | None) -> None:
        super().__init__(f"The menu of {restaurant_id} has changed since. Nothing was ordered.")
        self.menu_version = menu_version


class OrderNotPayable(Exception):
    """No card could be charged what the order costs; the message says why."""


class OrderTotalTooSmall(OrderNotPayable):
    """It costs something, and less than a card is charged."""

    def __init__(self, limit: Money) -> None:
        super().__init__(f"An order costs nothing, or at least {limit}: less cannot be paid by card.")
        self.limit = limit


class OrderTotalTooLarge(OrderNotPayable):
    """It costs more than a card is charged."""

    def __init__(self, limit: Money) -> None:
        super().__init__(f"An order costs at most {limit}, delivery included: more cannot be paid by card at once.")
        self.limit = limit


class UnknownPromoCode(Exception):
    """This customer has no such promo code. Whether somebody else has it is nobody's business."""


class PromoCodeAlreadyUsed(Exception):
    """Another order has the promo code."""


class Dish(BaseModel):
    """A dish on the menu; `price` in minor units of the restaurant's currency."""

    dish_id: str
    name: str
    description: str = ""
    category: str = ""
    price: Annotated[StrictInt, Field(gt=0)]
    vegetarian: bool = False
    vegan: bool = False
    allergens: list[str] = Field(default_factory=list)


class Line(BaseModel):
    """A priced line of an order."""

    dish_id: str
    name: str
    quantity: int
    unit_price: StoredMoney
    price: StoredMoney


class Restaurant(BaseModel):
    """A restaurant and its menu; `delivery_fee` in minor units.

    Attributes:
        version: of the menu, from its content; None in a row that was written before menus had one.
    """

    restaurant_id: str
    name: str
    cuisine: str
    currency: str
    delivery_fee: Annotated[StrictInt, Field(ge=0)]
    dishes: list[Dish]
    version: str | None = None

    def must_be(self, menu_version: str | None) -> None:
        """Refuse to sell by another menu than the customer saw.

        Args:
            menu_version: of the menu that the customer saw; None if they do not say.

        Raises:
            MenuChanged: it is another one.
        """
        if menu_version is not None and menu_version != self.version:
            raise MenuChanged(self.restaurant_id, self.version)

    def lines(self, wanted: Iterable[tuple[str, int]]) -> list[Line]:
        """So many of each dish, at the menu's prices.

        Args:
            wanted: ids of dishes, and how many of each.

        Raises:
            UnknownDish: the menu does not have one of them.
            OrderNotPayable, OrderTotalTooLarge: with the delivery they cost what nobody could pay by card.
        """
        chosen = [(self._dish(dish_id), quantity) for dish_id, quantity in wanted]
        must_not_exceed_a_charge(
            sum(dish.price * quantity for dish, quantity in chosen) + self.delivery_fee, self.currency
        )
        return [
            Line(
                dish_id=dish.dish_id,
                name=dish.name,
                quantity=quantity,
                unit_price=Money(amount=dish.price, currency=self.currency),
                price=Money(amount=dish.price * quantity, currency=self.currency),
            )
            for dish, quantity in chosen
        ]

    def _dish(self, dish_id: str) -> Dish:
        dish = next((dish for dish in self.dishes if dish.dish_id == dish_id), None)
        if dish is None:
            raise UnknownDish(self.restaurant_id, dish_id)
        return dish


class RestaurantSummary(BaseModel):
    """A restaurant without its menu."""

    restaurant_id: str
    name: str
    cuisine: str
    currency: str
    delivery_fee: int


def must_not_exceed_a_charge(price: int, currency: str) -> None:
    """Refuse a price that is more than a card is charged at once.

    Args:
        price: minor units, before any discount. A number still: it may be more than `Money` can be.
        currency: whatever a menu says.

    Raises:
        OrderTotalTooLarge: it is.
        OrderNotPayable: no card is charged in this currency.
    """
    charge = _charge(currency)
    if price > charge.largest:
        raise OrderTotalTooLarge(Money(amount=charge.largest, currency=currency))


def must_be_payable(total: Money) -> None:
    """Refuse a total that no card could be charged. Nothing at all is paid without a card.

    Raises:
        OrderTotalTooSmall: it is less than a card is charged.
        OrderNotPayable: it lies between two amounts that can be charged.
    """
    charge = _charge(total.currency)
    if 0 < total.amount < charge.smallest:
        raise OrderTotalTooSmall(Money(amount=charge.smallest, currency=total.currency))
    if total.amount % charge.step:
        step = Money(amount=charge.step, currency=total.currency)
        raise OrderNotPayable(f"Cards are charged in steps of {step}, and this order costs {total}.")


def _charge(currency: str) -> Range:
    try:
        return chargeable(currency)
    except NotChargeable as refused:
        raise OrderNotPayable(str(refused)) from refused


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

    def off(self, order_id: str | None, subtotal: Money, delivery_fee: Money, now: datetime) -> Money:
        """What it takes off an order, or off one that is not placed and has no id; see `Offer.off` for the amounts.

        Raises:
            PromoCodeAlreadyUsed: another order has it.
            CodeExpired, MinimumNotReached, TakesNothingOff: it is not for this order.
        """
        # Reserved by this very order: a twin of this request was faster, and will be found.
        if self.reserved_by not in (None, order_id):
            raise PromoCodeAlreadyUsed(self.code)
        return self.offer.off(subtotal, delivery_fee, now)


class Quote(BaseModel):
    """What an order costs: its lines and the delivery, less what the promo code takes off.

    Attributes:
        menu_version: of the menu by which it is priced; None if that is of before menus had one.
        currency: of all its amounts.
        promo_code: the code that takes the discount off; None without one.
    """

    restaurant_id: str
    restaurant_name: str
    menu_version: str | None = None
    currency: str
    lines: list[Line]
    subtotal: StoredMoney
    delivery_fee: StoredMoney
    discount: StoredMoney
    total: StoredMoney
    promo_code: str | None = None

    @classmethod
    def of(
        cls,
        restaurant: Restaurant,
        lines: list[Line],
        *,
        now: datetime,
        promo_code: PromoCode | None = None,
        order_id: str | None = None,
    ) -> "Quote":
        """What it costs at a moment.

        Args:
            restaurant: from whom.
            lines: what, at the restaurant's prices: see `Restaurant.lines`.
            now: the moment, aware.
            promo_code: the customer's code to spend on it.
            order_id: of the order that is placed at this price, if one is.

        Raises:
            PromoCodeAlreadyUsed, CodeExpired, MinimumNotReached, TakesNothingOff: see `PromoCode.off`.
            OrderNotPayable, OrderTotalTooSmall: what is left to pay cannot be paid by card.
        """
        nothing = Money(amount=0, currency=restaurant.currency)
        subtotal = Money.total((line.price for line in lines), restaurant.currency)
        fee = Money(amount=restaurant.delivery_fee, currency=restaurant.currency)
        gross = subtotal + fee
        total = gross.minus(promo_code.off(order_id, subtotal, fee, now) if promo_code else nothing)
        must_be_payable(total)
        return cls(
            restaurant_id=restaurant.restaurant_id,
            restaurant_name=restaurant.name,
            menu_version=restaurant.version,
            currency=restaurant.currency,
            lines=lines,
            subtotal=subtotal,
            delivery_fee=fee,
            discount=gross.minus(total),
            total=total,
            promo_code=promo_code.code if promo_code else None,
        )


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


class Entry(BaseModel):
    """The order entered `status` at `at`."""

    status: OrderStatus
    at: datetime


class Claim(BaseModel):
    """A move that was made.

    Attributes:
        move: which.
        at: when.
        by: whose token it was, the `sub`; None in claims of before that was recorded.
        reason: why, for a rejection.
    """

    move: Move
    at: datetime
    by: str | None = None
    reason: str | None = None


class Payment(BaseModel):
    """What the order knows of its payment. The payments service owns the truth.

    Attributes:
        status: PENDING, AUTHORIZED, DECLINED, CAPTURED, RELEASED, or what it will say one day.
        network: the card's.
    """

    status: Annotated[str, Field(examples=["PENDING", "AUTHORIZED", "DECLINED", "CAPTURED", "RELEASED"])] = "PENDING"
    network: str | None = None


class Delivery(BaseModel):
    """Where the food goes. Personal data: stays in the deliveries table, never in events, logs or traces."""

    name: str
    address: str


# What an order has that is personal. It lies elsewhere (`orders.deliveries`); older rows have it.
PERSONAL = frozenset({"delivery", "note"})


class Order(BaseModel):
    """An order as its customer sees it: a new one, and one read back, so no request's rules are in here.

    What others see of it is in `orders.views`.

    Attributes:
        deadline_at: when it will be given up if it has not arrived.
        timeline: every status so far, in the sequence of the order's life. Its moments come from several clocks: they
            are for people to read.
        pending_move: a move that was made in this status and that the workflow has not recorded yet.
        delivery, note: personal; left out of lists, and forgotten some day.
        menu_version: of the menu by which it was priced; None if the menu, or the order, is of before menus had one.
    """

    # Of an answer, not of a row: the OpenAPI document tells the views of an order apart by it.
    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    order_id: str
    customer_id: str
    restaurant_id: str
    restaurant_name: str
    menu_version: str | None = None
    status: OrderStatus
    reason: Reason | None = None
    lines: list[Line]
    subtotal: StoredMoney
    delivery_fee: StoredMoney
    discount: StoredMoney
    total: StoredMoney
    promo_code: str | None = None
    payment_method: str
    payment: Payment = Payment()
    placed_at: datetime
    updated_at: datetime
    deadline_at: datetime
    timeline: list[Entry]
    pending_move: str | None = None
    delivery: Delivery | None = None
    note: str | None = None

    @classmethod
    def placed(
        cls,
        price: Quote,
        *,
        order_id: str,
        customer_id: str,
        payment_method: str,
        delivery: Delivery,
        note: str,
        now: datetime,
    ) -> "Order":
        """A new order.

        Args:
            price: what it costs, and from whom it is.
            order_id: see `order_id_for`.
            customer_id: who orders.
            payment_method: a gateway's payment method name.
            delivery: where to.
            note: for the kitchen.
            now: the moment of placing, aware.
        """
        return cls(
            order_id=order_id,
            customer_id=customer_id,
            restaurant_id=price.restaurant_id,
            restaurant_name=price.restaurant_name,
            menu_version=price.menu_version,
            status=OrderStatus.PLACED,
            lines=price.lines,
            subtotal=price.subtotal,
            delivery_fee=price.delivery_fee,
            discount=price.discount,
            total=price.total,
            promo_code=price.promo_code,
            payment_method=payment_method,
            placed_at=now,
            updated_at=now,
            deadline_at=now + DELIVERY_WINDOW,
            timeline=[Entry(status=OrderStatus.PLACED, at=now)],
            delivery=delivery,
            note=note,
        )

    def must_allow(self, move: Move, now: datetime) -> None:
        """Refuse a move that cannot be made.

        Args:
            move: what somebody wants to do.
            now: the moment, aware.

        Raises:
            IllegalMove: the order is elsewhere, another move was made in this status, or the deadline was first.
        """
        taken = self.pending_move
        # From the deadline on the workflow may be dead and its end not recorded yet: nobody would hear of the move.
        if not taken and self.status not in ENDS and now >= self.deadline_at:
            taken = "deadline"
        if self.status not in LEGAL_IN[move] or taken:
            raise IllegalMove(self.order_id, move, self.status, taken)


def order_id_for(customer_id: str, idempotency_key: str) -> str:
    """Derive the order's id, so that a repeated request is the same order and the same execution.

    Customer and key are hashed with their lengths between them: no two pairs run together to the same text.
    """
    material = f"{len(customer_id)}:{customer_id}:{idempotency_key}".encode()
    return "ord_" + base64.b32encode(hashlib.sha256(material).digest()).decode().lower()[:26]
