"""Who hears of what, and in which words. Pure: no AWS, no clock.

A message says that something changed and is to be looked at again, by the APIs that judge who may see what. So it holds
no more than the order's id and the event's name, and is lost without harm. Who hears of an order is who may see it
(docs/decisions/a-strangers-order-does-not-exist.md), and each connection hears of one topic: its account's.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import ConfigDict, field_serializer
from tiffin.events import ORDER_ENDS, rfc3339
from tiffin.models import BaseModel
from tiffin.roles import Caller, Role

TICKET = timedelta(seconds=30)
"""How long a ticket may be redeemed: time for a page to open its connection, and no more."""
CONNECTED = timedelta(hours=2)
"""How long API Gateway lets a connection live (API Gateway quotas, "WebSocket APIs"). What is older is none."""
OPENING = timedelta(seconds=30)
"""How long a connection may be known before it is open. API Gateway calls it gone until then."""
CONNECTIONS = 10
"""How many connections one account may have at once: pages and devices of one person, and no machine's."""
CROWDED = timedelta(minutes=10)
"""How old a connection must be to make room for another. Of some it is never heard that they ended; and whoever opens
more than `CONNECTIONS` within this time is refused, so that nobody has connections without end."""
NEWS = timedelta(minutes=2)
"""How old news may be. What comes later is of no use: whoever was not told has looked again by then."""
OPEN = timedelta(hours=4)
"""How long it is remembered from whom an order is: longer than the three hours that it may be open."""

COURIERS = "couriers"
SUPPORT = "support"
# Events that are announced before the order's row says so: accepted, and then the workflow waits for the courier.
_BEFORE_THE_ROW = frozenset({"PaymentAuthorized", "OrderAccepted", "OrderDispatched"})
# Every courier may know what is to be fetched: it is shown to all of them, until one leaves with it.
_OF_ALL_COURIERS = frozenset({"OrderAccepted"})
# These begin or may end what one courier has, and which one, no event says. The others learn that something left or
# ended, not what.
_OF_ONE_COURIER = frozenset({"OrderDispatched", "OrderDelivered", "OrderExpired", "OrderFailed"})
ORDER_EVENTS = ("OrderPlaced", "OrderAccepted", "OrderDispatched", *ORDER_ENDS)
"""Turns of an order; each names its customer and its restaurant."""
CODE_EVENTS = ("PromoCodeIssued", "PromoCodeRedeemed", "PromoCodeRestored")
"""What becomes of a promo code, which is its customer's."""


class Changed(BaseModel):
    """The one message there is: look again. Its contract is `events/messages/Changed.json`.

    Attributes:
        type: tells it apart from what may come later; skip what you do not know.
        order_id: what changed; None if it is not for the hearer to know: look at the lists.
        event: what happened, by its name on the bus; None likewise.
        occurred_at: when.
        settled: whether it can be seen already. If not, look now and once more a second later.
    """

    model_config = ConfigDict(frozen=True)

    type: Literal["changed"] = "changed"
    order_id: str | None
    event: str | None
    occurred_at: datetime
    settled: bool

    @field_serializer("occurred_at")
    def _written(self, moment: datetime) -> str:
        return rfc3339(moment)

    def document(self) -> bytes:
        """As it is sent."""
        return self.model_dump_json().encode()


def of_customer(customer_id: str) -> str:
    """What a customer hears."""
    return f"customer:{customer_id}"


def of_restaurant(restaurant_id: str) -> str:
    """What a restaurant's accounts hear."""
    return f"restaurant:{restaurant_id}"


def topic_of(caller: Caller) -> str:
    """What an account hears: it follows from who it is, and is nothing to ask for."""
    match caller.role:
        case Role.CUSTOMER:
            return of_customer(caller.subject)
        case Role.RESTAURANT:
            return of_restaurant(caller.restaurant_id or "")
        case Role.COURIER:
            return COURIERS
        case Role.SUPPORT:
            return SUPPORT


def is_news(occurred_at: datetime, now: datetime) -> bool:
    """Whether it is worth telling still."""
    return now - occurred_at <= NEWS


def told(
    event: str, order_id: str, occurred_at: datetime, customer_id: str, restaurant_id: str | None
) -> dict[str, Changed]:
    """Who hears of an event, and what.

    Args:
        event: its name.
        order_id: the order that it belongs to.
        occurred_at: when it happened.
        customer_id: whose order it is.
        restaurant_id: from whom; None if that is not known, or is no matter of a restaurant's.

    Returns:
        By topic, the message; in the order in which they are told. Support, of whom there may be many at all orders,
        comes last: whoever cooks and carries is not told too late for their sake.
    """
    whole = Changed(order_id=order_id, event=event, occurred_at=occurred_at, settled=event not in _BEFORE_THE_ROW)
    hear = {of_customer(customer_id): whole}
    if restaurant_id is not None:
        # PaymentAuthorized may come first, and miss a restaurant that only this names: it may be asked already.
        settled = whole.settled and event != "OrderPlaced"
        hear[of_restaurant(restaurant_id)] = whole.model_copy(update={"settled": settled})
    if event in _OF_ALL_COURIERS:
        hear[COURIERS] = whole
    if event in _OF_ONE_COURIER:
        hear[COURIERS] = whole.model_copy(update={"order_id": None, "event": None})
    return hear | {SUPPORT: whole}
