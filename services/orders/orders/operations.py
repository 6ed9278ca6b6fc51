"""Pricing an order, placing and moving it: where the rules meet the tables and the workflow.

The tables come first, each in one write that says who won; only then is the workflow told. Should telling it fail, what
is written stands, and the reconciler tells it again.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from tiffin.discounts import NotApplicable
from tiffin.roles import Caller
from tiffin.stored import UnreadableRow
from tiffin.telemetry import logger

from orders.commands import Basket, PlaceOrder
from orders.customers import CustomerStore
from orders.deliveries import DeliveryStore
from orders.limits import LimitReached
from orders.menus import MenuStore
from orders.model import (
    PERSONAL,
    Delivery,
    MenuChanged,
    Move,
    Order,
    OrderNotPayable,
    OrderStatus,
    PromoCode,
    PromoCodeAlreadyUsed,
    Quote,
    Restaurant,
    UnknownDish,
    UnknownPromoCode,
    UnknownRestaurant,
)
from orders.promo_codes import PromoCodeStore
from orders.store import KeyReused, OrderStore, StoredOrder
from orders.workflow import CallbackRefused, OrderWorkflow, workflow_input

# What an order is refused for by a menu. The menu that is remembered here may be seconds old, and another one by now.
REFUSED_BY_MENU = (MenuChanged, UnknownDish, OrderNotPayable, NotApplicable)
# What an order is refused for by a menu, a promo code or its customer's other orders as they are now: a moment ago they
# may have been others.
REFUSED_BY_NOW = (
    *REFUSED_BY_MENU,
    UnknownRestaurant,
    UnknownPromoCode,
    PromoCodeAlreadyUsed,
    UnreadableRow,
    LimitReached,
)

Priced = TypeVar("Priced", Order, Quote)


def quote(
    basket: Basket,
    restaurant: Restaurant,
    *,
    now: datetime,
    promo_code: PromoCode | None = None,
    order_id: str | None = None,
) -> Quote:
    """Price a basket from the menu.

    Args:
        basket: what the customer asks for.
        restaurant: the restaurant with its current menu.
        now: the moment, aware.
        promo_code: the code that the basket names, as promotions announced it.
        order_id: of the order that is placed at this price, if one is.

    Raises:
        MenuChanged: the customer saw another menu.
        UnknownDish: a line names a dish that the menu has not.
        PromoCodeAlreadyUsed, CodeExpired, MinimumNotReached, TakesNothingOff: see `PromoCode.off`.
        OrderNotPayable, OrderTotalTooSmall, OrderTotalTooLarge: no card could be charged for it.
    """
    restaurant.must_be(basket.menu_version)
    lines = restaurant.lines((wanted.dish_id, wanted.quantity) for wanted in basket.lines)
    return Quote.of(restaurant, lines, now=now, promo_code=promo_code, order_id=order_id)


def place(
    request: PlaceOrder,
    restaurant: Restaurant,
    *,
    customer_id: str,
    order_id: str,
    now: datetime,
    promo_code: PromoCode | None = None,
) -> Order:
    """Make a request an order, at the price that `quote` says.

    Args:
        request: what the customer asked for.
        restaurant: the restaurant with its current menu.
        customer_id: who orders.
        order_id: see `order_id_for`.
        now: the moment of placing, aware.
        promo_code: the code that the request names, as promotions announced it.

    Raises:
        MenuChanged, UnknownDish, PromoCodeAlreadyUsed, CodeExpired, MinimumNotReached, TakesNothingOff,
            OrderNotPayable: see `quote`.
    """
    return Order.placed(
        quote(request, restaurant, now=now, promo_code=promo_code, order_id=order_id),
        order_id=order_id,
        customer_id=customer_id,
        payment_method=request.payment_method,
        delivery=Delivery(name=request.delivery.name, address=request.delivery.address),
        note=request.note,
        now=now,
    )


class Orders:
    """The service's use cases.

    Args:
        orders: the orders table.
        menus: the menus table.
        promo_codes: the table of promo codes.
        deliveries: the deliveries table.
        customers: the customers table.
        workflow: the order workflow.
    """

    def __init__(
        self,
        orders: OrderStore,
        menus: MenuStore,
        promo_codes: PromoCodeStore,
        deliveries: DeliveryStore,
        customers: CustomerStore,
        workflow: OrderWorkflow,
    ) -> None:
        self._orders, self._menus, self._promo_codes, self._workflow = orders, menus, promo_codes, workflow
        self._deliveries, self._customers = deliveries, customers

    def quote(self, basket: Basket, customer_id: str, now: datetime) -> Quote:
        """Say what an order would cost. Nothing is placed, reserved or taken for it; only wrong promo codes count.

        Args:
            basket: what the customer asks for.
            customer_id: who asks.
            now: the moment, aware.

        Raises:
            UnknownRestaurant, UnknownPromoCode: there is none.
            MenuChanged, UnknownDish, PromoCodeAlreadyUsed, CodeExpired, MinimumNotReached, TakesNothingOff,
                OrderNotPayable: see `quote`.
            LimitReached: the customer tried too many wrong promo codes, as quotes or as orders.
        """
        try:
            return self._by_the_menu(
                basket.restaurant_id, now, partial(quote, basket), lambda: self._code_to_quote(basket, customer_id, now)
            )
        except UnknownPromoCode as refused:
            self._count_guess(refused, customer_id, now)
            raise

    def place(
        self, request: PlaceOrder, customer_id: str, order_id: str, now: datetime, trace_header: str
    ) -> StoredOrder:
        """Place an order and start its workflow, once, however often the request comes.

        Args:
            request: what the customer asks for.
            customer_id: who asks.
            order_id: see `order_id_for`: that of the request that this one may repeat.
            now: the moment, aware.
            trace_header: of the request.

        Returns:
            The order: `new`, if this call placed it.

        Raises:
            KeyReused: another body made this order.
            UnknownRestaurant, UnknownPromoCode: there is none.
            MenuChanged, UnknownDish, PromoCodeAlreadyUsed, CodeExpired, MinimumNotReached, TakesNothingOff,
                OrderNotPayable: see `quote`.
            LimitReached: the customer asked for as much as anybody may.
        """
        try:
            stored = self._add_if_there_is_room(request, customer_id, order_id, now, trace_header)
        except REFUSED_BY_NOW as refused:
            # The request may have been placed before, by the menu, the code and the limits of then: it is that order.
            try:
                repeat = self._orders.find_repeat(order_id, request)
            except KeyReused:
                # A guess is one under a used key, too.
                self._count_guess(refused, customer_id, now)
                raise
            if repeat is None:
                self._count_guess(refused, customer_id, now)
                raise
            stored = repeat
        if stored.order.status == OrderStatus.PLACED:
            self._start(stored)
        return stored

    def move(self, order_id: str, move: Move, caller: Caller, now: datetime, reason: str | None = None) -> StoredOrder:
        """Claim a move for whoever makes it, and tell the workflow.

        Args:
            order_id: the order.
            move: the move.
            caller: who makes it.
            now: when it is made, aware.
            reason: why, for a rejection.

        Returns:
            The order, claimed.

        Raises:
            UnknownOrder, IllegalMove: see `OrderStore.claim`.
        """
        stored = self._orders.claim(order_id, move, caller, now, reason)
        try:
            if move is Move.CANCEL:
                # Stopped rather than called back: it may be anywhere, in the middle of a payment too.
                self._workflow.stop(order_id, "OrderCancelled", "The customer cancelled the order.")
            else:
                self._workflow.call_back(stored.task_token or "", stored.callback)
        except CallbackRefused:
            # It no longer waits with this token. The claim stands: if it waits anew the reconciler tells it, and if the
            # restaurant's time is up it looks for a claim before it takes silence for an answer.
            logger.warning("The callback came late; the claim stands")
        except (ClientError, BotoCoreError):
            logger.exception("The workflow could not be told; the reconciler will tell it")
        return stored

    def _count_guess(self, refused: Exception, customer_id: str, now: datetime) -> None:
        if isinstance(refused, UnknownPromoCode):
            self._customers.count_refused_code(customer_id, now)

    def _add_if_there_is_room(
        self, request: PlaceOrder, customer_id: str, order_id: str, now: datetime, trace_header: str
    ) -> StoredOrder:
        try:
            return self._add(request, customer_id, order_id, now, trace_header)
        except LimitReached as reached:
            # A place may be left behind by a workflow that ended as an earlier version of it does: before anybody is
            # refused, the orders themselves are looked at.
            ended = self._orders.ended(reached.open_orders)
            if not ended:
                raise
        self._customers.give_back(customer_id, ended)
        return self._add(request, customer_id, order_id, now, trace_header)

    def _add(
        self, request: PlaceOrder, customer_id: str, order_id: str, now: datetime, trace_header: str
    ) -> StoredOrder:
        asked = partial(place, request, customer_id=customer_id, order_id=order_id)
        order = self._by_the_menu(
            request.restaurant_id, now, asked, lambda: self._code_to_spend(request, customer_id, now)
        )
        code = order.promo_code
        beside = [
            *self._customers.places(customer_id, order_id, now, with_code=code is not None),
            *([self._promo_codes.reservation(customer_id, code, order_id)] if code else []),
            self._deliveries.addition(order),
        ]
        stored = self._orders.add(order, request, trace_header, beside)
        if stored.new:
            return stored
        if stored.order.status == OrderStatus.PLACED:
            # A moment ago, of this very body: where to and which note is what it says.
            said = {name: getattr(order, name) for name in PERSONAL}
            stored.order = stored.order.model_copy(update=said)
            return stored
        # By now they may be forgotten.
        return self._orders.find_repeat(order_id, request) or stored

    def _by_the_menu(
        self, restaurant_id: str, now: datetime, priced: Callable[..., Priced], code: Callable[[], PromoCode | None]
    ) -> Priced:
        """What is priced by the menu that is remembered or, should that refuse it, by the one that there is."""
        restaurant, just_read = self._menus.to_price_by(restaurant_id, now)
        asked = partial(priced, now=now, promo_code=code())
        try:
            return asked(restaurant)
        except REFUSED_BY_MENU:
            if just_read:
                raise
            return asked(self._menus.as_it_is(restaurant_id, now))

    # The code that a request names. What promotions announced of it is known here: nobody is asked. Whoever tried too
    # many learns of no further one whether it is right: by no answer, and by no other call.

    def _code_to_spend(self, request: PlaceOrder, customer_id: str, now: datetime) -> PromoCode | None:
        if request.promo_code is None:
            return None
        return self._promo_codes.get(
            customer_id,
            request.promo_code,
            self._customers.rows(customer_id, now),
            lambda has_open, hour: self._customers.must_allow(has_open, hour, now),
        )

    def _code_to_quote(self, basket: Basket, customer_id: str, now: datetime) -> PromoCode | None:
        if basket.promo_code is None:
            return None
        code = self._promo_codes.get(
            customer_id,
            basket.promo_code,
            [self._customers.row_of_hour(customer_id, now)],
            lambda hour: self._customers.must_allow_code(hour, now),
        )
        self._customers.must_still_allow_code(customer_id, now)
        return code

    def _start(self, stored: StoredOrder) -> None:
        try:
            self._workflow.start(stored.order.order_id, workflow_input(stored.order, stored.trace_header))
        except (ClientError, BotoCoreError):
            # The order stands, and the customer was promised an end: the reconciler starts it within minutes.
            logger.exception("The workflow could not be started; the reconciler will")
