"""Amounts of every currency: how they are printed, which are charged, and how Stripe counts them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.chaos import _sums
from laptop.stories import _fate
from notifications.messages import compose
from payments.sandbox import Balance
from payments.stripe_amounts import Inexact, decimals, from_stripe, to_stripe
from pydantic import ValidationError
from tiffin.charges import CURRENCIES, NotChargeable, chargeable, down_to_a_charge
from tiffin.discounts import FixedAmount, FreeDelivery, MinimumNotReached, Offer, Percentage
from tiffin.money import DECIMALS, Money, UnknownCurrency, printed

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def money(amount: int, currency: str) -> Money:
    return Money(amount=amount, currency=currency)


class TestPrinting:
    @pytest.mark.parametrize(
        ("amount", "currency", "said"),
        [
            (2150, "EUR", "EUR 21.50"),
            (5, "USD", "USD 0.05"),
            (0, "EUR", "EUR 0.00"),
            (1500, "JPY", "JPY 1500"),
            (0, "KRW", "KRW 0"),
            (5120, "KWD", "KWD 5.120"),
            (1, "TND", "TND 0.001"),
            (500, "ISK", "ISK 500"),
            (17500, "HUF", "HUF 175.00"),
            (1050, "MGA", "MGA 10.50"),
            (100_000_000, "EUR", "EUR 1000000.00"),
        ],
    )
    def test_an_amount_has_the_decimals_of_its_currency(self, amount: int, currency: str, said: str) -> None:
        assert str(money(amount, currency)) == printed(amount, currency) == said

    def test_a_sum_may_be_larger_than_an_amount_can_be(self) -> None:
        assert printed(123_456_789_012, "EUR") == "EUR 1234567890.12"

    @given(st.sampled_from(sorted(DECIMALS)), st.integers(0, 100_000_000))
    def test_what_is_printed_is_the_amount(self, currency: str, amount: int) -> None:
        code, _, number = str(money(amount, currency)).partition(" ")
        assert (code, int(number.replace(".", ""))) == (currency, amount)
        assert len(number.partition(".")[2]) == DECIMALS[currency]

    @pytest.mark.parametrize("currency", ["XYZ", "EUX", "XXX", "XTS", "XAU"])
    def test_what_is_no_currency_makes_no_money(self, currency: str) -> None:
        with pytest.raises(ValidationError, match="no currency of ISO 4217"):
            money(1500, currency)
        with pytest.raises(UnknownCurrency):
            printed(1500, currency)

    def test_mails_refusals_stories_and_chaos_print_alike(self) -> None:
        offer = Offer(FreeDelivery(), minimum_order=money(1500, "JPY"), expires_at=NOON + timedelta(days=1))
        with pytest.raises(MinimumNotReached, match=r"at least JPY 1500\."):
            offer.off(money(1499, "JPY"), money(300, "JPY"), NOON)
        assert "charged your card with JPY 1500." in compose("OrderDelivered", "ord_1", money(1500, "JPY"), NOON).text
        assert _fate(Balance(held=1500, captured=1500, voided=0), "JPY") == "JPY 1500 held, then taken"
        assert _fate(Balance(held=1500, captured=0, voided=1500), "JPY") == "JPY 1500 held, then given back"
        assert _sums(Counter({"JPY": 1500, "EUR": 2150})) == "EUR 21.50 and JPY 1500"


class TestCharges:
    # Source: docs.stripe.com/currencies, "Minimum and maximum charge amounts".
    @pytest.mark.parametrize(
        ("currency", "smallest"),
        [
            ("EUR", "EUR 0.50"),
            ("GBP", "GBP 0.30"),
            ("JPY", "JPY 50"),
            ("HUF", "HUF 175.00"),
            ("MXN", "MXN 10.00"),
            ("THB", "THB 10.00"),
            ("KWD", "KWD 0.010"),
            ("MGA", "MGA 1.00"),
            ("ISK", "ISK 1"),
        ],
    )
    def test_the_least_is_as_stripe_documents(self, currency: str, smallest: str) -> None:
        assert printed(chargeable(currency).smallest, currency) == smallest

    @pytest.mark.parametrize("currency", ["XYZ", "IRR", "KPW", "IQD"])
    def test_what_no_card_is_charged_in_has_no_range(self, currency: str) -> None:
        with pytest.raises(NotChargeable, match=currency):
            chargeable(currency)

    @pytest.mark.parametrize("currency", sorted(CURRENCIES))
    def test_each_end_of_a_range_is_an_amount_that_stripe_takes(self, currency: str) -> None:
        charge = chargeable(currency)
        assert 0 < charge.smallest < charge.largest
        for amount in (charge.smallest, charge.largest):
            assert to_stripe(money(amount, currency)) <= 99_999_999

    @given(st.sampled_from(sorted(CURRENCIES)), st.integers(1, 99_999_999))
    def test_each_step_has_a_number_at_stripe_and_nothing_between_has(self, currency: str, amount: int) -> None:
        asked = money(amount, currency)
        whole = down_to_a_charge(asked)
        assert from_stripe(to_stripe(whole), currency.lower()) == whole
        if asked != whole:
            with pytest.raises(Inexact):
                to_stripe(asked)


class TestStripe:
    # Source: docs.stripe.com/currencies, sections on zero decimals, three decimals and special cases.
    @pytest.mark.parametrize(
        ("amount", "currency", "theirs"),
        [
            (1000, "USD", 1000),
            (500, "JPY", 500),
            (5120, "KWD", 5120),
            (5, "ISK", 500),
            (5, "UGX", 500),
            (1045, "HUF", 1045),
            (80045, "TWD", 80045),
            (1000, "MGA", 10),
            (500, "XOF", 500),
        ],
    )
    def test_stripe_counts_by_its_own_table(self, amount: int, currency: str, theirs: int) -> None:
        assert to_stripe(money(amount, currency)) == theirs
        assert from_stripe(theirs, currency.lower()) == money(amount, currency)

    @pytest.mark.parametrize(("amount", "currency"), [(5124, "KWD"), (1050, "MGA")])
    def test_an_amount_between_two_of_stripe_s_has_none(self, amount: int, currency: str) -> None:
        with pytest.raises(Inexact, match=currency):
            to_stripe(money(amount, currency))

    def test_fractions_of_what_has_none_are_no_amount_of_ours(self) -> None:
        with pytest.raises(Inexact):
            from_stripe(550, "isk")

    def test_only_three_currencies_are_counted_otherwise_than_iso_does(self) -> None:
        otherwise = {code for code in CURRENCIES if decimals(code) != DECIMALS[code]}
        assert otherwise == {"ISK", "UGX", "MGA"}


@pytest.mark.parametrize(
    ("discount", "off"),
    [
        (Percentage(percent=20), 2040),  # 2.048
        (Percentage(percent=100), 10240),
        (Percentage(percent=50, cap=money(3005, "KWD")), 3000),
        (FixedAmount(amount=money(1009, "KWD")), 1000),
        (FreeDelivery(), 500),
    ],
)
def test_a_discount_leaves_what_can_be_charged(discount: Percentage | FixedAmount | FreeDelivery, off: int) -> None:
    offer = Offer(discount, minimum_order=money(0, "KWD"), expires_at=NOON + timedelta(days=1))
    assert offer.off(money(10240, "KWD"), money(500, "KWD"), NOON) == money(off, "KWD")
