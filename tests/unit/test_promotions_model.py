"""Codes that are always the same, histories that are the same in every order of arrival."""

import itertools
from datetime import UTC, datetime

from contracts.schemas import current
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from promotions.model import (
    Delivery,
    Expiry,
    History,
    code_for,
    end_of_day,
)
from worlds.promotions import ANNA, BORIS, NOON, delivery, order


def test_the_code_of_a_customer_and_a_reason_is_always_the_same() -> None:
    # Written down: codes that were issued must stay what they are, whatever becomes of this function.
    assert code_for(ANNA, "WELCOME_BACK", "WELCOME") == "WELCOME-T1TT8JH9"
    assert code_for(ANNA, "LOYALTY#1", "LOYAL") != code_for(ANNA, "LOYALTY#2", "LOYAL")
    assert code_for(ANNA, "WELCOME_BACK", "WELCOME") != code_for(BORIS, "WELCOME_BACK", "WELCOME")


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_every_code_keeps_the_contract_and_is_easy_to_read(customer_id: str, key: str) -> None:
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
    facts: list[Delivery | Expiry] = [
        delivery(3, days=1),
        delivery(1, days=2),
        delivery(2, days=1),
        Expiry(order(4), NOON),
    ]
    histories = {History.of(permutation) for permutation in itertools.permutations(facts)}
    assert len(histories) == 1
    [history] = histories
    assert [d.order_id for d in history.deliveries] == [order(2), order(3), order(1)]


def test_of_two_reports_of_one_delivery_the_earlier_counts() -> None:
    early, late = delivery(1, days=1), delivery(1, days=2)
    assert History.of([late]).with_fact(early) == History.of([early]).with_fact(late) == History.of([early])
