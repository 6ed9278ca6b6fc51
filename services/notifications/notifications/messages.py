"""What is said to customers. Pure: no AWS, no clock."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tiffin.money import Money


@dataclass(frozen=True, slots=True)
class Message:
    """A mail without its envelope.

    Attributes:
        subject: one line.
        text: plain text.
    """

    subject: str
    text: str


# Each says when it happened: a mail that was held up, or overtaken by the next one, still reads right.
_SAID: dict[str, tuple[str, str]] = {
    "OrderPlaced": (
        "We have your order",
        "We received your order over {total} at {at}, and asked the restaurant. Your card is charged on delivery.",
    ),
    "OrderAccepted": ("Your order is being prepared", "The restaurant accepted your order at {at} and is cooking."),
    "OrderDispatched": ("Your order is on its way", "The courier left with your order at {at}."),
    "OrderDelivered": (
        "Enjoy your meal",
        "Your order was handed over at {at}. We charged your card with {total}.",
    ),
    "OrderExpired": (
        "We are sorry: your order did not arrive",
        "Your order was not delivered within three hours, so we ended it at {at}. Your card is not charged with the "
        "{total}: the amount that was reserved has been released.",
    ),
}
ANNOUNCED = tuple(_SAID)
"""Names of the events that customers are told about."""


def compose(event_name: str, order_id: str, total: Money, at: datetime) -> Message:
    """Say what happened to an order.

    Args:
        event_name: one of `ANNOUNCED`.
        order_id: the order.
        total: what it costs.
        at: when it happened.

    Raises:
        KeyError: nothing is said about such events.
    """
    subject, text = _SAID[event_name]
    when = at.astimezone(UTC).strftime("%H:%M UTC on %d %B %Y")
    return Message(subject, f"{text.format(total=total, at=when)}\n\nOrder {order_id}\n")
