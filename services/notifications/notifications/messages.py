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


@dataclass(frozen=True, slots=True)
class _Mail:
    """How one event is told.

    Attributes:
        subject: one line; no two are alike.
        happened: what happened, and when: a mail that was held up still reads right.
        money: what that means for the customer's money. Promises nothing of what banks do.
    """

    subject: str
    happened: str
    money: str = ""


_NOTHING_TAKEN = "Nothing was taken from your card."
# Whether there was a hold, an order that died does not say; that it is gone by then is so for every end.
_LET_GO = (
    f"{_NOTHING_TAKEN} If {{total}} was reserved on it, that has been released; banks may need some days to show it."
)
_FREE = "There was nothing to pay for it."
_MAILS = {
    "PaymentAuthorized": _Mail(
        "We have your order",
        "Thank you! We have your order, confirmed at {at}. Next, the restaurant says whether it can cook for you.",
        "{total} was reserved on your card. It is charged when your food arrives, and not before.",
    ),
    "OrderAccepted": _Mail(
        "Your order is being prepared",
        "Good news: the restaurant accepted your order at {at} and is cooking.",
    ),
    "OrderDispatched": _Mail(
        "Your order is on its way",
        "The courier left with your order at {at}.",
    ),
    "OrderDelivered": _Mail(
        "Enjoy your meal",
        "Your order was handed over at {at}. We hope you like it!",
        "We charged your card with {total}.",
    ),
    "OrderDeclined": _Mail(
        "Your payment was declined",
        "We are sorry: your payment was declined at {at}, so we could not pass your order on.",
        f"{_NOTHING_TAKEN} You are welcome to order again, with this card or another one.",
    ),
    "OrderRejected": _Mail(
        "The restaurant did not take your order",
        "We are sorry: your order ended at {at} without being cooked.",
        _LET_GO,
    ),
    "OrderCancelled": _Mail(
        "Your order is cancelled",
        "Your order was cancelled at {at}. We hope to cook for you another time.",
        _LET_GO,
    ),
    "OrderExpired": _Mail(
        "We are sorry: your order did not arrive",
        "Your order was not delivered within three hours, so we ended it at {at}. We are sorry.",
        _LET_GO,
    ),
    "OrderFailed": _Mail(
        "We are sorry: we could not complete your order",
        "Something went wrong on our side, so your order ended at {at}. We are sorry, and we are looking into it.",
        _LET_GO,
    ),
}
ANNOUNCED = tuple(_MAILS)
"""Names of the events that customers are told about."""
SUBJECTS = {name: mail.subject for name, mail in _MAILS.items()}
"""By the event that a mail tells of."""


def compose(
    event_name: str, order_id: str, total: Money, at: datetime, reason: str | None = None, network: str | None = None
) -> Message:
    """Say what happened to an order.

    Args:
        event_name: one of `ANNOUNCED`.
        order_id: the order.
        total: what it costs.
        at: when it happened.
        reason: why it ended, as the event gives it for people to read.
        network: of the card that was declined.

    Raises:
        KeyError: nothing is said about such events.
    """
    mail = _MAILS[event_name]
    when = at.astimezone(UTC).strftime("%H:%M UTC on %d %B %Y")
    why = f"Why: {reason}" if reason else ""
    if network and network != "unknown":
        why += f" (Card network: {network.replace('_', ' ')})"
    money = mail.money if total.amount or not mail.money else _FREE
    said = (mail.happened.format(at=when), why, money.format(total=total), f"Order {order_id}")
    return Message(mail.subject, "\n\n".join(filter(None, said)) + "\n")
