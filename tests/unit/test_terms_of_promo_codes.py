"""What customers were promised for promo codes: every term of every rule, as `docs/promotions.md` has it.

The page's table stands here once more, word for word, beside the numbers that it means; then each rule is asked what it
gives. So neither the page nor a rule changes without the other.
"""

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from promotions.model import Delivery, Expiry, Grant, History
from promotions.rules import RULES, apology, campaign, free_delivery, loyalty, welcome_back
from tiffin.discounts import FixedAmount, FreeDelivery, Percentage
from tiffin.money import Money
from worlds import ROOT
from worlds.promotions import order

# The last day of a period of 30 days, counted from the first of January 2026: the next one ends on 27 December.
NIGHT = datetime(2026, 11, 26, 23, 59, 59, 999_000, tzinfo=UTC)


def cents(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def days(number: float) -> timedelta:
    return timedelta(days=number)


def delivered(*totals: int) -> History:
    """So many delivered orders of so many cents, a second after each other; the last one at the night's end."""
    moments = (NIGHT - timedelta(seconds=len(totals) - n) for n in range(1, len(totals) + 1))
    return History.of(
        Delivery(order(n), at, cents(total)) for n, (at, total) in enumerate(zip(moments, totals, strict=True), 1)
    )


def expired(number: int) -> History:
    return History.of(Expiry(order(n), NIGHT) for n in range(1, number + 1))


class Promised(NamedTuple):
    """One row of the page, and what it means.

    Attributes:
        row: earned by, code, minimum order, valid.
        rule: it.
        earns: a history that earns one code, with the last order in it.
        just_not: one that only just earns none.
        prefix: of its codes.
        discount: what a code takes off.
        minimum: of the subtotal, in cents.
        until: first moment at which the code is no longer taken.
    """

    row: tuple[str, str, str, str]
    rule: Callable[[History], Any]
    earns: History
    just_not: History
    prefix: str
    discount: Percentage | FixedAmount | FreeDelivery
    minimum: int
    until: datetime


MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)
PROMISED = {
    "welcome_back": Promised(
        row=("the first delivered order", "20 %, at most 5 €", "15 €", "30 days"),
        rule=welcome_back.rule,
        earns=delivered(2100),
        just_not=delivered(),
        prefix="WELCOME",
        discount=Percentage(percent=20, cap=cents(500)),
        minimum=1500,
        until=MIDNIGHT + days(30),
    ),
    "loyalty": Promised(
        row=("every fifth delivered order", "25 %, at most 10 €", "15 €", "60 days"),
        rule=loyalty.rule,
        earns=delivered(*[2100] * 5),
        just_not=delivered(*[2100] * 4),
        prefix="LOYAL",
        discount=Percentage(percent=25, cap=cents(1000)),
        minimum=1500,
        until=MIDNIGHT + days(60),
    ),
    "apology": Promised(
        row=("each order that expired, at most 3 within 30 days", "5 €", "10 €", "90 days"),
        rule=apology.rule,
        earns=expired(1),
        just_not=delivered(2100),
        prefix="SORRY",
        discount=FixedAmount(amount=cents(500)),
        minimum=1000,
        until=MIDNIGHT + days(90),
    ),
    "free_delivery": Promised(
        row=(
            "delivered orders of more than 100 € in the last 30 days, once per period of 30 days",
            "the delivery fee",
            "15 €",
            "to the end of the next period",
        ),
        rule=free_delivery.rule,
        earns=delivered(5000, 5001),
        just_not=delivered(5000, 5000),
        prefix="FREE",
        discount=FreeDelivery(),
        minimum=1500,
        until=MIDNIGHT + days(30),
    ),
}
CAMPAIGN_ROW = (
    "an order delivered during a campaign of `campaigns.toml`",
    "the campaign's",
    "the campaign's",
    "to the campaign's date",
)


def page() -> dict[str, tuple[str, ...]]:
    text = (ROOT / "docs" / "promotions.md").read_text("utf-8").split("## What earns a code")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    return {name: tuple(cells) for name, *cells in rows}


def test_the_page_promises_these_and_no_others() -> None:
    assert page() == {name: promised.row for name, promised in PROMISED.items()} | {"campaign": CAMPAIGN_ROW}
    assert {rule.__module__.rpartition(".")[2] for rule in RULES} == page().keys()


@pytest.mark.parametrize("name", PROMISED)
def test_a_rule_gives_what_the_page_promises(name: str) -> None:
    promised = PROMISED[name]
    assert list(promised.rule(promised.just_not)) == []
    grant: Grant
    [grant] = promised.rule(promised.earns)
    assert (grant.reason, grant.prefix, grant.discount) == (name, promised.prefix, promised.discount)
    assert (grant.minimum_order, grant.expires_at, grant.budget) == (cents(promised.minimum), promised.until, None)


def test_every_fifth_and_every_expired_order_earn_again_and_the_first_delivery_once() -> None:
    ten = delivered(*[1000] * 10)
    assert [g.order_id for g in loyalty.rule(ten)] == [order(5), order(10)]
    assert [g.order_id for g in welcome_back.rule(ten)] == [order(1)]
    assert [g.order_id for g in apology.rule(expired(2))] == [order(1), order(2)]
    assert len(list(free_delivery.rule(delivered(10_001, 10_001)))) == 1


@pytest.mark.parametrize(("apart", "codes"), [(days(30) - timedelta(milliseconds=1), 1), (days(30), 0)])
def test_what_free_delivery_adds_up_lies_within_30_days(apart: timedelta, codes: int) -> None:
    two = History.of([Delivery(order(1), NIGHT - apart, cents(6000)), Delivery(order(2), NIGHT, cents(6000))])
    assert len(list(free_delivery.rule(two))) == codes


def test_a_campaign_gives_what_its_entry_says() -> None:
    """The one campaign that there is, written out; the docs promise no more than that its entry counts."""
    [entry] = tomllib.loads((ROOT / "services/promotions/promotions/campaigns.toml").read_text("utf-8"))["campaign"]
    [campaigned] = campaign.CAMPAIGNS
    assert campaigned.model_dump(mode="python", exclude_none=True) == entry
    begins, ends = datetime(2027, 6, 19, tzinfo=UTC), datetime(2027, 6, 28, tzinfo=UTC)
    moments = [begins - timedelta(milliseconds=1), begins, ends - timedelta(milliseconds=1), ends]
    for at, codes in zip(moments, [0, 1, 1, 0], strict=True):
        grants = list(campaign.rule(History.of([Delivery(order(1), at, cents(100))])))
        assert len(grants) == codes
        for grant in grants:
            assert (grant.prefix, grant.discount) == ("SUMMER", FixedAmount(amount=cents(400)))
            assert (grant.minimum_order, grant.expires_at) == (cents(2000), datetime(2027, 8, 1, tzinfo=UTC))
            assert grant.budget is not None
            assert (grant.budget.campaign, grant.budget.codes) == ("midsummer-2027", 5000)
    three = History.of(Delivery(order(n), begins + timedelta(hours=n), cents(100)) for n in (1, 2, 3))
    assert [grant.order_id for grant in campaign.rule(three)] == [order(1), order(2)]
