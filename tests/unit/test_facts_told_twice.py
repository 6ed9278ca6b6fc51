"""One fact, told twice: what a code derives from is the order's own, so both tellings end in the same code.

Beside the codes that promotions keep stands the copy that orders keep, which knows what was announced and nothing else.
"""

import itertools
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts.schemas import example, validate
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from orders import consumer as projection
from promotions import consumer as promotions
from promotions.ledger import News
from promotions.model import Expiry
from promotions.redemption import Happened
from promotions.rules import RULES
from tiffin import clients
from worlds.feed import batch
from worlds.promotions import ANNA, SPRING, TRACE, Ledger, RecordingStore, delivered, order, said
from worlds.runtime import context
from worlds.templates import create_table

DEADLINE = "2026-11-26T23:59:30.000Z"
BEFORE_MIDNIGHT, AFTER_MIDNIGHT = "2026-11-26T23:59:59.100Z", "2026-11-27T00:04:07.200Z"
# 90 days after the order's own day, and after the day on which it was told late.
OF_THE_ORDER, OF_THE_LATE_TELLING = "2027-02-25T00:00:00.000Z", "2027-02-26T00:00:00.000Z"


class World:
    """Promotions and the orders' copy, with the stream and the bus between them."""

    def __init__(self) -> None:
        self.promotions: Any = clients.table("PromotionsTable")
        self.copy: Any = clients.table("PromoCodesTable")
        self.announced: list[dict[str, Any]] = []
        self._inserted: set[str] = set()

    def hear(self, *events: dict[str, Any]) -> None:
        for event in events:
            assert promotions.handler(batch(event), context()) == {"batchItemFailures": []}
            self.relay()

    def relay(self) -> None:
        """What the relay does: it announces items that are new in the table, and no item that was written over."""
        for item in self.promotions.scan()["Items"]:
            if item["record"].startswith("EVENT#") and item["record"] not in self._inserted:
                self._inserted.add(item["record"])
                event = example(item["detail_type"]) | {"detail": json.loads(item["detail"])}
                validate(event)
                self.announced.append(event)
                if item["detail_type"] == "PromoCodeIssued":
                    assert projection.handler(batch(event), context()) == {"batchItemFailures": []}

    def expiries(self) -> tuple[list[str], list[str]]:
        """Until when codes are valid, by promotions and by the orders' copy."""
        codes = [item for item in self.promotions.scan()["Items"] if item["record"].startswith("CODE#")]
        return sorted(c["valid_until"] for c in codes), sorted(c["valid_until"] for c in self.copy.scan()["Items"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        create_table("promotions", "PromotionsTable")
        create_table("orders", "PromoCodesTable")
        monkeypatch.setenv("PROMOTIONS_TABLE", "PromotionsTable")
        monkeypatch.setenv("PROMO_CODES_TABLE", "PromoCodesTable")
        for cached in (promotions.promotions, projection.promo_codes):
            cached.cache_clear()
        yield World()
    for cached in (promotions.promotions, projection.promo_codes):
        cached.cache_clear()


def expired(told_at: str, deadline_at: str | None = DEADLINE) -> dict[str, Any]:
    """OrderExpired of one order; as events of old have it, if no deadline is given."""
    event = example("OrderExpired")
    event["detail"]["metadata"]["occurred_at"] = told_at
    event["detail"]["data"].pop("deadline_at", None)
    if deadline_at:
        event["detail"]["data"]["deadline_at"] = deadline_at
    validate(event)
    return event


@pytest.mark.parametrize("tellings", itertools.permutations([AFTER_MIDNIGHT, BEFORE_MIDNIGHT, AFTER_MIDNIGHT]))
def test_an_expiry_told_on_either_side_of_midnight_is_one_apology_of_the_orders_own_day(
    world: World, tellings: tuple[str, ...]
) -> None:
    world.hear(*(expired(told_at) for told_at in tellings))
    assert world.expiries() == ([OF_THE_ORDER], [OF_THE_ORDER])
    assert len(world.announced) == 1


@pytest.mark.parametrize("tellings", itertools.permutations([AFTER_MIDNIGHT, BEFORE_MIDNIGHT, AFTER_MIDNIGHT]))
def test_events_of_old_that_name_no_deadline_leave_promotions_and_orders_of_one_mind(
    world: World, tellings: tuple[str, ...]
) -> None:
    world.hear(*(expired(told_at, None) for told_at in tellings))
    assert world.expiries() == ([OF_THE_ORDER], [OF_THE_ORDER])


@pytest.mark.parametrize("order_of_arrival", list(itertools.permutations(range(3))))
def test_an_event_of_old_and_one_of_today_are_of_one_mind_too(world: World, order_of_arrival: tuple[int, ...]) -> None:
    tellings = [expired(AFTER_MIDNIGHT, None), expired(AFTER_MIDNIGHT), expired(BEFORE_MIDNIGHT)]
    world.hear(*(tellings[n] for n in order_of_arrival))
    assert world.expiries() == ([OF_THE_ORDER], [OF_THE_ORDER])


def test_an_event_of_old_counts_from_when_it_was_told(world: World) -> None:
    world.hear(expired(AFTER_MIDNIGHT, None))
    assert world.expiries() == ([OF_THE_LATE_TELLING], [OF_THE_LATE_TELLING])


def told(number: int, minutes: int) -> News:
    fact = Expiry(order(number), datetime(2026, 11, 26, 23, 50, tzinfo=UTC) + timedelta(minutes=minutes))
    return News(ANNA, order(number), Happened.ENDED_UNDELIVERED, None, fact)


stories = st.lists(
    st.one_of(
        st.builds(told, st.integers(1, 3), st.integers(0, 30)),
        # One moment for each delivery: its event has the one that was recorded. Another one may lie in another period,
        # and a code that a period gave is not taken back.
        st.builds(lambda number: delivered(number, days=number % 4), st.integers(4, 12)),
    ),
    max_size=20,
)


@given(stories, st.randoms(use_true_random=False))
def test_whatever_moments_one_order_is_told_with_the_earliest_counts_in_any_order(
    story: list[News], chance: random.Random
) -> None:
    received = story + chance.choices(story, k=len(story)) if story else []
    chance.shuffle(received)
    one, other = Ledger((*RULES, SPRING.grants)).take(*story), Ledger((*RULES, SPRING.grants)).take(*received)
    assert one.customer.codes == other.customer.codes
    assert said(one.announced) == said(other.announced)
    # What was announced last is what is kept.
    kept = {code.code: code.expires_at for code in one.customer.codes.values()}
    announced = {a.code: min(b.issued.expires_at for b in one.announced if b.issued and b.code == a.code)
                 for a in one.announced if a.issued}  # fmt: skip
    assert announced == kept


def test_no_announcement_takes_the_place_of_an_earlier_one(world: World) -> None:
    """An item that is written over is no new one, so the relay would never send it."""
    store = RecordingStore(world.promotions)
    made = [a for minutes in (20, 5, 0) for a in store.record(told(1, minutes), TRACE)]
    world.relay()
    assert len(made) == len(world.announced) == 2
    assert {event["detail"]["metadata"]["event_id"] for event in world.announced} == {
        f"{order(1)}:PromoCodeIssued:{made[0].code}"
    }
