"""Discounts to the minor unit, codes that are always the same, histories that know no order of arrival."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from event_contracts import current
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from promotions.model import (
    CodeExpired,
    Discount,
    Expiry,
    FixedAmount,
    FreeDelivery,
    History,
    MinimumNotReached,
    Percentage,
    PromoCode,
    code_for,
    end_of_day,
    euros,
)
from promotions_world import ANNA, BORIS, NOON, delivery, order
from pydantic import TypeAdapter, ValidationError
from tiffin.money import Money

FEE = Money(amount=290, currency="EUR")
amounts = st.integers(0, 1_000_000).map(lambda amount: Money(amount=amount, currency="EUR"))
discounts = st.one_of(
    st.builds(Percentage, percent=st.integers(1, 100), cap=st.none() | amounts),
    st.builds(FixedAmount, amount=amounts),
    st.builds(FreeDelivery),
)


def cents(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def a_code(discount: Percentage | FixedAmount | FreeDelivery | None = None) -> PromoCode:
    return PromoCode(
        customer_id=ANNA,
        code="WELCOME-7Q2M4KXC",
        key="WELCOME_BACK",
        reason="welcome_back",
        discount=discount or FixedAmount(amount=euros(5)),
        minimum_order=euros(15),
        order_id=order(1),
        earned_at=NOON,
        expires_at=NOON + timedelta(days=30),
    )


@pytest.mark.parametrize(
    ("percent", "subtotal", "off"),
    [(20, 2350, 470), (20, 12, 2), (20, 13, 3), (10, 25, 3), (10, 24, 2), (50, 1, 1), (1, 49, 0), (100, 1999, 1999)],
)
def test_a_share_is_rounded_to_the_nearest_cent_and_half_a_cent_up(percent: int, subtotal: int, off: int) -> None:
    assert Percentage(percent=percent).off(cents(subtotal), FEE) == cents(off)


@given(st.integers(1, 100), amounts)
def test_a_share_is_what_decimal_arithmetic_rounds_half_up(percent: int, subtotal: Money) -> None:
    exact = Decimal(subtotal.amount) * percent / 100
    assert Percentage(percent=percent).off(subtotal, FEE).amount == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def test_a_share_ends_at_its_cap() -> None:
    discount = Percentage(percent=20, cap=euros(5))
    assert discount.off(cents(2499), FEE) == cents(500)  # 4.998 is 5.00
    assert discount.off(cents(9900), FEE) == euros(5)


def test_an_amount_larger_than_the_order_makes_it_free_and_no_more() -> None:
    assert FixedAmount(amount=euros(30)).off(cents(1250), FEE) == cents(1250)


def test_free_delivery_takes_the_fee_whatever_the_subtotal() -> None:
    assert FreeDelivery().off(cents(1250), FEE) == FEE


@given(discounts, amounts, amounts)
def test_no_discount_is_ever_more_than_the_order(
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
def test_a_share_that_is_none_is_refused(percent: object) -> None:
    with pytest.raises(ValidationError):
        Percentage.model_validate({"percent": percent})


def test_a_code_is_taken_until_the_moment_it_expires() -> None:
    code = a_code()
    assert code.off(euros(15), FEE, code.expires_at - timedelta(microseconds=1)) == euros(5)
    with pytest.raises(CodeExpired, match="WELCOME-7Q2M4KXC"):
        code.off(euros(15), FEE, code.expires_at)


def test_a_code_needs_its_minimum_in_its_own_currency() -> None:
    code = a_code()
    assert code.off(euros(15), FEE, NOON) == euros(5)
    with pytest.raises(MinimumNotReached, match=r"15\.00 EUR"):
        code.off(cents(1499), FEE, NOON)
    with pytest.raises(MinimumNotReached):
        code.off(Money(amount=5000, currency="CHF"), FEE, NOON)


def test_the_code_of_a_customer_and_a_reason_is_always_the_same() -> None:
    # Written down: codes that were issued must stay what they are, whatever becomes of this function.
    assert code_for(ANNA, "WELCOME_BACK", "WELCOME") == "WELCOME-T1TT8JH9"
    assert code_for(ANNA, "LOYALTY#1", "LOYAL") != code_for(ANNA, "LOYALTY#2", "LOYAL")
    assert code_for(ANNA, "WELCOME_BACK", "WELCOME") != code_for(BORIS, "WELCOME_BACK", "WELCOME")


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_every_code_is_one_by_the_contract_and_easy_to_read(customer_id: str, key: str) -> None:
    code = code_for(customer_id, key, "WELCOME")
    schema = current().resolved("PromoCodeIssued")["properties"]["data"]["properties"]["code"]
    Draft202012Validator(schema).validate(code)
    assert not set("ILOU") & set(code.removeprefix("WELCOME-"))


def test_a_day_ends_at_midnight_utc_wherever_its_moment_was_told() -> None:
    late_in_tokyo = datetime.fromisoformat("2026-11-27T08:30:00+09:00")  # 23:30 on the 26th in UTC
    assert end_of_day(late_in_tokyo) == datetime(2026, 11, 27, tzinfo=UTC)
    assert end_of_day(NOON, days_later=30) == datetime(2026, 12, 27, tzinfo=UTC)
    assert end_of_day(datetime(2026, 11, 26, tzinfo=UTC)) == datetime(2026, 11, 27, tzinfo=UTC)


def test_a_history_is_the_same_in_any_order_of_arrival() -> None:
    facts = [delivery(3, days=1), delivery(1, days=2), delivery(2, days=1), Expiry(order(4), NOON)]
    histories = {History.of(permutation) for permutation in itertools.permutations(facts)}
    assert len(histories) == 1
    [history] = histories
    assert [d.order_id for d in history.deliveries] == [order(2), order(3), order(1)]


def test_of_two_reports_of_one_delivery_the_earlier_counts() -> None:
    early, late = delivery(1, days=1), delivery(1, days=2)
    assert History.of([late]).with_fact(early) == History.of([early]).with_fact(late) == History.of([early])
