"""The same codes and the same announcements, in whatever order and however often events arrive."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from promotions import redemption
from promotions.ledger import MAX_CODES, News, decide
from promotions.model import Budget, Grant, History, Terms, code_for, euros
from promotions.redemption import State, Use, holders
from promotions.rules import RULES
from tiffin.discounts import FixedAmount, Percentage
from worlds.promotions import (
    ANNA,
    FIVE,
    NOON,
    SPRING,
    UNCAPPED,
    Ledger,
    delivered,
    ended,
    expired,
    order,
    placed,
    said,
    without_cap,
)

WELCOME = code_for(ANNA, "WELCOME_BACK", "WELCOME")
EVERY_RULE = (*UNCAPPED, SPRING.grants)


def outcome(news: tuple[News, ...]) -> tuple[object, object, object, list[tuple[str, ...]]]:
    """Everything that must not depend on the order of arrival: codes to the last field, uses, announcements."""
    ledger = Ledger(rules=EVERY_RULE).take(*news)
    customer = ledger.customer
    return (
        sorted(customer.codes.items()),
        sorted(customer.uses.items()),
        customer.history,
        said(ledger.announced),
    )


def test_all_orders_of_arrival_of_a_small_history_end_the_same() -> None:
    story = (
        placed(1),
        delivered(1, total=euros(60)),
        placed(2, WELCOME),
        ended(2, WELCOME),
        placed(3, WELCOME),
        delivered(3, WELCOME, total=euros(60)),
        expired(4),
    )
    five = Ledger(rules=(*map(without_cap, FIVE), SPRING.grants)).take(*story)
    uses = 2 * ["PromoCodeRedeemed"] + ["PromoCodeRestored"]
    assert [name for name, *_ in said(five.announced)] == 5 * ["PromoCodeIssued"] + uses
    expected = outcome(story)
    for permutation in itertools.permutations(story):
        assert outcome(permutation) == expected


def a_life(number: int, codes: list[str]) -> st.SearchStrategy[list[News]]:
    """What an order announces in its life, without or with a code."""
    return st.sampled_from([None, *codes]).flatmap(
        lambda code: st.sampled_from(
            [
                [placed(number, code)],
                [placed(number, code), ended(number, code)],
                [placed(number, code), expired(number, code)],
                [placed(number, code), delivered(number, code, days=number / 3)],
                [placed(number, code), delivered(number, code, days=number / 3, total=euros(45))],
            ]
        )
    )


CODES = [WELCOME, code_for(ANNA, "LOYALTY#1", "LOYAL"), "SUMMER-00000000"]
stories = (
    st.integers(1, 25)
    .flatmap(lambda orders: st.tuples(*(a_life(number, CODES) for number in range(orders))))
    .map(lambda lives: list(itertools.chain(*lives)))
)


@pytest.mark.generated
@settings(max_examples=150)
@given(stories, st.randoms(use_true_random=False))
def test_larger_histories_shuffled_and_repeated_end_the_same(story: list[News], chance: random.Random) -> None:
    received = story + chance.choices(story, k=len(story))
    chance.shuffle(received)

    assert outcome(tuple(received)) == outcome(tuple(story))


@settings(max_examples=50)
@given(stories)
def test_what_the_ledger_holds_is_what_the_rules_grant(story: list[News]) -> None:
    customer = Ledger(rules=UNCAPPED).take(*story).customer
    granted = {grant.key: grant for rule in RULES for grant in rule(customer.history)}
    assert set(customer.codes) == set(granted)
    for key, code in customer.codes.items():
        assert (code.order_id, code.earned_at, code.expires_at) == (
            granted[key].order_id,
            granted[key].earned_at,
            granted[key].expires_at,
        )


def test_every_announcement_is_made_once() -> None:
    ledger = Ledger().take(*[delivered(n, WELCOME if n == 2 else None) for n in (1, 2, 3, 4, 5)] * 3)
    announced = [(a.name, a.code) for a in ledger.announced]
    assert len(announced) == len(set(announced)) == 4  # welcome, loyalty, 105 euros within a period; redeemed
    assert {a.issued.reason for a in ledger.announced if a.issued} == {"welcome_back", "loyalty", "free_delivery"}


def test_an_older_delivery_that_becomes_known_late_puts_the_code_right_and_says_so() -> None:
    ledger = Ledger().take(delivered(2, days=2))
    [first] = ledger.customer.codes.values()
    ledger.take(delivered(1, days=1))
    [second] = ledger.customer.codes.values()

    assert second == replace(
        first, order_id=order(1), earned_at=NOON + timedelta(days=1), expires_at=first.expires_at - timedelta(days=1)
    )
    assert [(a.name, a.issued) for a in ledger.announced] == [("PromoCodeIssued", first), ("PromoCodeIssued", second)]

    ledger.take(delivered(1, days=1), delivered(2, days=2), delivered(3, days=3))
    assert len(ledger.announced) == 2


def test_codes_keep_the_terms_that_they_were_issued_with() -> None:
    def stingy(history: History) -> Iterator[Grant]:
        terms = Terms("welcome_back", "WELCOME", Percentage(percent=10, cap=euros(1)), euros(1))
        for first in history.deliveries[:1]:
            yield terms.grant(by=first, expires_at=NOON + timedelta(days=999))

    ledger = Ledger().take(delivered(1))
    promised = dict(ledger.customer.codes)
    ledger.rules = [stingy]
    ledger.take(delivered(1), delivered(2))
    assert ledger.customer.codes == promised

    ledger.take(delivered(0))  # even where the code is put right
    [code], [before] = ledger.customer.codes.values(), promised.values()
    assert code.order_id == order(0)
    assert (code.code, code.discount, code.minimum_order) == (before.code, before.discount, before.minimum_order)


# --- The life of a code: redeemed, restored, spent --------------------------------------------------------------------


def test_an_order_placed_with_a_code_redeems_it_once() -> None:
    ledger = Ledger().take(placed(1, WELCOME), placed(1, WELCOME))
    assert said(ledger.announced) == [("PromoCodeRedeemed", WELCOME, order(1))]
    assert holders(WELCOME, ledger.customer.uses) == [order(1)]


@pytest.mark.parametrize("end", [ended, expired])
def test_an_order_that_ends_undelivered_restores_its_code_once(end: object) -> None:
    over = end(1, WELCOME)  # type: ignore[operator]
    for arrival in itertools.permutations([placed(1, WELCOME), over, over]):
        ledger = Ledger(rules=[]).take(*arrival)
        assert said(ledger.announced) == [
            ("PromoCodeRedeemed", WELCOME, order(1)),
            ("PromoCodeRestored", WELCOME, order(1)),
        ]
        assert holders(WELCOME, ledger.customer.uses) == []


def test_an_order_that_ended_stays_ended_when_its_beginning_comes_late() -> None:
    ledger = Ledger().take(ended(1, WELCOME))
    announced = list(ledger.announced)
    ledger.take(placed(1, WELCOME))
    assert ledger.announced == announced
    assert ledger.customer.uses == {Use(WELCOME, order(1)): State.RESTORED}


def test_the_next_order_with_the_code_keeps_it_whenever_the_last_one_ends() -> None:
    story = [placed(1, WELCOME), ended(1, WELCOME), placed(2, WELCOME)]
    for arrival in itertools.permutations(story):
        ledger = Ledger(rules=[]).take(*arrival)
        assert holders(WELCOME, ledger.customer.uses) == [order(2)]
        assert said(ledger.announced) == [
            ("PromoCodeRedeemed", WELCOME, order(1)),
            ("PromoCodeRedeemed", WELCOME, order(2)),
            ("PromoCodeRestored", WELCOME, order(1)),
        ]


def test_a_code_goes_from_order_to_order_until_one_is_delivered() -> None:
    story = [
        placed(1, WELCOME),
        ended(1, WELCOME),
        placed(2, WELCOME),
        expired(2, WELCOME),
        placed(3, WELCOME),
        delivered(3, WELCOME),
    ]
    for arrival in itertools.permutations(story):
        ledger = Ledger(rules=[]).take(*arrival)
        assert holders(WELCOME, ledger.customer.uses) == [order(3)]
        assert [name for name, *_ in said(ledger.announced)].count("PromoCodeRestored") == 2


def test_a_delivered_order_has_spent_its_code_even_if_its_beginning_was_lost() -> None:
    ledger = Ledger(rules=[]).take(delivered(1, WELCOME))
    assert said(ledger.announced) == [("PromoCodeRedeemed", WELCOME, order(1))]
    assert ledger.customer.uses == {Use(WELCOME, order(1)): State.SPENT}


def test_only_a_change_of_state_is_announced() -> None:
    assert [redemption.announcements(state, state) for state in State] == [(), (), ()]


def test_an_order_without_a_code_leaves_all_codes_alone() -> None:
    assert not placed(1).matters
    assert not ended(1).matters
    assert Ledger().take(placed(1), ended(1)).announced == []


# --- More than a transaction holds ------------------------------------------------------------------------------------


def for_each(history: History) -> Iterator[Grant]:
    terms = Terms("each", "EACH", FixedAmount(amount=euros(1)), euros(1))
    for each in history.deliveries:
        yield terms.grant(each.order_id, by=each, expires_at=NOON)


def test_a_new_rule_gives_what_is_owed_for_a_long_past_piece_by_piece() -> None:
    ledger = Ledger(rules=[]).take(*(delivered(n) for n in range(2 * MAX_CODES + 5)))
    ledger.rules = [for_each]

    change = decide(ledger.customer, delivered(1), [for_each])
    assert (len(change.issued), change.partial) == (MAX_CODES, True)

    ledger.take(delivered(1))
    assert len(ledger.customer.codes) == len(ledger.announced) == 2 * MAX_CODES + 5


def budgeted(history: History) -> Iterator[Grant]:
    for grant in for_each(history):
        yield replace(grant, budget=Budget("tiny", 100))


def test_a_budget_pays_for_one_code_in_each_change() -> None:
    ledger = Ledger(rules=[]).take(*(delivered(n) for n in range(3)))
    change = decide(ledger.customer, delivered(1), [budgeted])
    assert (len(change.issued), list(change.spent), change.partial) == (1, [Budget("tiny", 100)], True)


def test_an_exhausted_campaign_is_passed_over_and_the_other_rules_go_on() -> None:
    ledger = Ledger(rules=[]).take(delivered(1))
    change = decide(ledger.customer, delivered(2), [budgeted, *FIVE], exhausted=frozenset({"tiny"}))
    assert [code.reason for code in change.issued] == ["welcome_back"]
    assert not change.partial


@example([])
@given(st.lists(st.sampled_from([placed(1, WELCOME), ended(1, WELCOME), delivered(1, WELCOME)])))
def test_even_contradictory_ends_leave_one_state(arrivals: list[News]) -> None:
    """A delivery wins over an end without one: the customer has the food, so the code is spent."""
    uses = Ledger(rules=[]).take(*arrivals).customer.uses
    assert uses == Ledger(rules=[]).take(*reversed(arrivals)).customer.uses


class TestTheCapOfApologies:
    """Three within 30 days, counted on what the customer has: no order of arrival makes it more."""

    def apologies(self, *at_days: float) -> list[str]:
        ledger = Ledger(rules=FIVE)
        for number, day in enumerate(at_days, 1):
            news = expired(number)
            fact = replace(news.fact, at=NOON + timedelta(days=day))  # type: ignore[type-var]
            ledger.take(replace(news, fact=fact))
        return sorted(code.order_id for code in ledger.customer.codes.values())

    def test_the_fourth_earns_none(self) -> None:
        assert self.apologies(0, 1, 2, 3) == [order(1), order(2), order(3)]

    def test_thirty_days_later_there_is_room_again(self) -> None:
        assert self.apologies(0, 1, 2, 29, 30.5) == [order(1), order(2), order(3), order(5)]

    def test_those_that_become_known_first_earn_one(self) -> None:
        assert self.apologies(9, 3, 6, 0) == [order(1), order(2), order(3)]

    def test_one_that_is_told_twice_counts_once(self) -> None:
        ledger = Ledger(rules=FIVE).take(expired(1), expired(1), expired(2), expired(3))
        assert len(ledger.customer.codes) == 3
