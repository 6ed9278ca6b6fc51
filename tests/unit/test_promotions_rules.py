"""What earns a code, rule by rule, and what every rule owes to the ledger."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import promotions.rules as package
import pytest
from contracts.schemas import validate
from hypothesis import given
from hypothesis import strategies as st
from promotions.model import Delivery, Expiry, Grant, History, Terms, euros
from promotions.rules import RULES, apology, campaign, free_delivery, loyalty, welcome_back
from promotions.rules.campaign import Campaign
from pydantic import ValidationError
from tiffin.discounts import FixedAmount, Percentage
from tiffin.money import Money
from worlds.promotions import NOON, SPRING, delivery, issued, order


def keys(*grants: Grant) -> list[str]:
    return [grant.key for grant in grants]


def cents(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def test_every_file_beside_the_rules_is_a_rule_in_force() -> None:
    files = sorted(path.stem for path in Path(package.__file__).parent.glob("*.py") if path.stem != "__init__")
    assert [rule.__module__ for rule in RULES] == [f"promotions.rules.{name}" for name in files]
    assert {"welcome_back", "loyalty", "apology", "free_delivery", "campaign"} <= set(files)


def test_a_new_customer_has_earned_nothing() -> None:
    assert [grant for rule in RULES for grant in rule(History())] == []


def test_welcome_back_is_for_the_first_delivered_order_only() -> None:
    [grant] = welcome_back.rule(History.of([delivery(2, days=2), delivery(1, days=1)]))

    assert (grant.key, grant.order_id) == ("WELCOME_BACK", order(1))
    assert grant.discount == Percentage(percent=20, cap=euros(5))
    assert grant.expires_at == datetime(2026, 12, 28, tzinfo=UTC)  # delivered on November 27, and 30 days


@pytest.mark.parametrize(("orders", "codes"), [(4, 0), (5, 1), (9, 1), (10, 2), (23, 4)])
def test_loyalty_is_for_each_full_five_delivered_orders(orders: int, codes: int) -> None:
    grants = list(loyalty.rule(History.of(delivery(n, days=n) for n in range(1, orders + 1))))

    assert keys(*grants) == [f"LOYALTY#{n}" for n in range(1, codes + 1)]
    assert [grant.order_id for grant in grants] == [order(5 * n) for n in range(1, codes + 1)]


def test_an_apology_is_for_each_order_that_expired() -> None:
    grants = list(apology.rule(History.of([Expiry(order(2), NOON), Expiry(order(1), NOON), delivery(3)])))

    assert keys(*grants) == [f"APOLOGY#{order(1)}", f"APOLOGY#{order(2)}"]
    assert all(grant.discount == FixedAmount(amount=euros(5)) for grant in grants)


# The twelfth period of 2026; the next one begins on November 27.
PERIOD = datetime(2026, 10, 28, tzinfo=UTC)


def spent(*amounts_at: tuple[int, datetime]) -> History:
    return History.of(Delivery(order(n), at, cents(amount)) for n, (amount, at) in enumerate(amounts_at))


def test_free_delivery_is_for_more_than_100_euros_within_30_days() -> None:
    at = PERIOD + timedelta(days=3)
    assert list(free_delivery.rule(spent((10_000, at)))) == []

    [grant] = free_delivery.rule(spent((10_000, at), (1, at + timedelta(hours=1)), (9_000, at + timedelta(hours=2))))

    assert (grant.key, grant.order_id) == ("FREE_DELIVERY#2026-10-28", order(1))
    assert grant.expires_at == PERIOD + timedelta(days=60)


def test_free_delivery_looks_back_exactly_30_days() -> None:
    month = timedelta(days=30)
    assert list(free_delivery.rule(spent((6_000, PERIOD), (6_000, PERIOD + month)))) == []
    late = spent((6_000, PERIOD), (6_000, PERIOD + month - timedelta(milliseconds=1)))
    assert keys(*free_delivery.rule(late)) == ["FREE_DELIVERY#2026-10-28"]
    middle = PERIOD + timedelta(days=15)
    slow = spent((6_000, middle), (3_000, middle + month), (3_000, middle + month), (4_001, middle + month))
    assert [(g.key, g.order_id) for g in free_delivery.rule(slow)] == [("FREE_DELIVERY#2026-11-27", order(3))]


def test_free_delivery_adds_up_across_the_border_of_a_period_and_gives_one_code_in_each() -> None:
    last, first = PERIOD + timedelta(days=30) - timedelta(milliseconds=1), PERIOD + timedelta(days=30)
    [grant] = free_delivery.rule(spent((6_000, last), (6_000, first)))
    assert (grant.key, grant.expires_at) == ("FREE_DELIVERY#2026-11-27", first + timedelta(days=60))
    both = spent((10_001, last), (1, first), (10_001, first + timedelta(hours=1)))
    assert keys(*free_delivery.rule(both)) == ["FREE_DELIVERY#2026-10-28", "FREE_DELIVERY#2026-11-27"]


def test_free_delivery_knows_periods_before_its_first_day_as_well() -> None:
    [grant] = free_delivery.rule(spent((10_001, datetime(2025, 12, 31, 23, tzinfo=UTC))))
    assert grant.key == "FREE_DELIVERY#2025-12-02"


def test_free_delivery_counts_euros_only() -> None:
    foreign = Delivery(order(1), PERIOD, Money(amount=50_000, currency="CHF"))
    assert list(free_delivery.rule(History.of([foreign]))) == []


def test_a_campaign_gives_while_it_lasts_and_to_each_customer_so_many() -> None:
    def earned(*moments: float) -> list[Grant]:
        return list(SPRING.grants(History.of(delivery(n, days=days) for n, days in enumerate(moments))))

    grants = earned(-0.001, 0, 3, 6.999)
    assert keys(*grants) == ["CAMPAIGN#spring#1", "CAMPAIGN#spring#2"]
    assert [grant.order_id for grant in grants] == [order(1), order(2)]
    assert all(grant.expires_at == SPRING.expires_at and grant.budget for grant in grants)
    assert [grant.order_id for grant in earned(6.999, 7)] == [order(0)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"ends_at": NOON},
        {"expires_at": NOON + timedelta(days=6)},
        {"budget": 0},
        {"prefix": "spring!"},
        {"starts_at": datetime(2026, 11, 26, 12)},  # noqa: DTZ001 - without a zone, as someone will write it
        {"discount": {"type": "percentage", "percent": 120}},
        {"colour": "green"},
    ],
)
def test_a_senseless_campaign_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Campaign.model_validate(SPRING.model_dump() | wrong)


def test_two_campaigns_of_one_id_are_refused(tmp_path: Path) -> None:
    text = (Path(package.__file__).parent.parent / "campaigns.toml").read_text()
    once, twice = tmp_path / "once.toml", tmp_path / "twice.toml"
    once.write_text(text)
    twice.write_text(text + text)
    assert campaign.load(once) == campaign.CAMPAIGNS
    with pytest.raises(ValueError, match="same id"):
        campaign.load(twice)


facts = st.lists(
    st.one_of(
        st.builds(
            Delivery,
            st.integers(0, 40).map(order),
            st.integers(0, 200).map(lambda days: PERIOD + timedelta(days=days / 2)),
            st.integers(0, 20_000).map(cents),
        ),
        st.builds(Expiry, st.integers(41, 60).map(order), st.integers(0, 90).map(lambda d: NOON + timedelta(days=d))),
    ),
    max_size=40,
    unique_by=lambda fact: fact.order_id,
)


@given(facts, st.data())
def test_a_rule_keeps_its_grants_when_more_becomes_known(known: list[Delivery | Expiry], data: st.DataObject) -> None:
    later_known = data.draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    before = History.of(fact for fact in known if fact not in later_known)
    for rule in (*RULES, SPRING.grants):
        then, now = ({g.key: g.expires_at for g in rule(h)} for h in (before, History.of(known)))
        assert then.keys() <= now.keys()
        # A code that was announced is only ever put right to an earlier expiry: see `promotions.ledger`.
        assert all(now[key] <= expires_at for key, expires_at in then.items())


@given(facts)
def test_what_a_rule_gives_can_be_announced_and_spent(known: list[Delivery | Expiry]) -> None:
    """A code that breaks its contract would be buried by everybody who hears of it."""
    for rule in (*RULES, SPRING.grants):
        for grant in rule(History.of(known)):
            assert grant.reason == rule.__module__.rpartition(".")[2]
            validate(issued(grant))


@pytest.mark.parametrize("prefix", ["thanks", "T", "TWENTY-ONE", "A" * 21, ""])
def test_terms_with_a_malformed_prefix_are_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="cannot begin a code"):
        Terms("regulars", prefix, FixedAmount(amount=euros(1)), euros(10))


@given(facts)
def test_a_rule_names_each_grant_once(known: list[Delivery | Expiry]) -> None:
    granted = [grant.key for rule in (*RULES, SPRING.grants) for grant in rule(History.of(known))]
    assert len(granted) == len(set(granted))
