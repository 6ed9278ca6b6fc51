"""Discounts to the minor unit: rounding, limits and conditions, the same for who offers a code and who charges less."""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from contracts.schemas import current
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from promotions.model import euros
from pydantic import TypeAdapter, ValidationError
from tiffin.discounts import (
    CodeExpired,
    Discount,
    FixedAmount,
    FreeDelivery,
    MinimumNotReached,
    Offer,
    OtherCurrency,
    Percentage,
)
from tiffin.money import Money
from worlds.promotions import NOON

FEE = Money(amount=290, currency="EUR")
amounts = st.integers(0, 1_000_000).map(lambda amount: Money(amount=amount, currency="EUR"))
discounts = st.one_of(
    st.builds(Percentage, percent=st.integers(1, 100), cap=st.none() | amounts),
    st.builds(FixedAmount, amount=amounts),
    st.builds(FreeDelivery),
)


def cents(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def an_offer() -> Offer:
    return Offer(FixedAmount(amount=euros(5)), minimum_order=euros(15), expires_at=NOON + timedelta(days=30))


@pytest.mark.parametrize(
    ("percent", "subtotal", "off"),
    [(20, 2350, 470), (20, 12, 2), (20, 13, 3), (10, 25, 3), (10, 24, 2), (50, 1, 1), (1, 49, 0), (100, 1999, 1999)],
)
def test_a_share_is_rounded_to_the_nearest_cent_and_half_a_cent_up(percent: int, subtotal: int, off: int) -> None:
    assert Percentage(percent=percent).off(cents(subtotal), FEE) == cents(off)


@given(st.integers(1, 100), amounts)
def test_a_share_agrees_with_decimal_arithmetic_that_rounds_half_up(percent: int, subtotal: Money) -> None:
    exact = Decimal(subtotal.amount) * percent / 100
    assert Percentage(percent=percent).off(subtotal, FEE).amount == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def test_a_share_ends_at_its_cap() -> None:
    discount = Percentage(percent=20, cap=euros(5))
    assert discount.off(cents(2499), FEE) == cents(500)  # 4.998 is 5.00
    assert discount.off(cents(9900), FEE) == euros(5)


def test_a_fixed_amount_takes_off_at_most_what_the_dishes_cost() -> None:
    assert FixedAmount(amount=euros(30)).off(cents(1250), FEE) == cents(1250)


def test_free_delivery_takes_the_fee_whatever_the_subtotal() -> None:
    assert FreeDelivery().off(cents(1250), FEE) == FEE


@given(discounts, amounts, amounts)
def test_a_discount_is_at_most_the_whole_order(
    discount: Percentage | FixedAmount | FreeDelivery, subtotal: Money, fee: Money
) -> None:
    assert 0 <= discount.off(subtotal, fee).amount <= subtotal.amount + fee.amount


@given(discounts)
def test_a_discount_is_what_the_contract_says(discount: Percentage | FixedAmount | FreeDelivery) -> None:
    adapter: TypeAdapter[Percentage | FixedAmount | FreeDelivery] = TypeAdapter(Discount)
    document = adapter.dump_python(discount, exclude_none=True)
    schema = current().resolved("PromoCodeIssued")["properties"]["data"]["properties"]["discount"]
    Draft202012Validator(schema).validate(document)
    assert adapter.validate_python(document) == discount


@pytest.mark.parametrize("percent", [0, 101, -5, 12.5, "20"])
def test_a_percentage_outside_the_whole_numbers_from_1_to_100_is_refused(percent: object) -> None:
    with pytest.raises(ValidationError):
        Percentage.model_validate({"percent": percent})


def test_an_offer_stands_until_the_moment_it_expires() -> None:
    offer = an_offer()
    assert offer.off(euros(15), FEE, offer.expires_at - timedelta(microseconds=1)) == euros(5)
    with pytest.raises(CodeExpired, match="expired at 2026-12-26"):
        offer.off(euros(15), FEE, offer.expires_at)


def test_an_offer_needs_its_minimum_in_its_own_currency() -> None:
    offer = an_offer()
    assert offer.off(euros(15), FEE, NOON) == euros(5)
    with pytest.raises(MinimumNotReached, match=r"EUR 15\.00"):
        offer.off(cents(1499), FEE, NOON)
    with pytest.raises(MinimumNotReached):
        offer.off(Money(amount=5000, currency="CHF"), FEE, NOON)


@pytest.mark.parametrize(
    "discount",
    [
        FixedAmount(amount=Money(amount=500, currency="CHF")),
        Percentage(percent=20, cap=Money(amount=500, currency="CHF")),
    ],
)
def test_a_discount_in_another_currency_than_the_order_is_refused(discount: FixedAmount | Percentage) -> None:
    with pytest.raises(OtherCurrency, match="for orders in CHF"):
        Offer(discount, minimum_order=euros(15), expires_at=NOON + timedelta(days=1)).off(euros(20), FEE, NOON)
