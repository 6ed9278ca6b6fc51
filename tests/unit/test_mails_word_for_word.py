"""Each mail as its customer gets it, word for word: the subject, and the text under it, of every event that is told."""

from datetime import datetime, timedelta, timezone

import pytest
from notifications.messages import ANNOUNCED, SUBJECTS, compose
from tiffin.money import Money

ORDER = "ord_vc72z45425iwi2mntvykvtjm4w"
NOON = datetime(2026, 11, 26, 13, tzinfo=timezone(timedelta(hours=1)))
PRICE, NOTHING = Money(amount=2150, currency="EUR"), Money(amount=0, currency="EUR")
LET_GO = (
    "Nothing was taken from your card. If EUR 21.50 was reserved on it, that has been released; banks may need some"
    " days to show it."
)
# By event: its reason and network, the subject, what happened, why, and what that means for the customer's money.
MAILS: dict[str, tuple[str | None, str | None, str, str, str, str]] = {
    "PaymentAuthorized": (
        None,
        None,
        "We have your order",
        "Thank you! We have your order, confirmed at 12:00 UTC on 26 November 2026. Next, the restaurant says whether"
        " it can cook for you.",
        "",
        "EUR 21.50 was reserved on your card. It is charged when your food arrives, and not before.",
    ),
    "OrderAccepted": (
        None,
        None,
        "Your order is being prepared",
        "Good news: the restaurant accepted your order at 12:00 UTC on 26 November 2026 and is cooking.",
        "",
        "",
    ),
    "OrderDispatched": (
        None,
        None,
        "Your order is on its way",
        "The courier left with your order at 12:00 UTC on 26 November 2026.",
        "",
        "",
    ),
    "OrderDelivered": (
        None,
        None,
        "Enjoy your meal",
        "Your order was handed over at 12:00 UTC on 26 November 2026. We hope you like it!",
        "",
        "We charged your card with EUR 21.50.",
    ),
    "OrderDeclined": (
        "Your card has expired.",
        "cartes_bancaires",
        "Your payment was declined",
        "We are sorry: your payment was declined at 12:00 UTC on 26 November 2026, so we could not pass your order on.",
        "Why: Your card has expired. (Card network: cartes bancaires)",
        "Nothing was taken from your card. You are welcome to order again, with this card or another one.",
    ),
    "OrderRejected": (
        "The restaurant rejected the order: too busy.",
        None,
        "The restaurant did not take your order",
        "We are sorry: your order ended at 12:00 UTC on 26 November 2026 without being cooked.",
        "Why: The restaurant rejected the order: too busy.",
        LET_GO,
    ),
    "OrderCancelled": (
        "The customer cancelled the order.",
        None,
        "Your order is cancelled",
        "Your order was cancelled at 12:00 UTC on 26 November 2026. We hope to cook for you another time.",
        "Why: The customer cancelled the order.",
        LET_GO,
    ),
    "OrderExpired": (
        "The food was not delivered within three hours.",
        None,
        "We are sorry: your order did not arrive",
        "Your order was not delivered within three hours, so we ended it at 12:00 UTC on 26 November 2026. We are"
        " sorry.",
        "Why: The food was not delivered within three hours.",
        LET_GO,
    ),
    "OrderFailed": (
        "The order could not be completed.",
        None,
        "We are sorry: we could not complete your order",
        "Something went wrong on our side, so your order ended at 12:00 UTC on 26 November 2026. We are sorry, and we"
        " are looking into it.",
        "Why: The order could not be completed.",
        LET_GO,
    ),
}


def written(*parts: str) -> str:
    """The paragraphs of a mail."""
    return "\n\n".join(part for part in (*parts, f"Order {ORDER}") if part) + "\n"


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_says_what_happened_why_and_what_becomes_of_the_money(name: str) -> None:
    reason, network, subject, happened, why, money = MAILS[name]
    mail = compose(name, ORDER, PRICE, NOON, reason, network)
    assert (mail.subject, mail.text) == (subject, written(happened, why, money))


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_about_an_order_that_costs_nothing_says_so_where_it_would_speak_of_money(name: str) -> None:
    reason, network, subject, happened, why, money = MAILS[name]
    mail = compose(name, ORDER, NOTHING, NOON, reason, network)
    free = "There was nothing to pay for it." if money else ""
    assert (mail.subject, mail.text) == (subject, written(happened, why, free))


def test_these_are_all_mails() -> None:
    assert set(ANNOUNCED) == set(MAILS)
    assert {name: mail[2] for name, mail in MAILS.items()} == SUBJECTS
