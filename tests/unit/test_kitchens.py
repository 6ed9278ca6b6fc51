"""What kitchens do is counted by the minute, each fact once, in whatever order and however often it is heard of."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from contracts.schemas import EVENTS
from hypothesis import given
from hypothesis import strategies as st
from kitchens import consumer as entry
from kitchens.model import (
    KEPT,
    MOMENTS,
    PREPARATION_LIMIT,
    REMEMBERED,
    CountedAlready,
    Course,
    Figures,
    Forgotten,
    forget,
    hear,
    is_late,
    minute,
    must_be_kept,
)
from kitchens.store import Contended, KitchenFigures
from moto import mock_aws
from tiffin import clients
from tiffin.events import rfc3339
from worlds import feed
from worlds.promotions import order
from worlds.runtime import context
from worlds.templates import create_table

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NAMES = tuple(MOMENTS)
ONE, TWO = order(1), order(2)


def at(text: str) -> datetime:
    """A moment of that day, such as `12:03:20`."""
    return datetime.fromisoformat(f"2026-11-26T{text}+00:00")


LIFE = [("OrderPlaced", at("12:00:10")), ("OrderAccepted", at("12:01:30")), ("OrderDispatched", at("12:16:45"))]
EXPECTED = {
    at("12:00:00"): Figures(placed=1),
    at("12:01:00"): Figures(accepted=1),
    at("12:16:00"): Figures(dispatched=1, prepared=1, preparation_ms=915_000, slowest_ms=915_000),
}


def counted(facts: list[tuple[str, str, datetime]]) -> dict[datetime, Figures]:
    """The figures of facts about orders, heard of in this order."""
    known: dict[str, Course] = {}
    figures: dict[datetime, Figures] = {}
    for order_id, name, when in facts:
        try:
            known[order_id], adds = hear(known.get(order_id, Course()), name, when)
        except CountedAlready:
            continue
        for which, more in adds.items():
            figures[which] = figures.get(which, Figures()) + more
    return figures


class TestRules:
    @pytest.mark.parametrize("heard", itertools.permutations(LIFE), ids=lambda heard: " ".join(n for n, _ in heard))
    def test_an_orders_life_makes_the_same_figures_in_any_order(self, heard: Any) -> None:
        assert counted([(ONE, *fact) for fact in heard]) == EXPECTED

    facts = st.lists(
        st.tuples(
            st.sampled_from([ONE, TWO]),
            st.sampled_from(NAMES),
            st.integers(0, 7200).map(lambda seconds: NOON + timedelta(seconds=seconds)),
        ),
        unique_by=lambda fact: fact[:2],
        max_size=6,
    )

    @given(facts, st.randoms(use_true_random=False))
    def test_what_comes_again_and_in_another_order_changes_nothing(self, facts: Any, random: Any) -> None:
        again = facts * 2
        random.shuffle(again)
        assert counted(again) == counted(facts)

    @given(facts, st.integers(0, 120))
    def test_what_is_forgotten_and_heard_again_makes_the_same_figures(self, facts: Any, minutes: int) -> None:
        since = NOON + timedelta(minutes=minutes)
        known: dict[str, Course] = {}
        for order_id, name, when in facts:
            known[order_id], _ = hear(known.get(order_id, Course()), name, when)
        left = {when: figures for when, figures in counted(facts).items() if when < since}
        known = {order_id: forget(course, since) for order_id, course in known.items()}
        # A fact is heard of after it happened: so whoever listens again from that moment hears all that is missing.
        for order_id, name, when in facts:
            try:
                known[order_id], adds = hear(known[order_id], name, when)
            except CountedAlready:
                continue
            for which, more in adds.items():
                left[which] = left.get(which, Figures()) + more
        assert left == counted(facts)

    @pytest.mark.parametrize(
        ("took", "late"),
        [
            (timedelta(minutes=20), False),
            (timedelta(minutes=20, milliseconds=1), True),
            (timedelta(hours=2), True),
            (timedelta(), False),
        ],
    )
    def test_an_order_is_late_after_twenty_minutes_in_the_kitchen(self, took: timedelta, late: bool) -> None:
        assert timedelta(minutes=20) == PREPARATION_LIMIT
        assert is_late(took) is late
        course, _ = hear(Course(), "OrderAccepted", NOON)
        _, adds = hear(course, "OrderDispatched", NOON + took)
        assert sum(figures.late for figures in adds.values()) == late

    def test_clocks_that_differ_make_no_food_leave_before_it_is_begun(self) -> None:
        course, _ = hear(Course(), "OrderDispatched", at("12:00:00"))
        _, adds = hear(course, "OrderAccepted", at("12:00:01"))
        assert adds == {NOON: Figures(accepted=1, prepared=1)}

    def test_sums_add_up_and_the_slowest_is_the_slower_of_two(self) -> None:
        one, two = Figures(1, 2, 3, 4, 5, 6, 7), Figures(10, 20, 30, 40, 50, 60, 70)
        assert one + two == two + one == Figures(11, 22, 33, 44, 55, 60, 77)
        assert (Figures(prepared=4, preparation_ms=10).mean_ms, Figures().mean_ms) == (2.5, None)

    def test_what_is_older_than_the_figures_is_not_counted(self) -> None:
        must_be_kept(NOON, NOON + KEPT - timedelta(seconds=1))
        with pytest.raises(Forgotten, match="older than 400 days"):
            must_be_kept(NOON, NOON + KEPT)
        # What was counted of an order is known for longer than any minute in which it counts.
        assert REMEMBERED > KEPT

    def test_a_minute_is_utcs(self) -> None:
        assert minute(datetime.fromisoformat("2026-11-26T13:03:20.5+01:00")) == at("12:03:00")


@pytest.fixture
def dead_letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with mock_aws():
        create_table("kitchens", "FiguresTable")
        monkeypatch.setenv("FIGURES_TABLE", "FiguresTable")
        monkeypatch.setattr(entry, "figures", lambda: figures)
        figures = KitchenFigures(clients.client("dynamodb"), "FiguresTable", pause=lambda _: None)
        yield feed.dead_letter_queue(monkeypatch)


@pytest.fixture
def figures(dead_letters: Any) -> KitchenFigures:
    return entry.figures()


BEGIN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)


def happened(name: str, order_id: str, seconds: float, restaurant: str = "r-bella") -> dict[str, Any]:
    """An event, some seconds after `BEGIN`."""
    event = feed.event(name, order_id, restaurant_id=restaurant)
    event["detail"]["metadata"]["occurred_at"] = rfc3339(BEGIN + timedelta(seconds=seconds))
    return event


def run(*events: dict[str, Any]) -> list[str]:
    """Give the function a batch; the records that it wants to see again."""
    return feed.failures(entry.handler(feed.streamed(*events), context()))


def seen(figures: KitchenFigures) -> dict[tuple[str, int], Figures]:
    """All that is counted, by restaurant and minutes after `BEGIN`."""
    return {
        (restaurant, int((when - BEGIN) / timedelta(minutes=1))): found
        for restaurant, when, found in figures.between(BEGIN - timedelta(hours=1), BEGIN + timedelta(hours=3))
    }


def rows() -> list[Any]:
    return clients.table("FiguresTable").scan()["Items"]


DAY = [
    happened("OrderPlaced", ONE, 10),
    happened("OrderAccepted", ONE, 70),
    happened("OrderPlaced", TWO, 71),
    happened("OrderAccepted", TWO, 90),
    happened("OrderDispatched", ONE, 130),
    happened("OrderDispatched", TWO, 175.5),
    happened("OrderPlaced", order(3), 3 * 3600 - 3601, "r-sushi"),
]
COUNTED = {
    ("r-bella", 0): Figures(placed=1),
    ("r-bella", 1): Figures(placed=1, accepted=2),
    ("r-bella", 2): Figures(dispatched=2, prepared=2, preparation_ms=145_500, slowest_ms=85_500),
    ("r-sushi", 119): Figures(placed=1),
}


class TestFigures:
    def test_each_kitchens_minutes_are_kept(self, figures: KitchenFigures) -> None:
        assert run(*DAY) == []
        assert seen(figures) == COUNTED

    def test_batches_that_come_again_and_backwards_change_nothing(self, figures: KitchenFigures) -> None:
        for batch in (DAY[3:], DAY, DAY[::-1], DAY[:2]):
            assert run(*batch) == []
        assert seen(figures) == COUNTED

    def test_an_event_whose_producer_announced_it_again_counts_once(self, figures: KitchenFigures) -> None:
        again = json.loads(json.dumps(DAY[0])) | {"id": "another-one-of-eventbridge"}
        again["detail"]["metadata"]["occurred_at"] = rfc3339(BEGIN + timedelta(seconds=500))
        assert run(DAY[0], again) == []
        assert seen(figures) == {("r-bella", 0): Figures(placed=1)}

    def test_the_slowest_of_a_minute_stays_when_a_faster_one_follows(self, figures: KitchenFigures) -> None:
        for number, seconds in ((1, 50), (2, 10), (3, 30)):
            run(happened("OrderAccepted", order(number), 0), happened("OrderDispatched", order(number), seconds))
        assert seen(figures)["r-bella", 0] == Figures(0, 3, 3, 3, 90_000, 50_000, 0)

    def test_a_preparation_over_the_limit_is_counted_as_late(self, figures: KitchenFigures) -> None:
        run(happened("OrderDispatched", ONE, 1300), happened("OrderAccepted", ONE, 60))
        assert seen(figures)["r-bella", 21].late == 1

    def test_rows_are_forgotten_minutes_first(self, figures: KitchenFigures) -> None:
        run(*DAY[:2])
        kept = {row["record"].partition("#")[0]: int(row["expires_at"]) for row in rows()}
        assert kept["MINUTE"] == int((BEGIN + timedelta(minutes=1, days=400)).timestamp())
        assert kept["ORDER"] == int((BEGIN + timedelta(seconds=70, days=407)).timestamp())

    def test_an_event_of_five_hundred_days_ago_counts_nowhere(self, figures: KitchenFigures) -> None:
        assert run(happened("OrderPlaced", ONE, -500 * 86400)) == []
        assert rows() == []


class TestTrouble:
    def test_a_poisonous_record_is_set_aside_with_its_reason_and_the_others_are_counted(
        self, figures: KitchenFigures, dead_letters: Callable[[], list[dict[str, Any]]]
    ) -> None:
        no_kitchen = happened("OrderPlaced", ONE, 0)
        del no_kitchen["detail"]["data"]["restaurant_id"]
        batch = feed.raw_stream(DAY[0], "poison", no_kitchen, b"\xff\xfe", b"", "a\x00b", DAY[1])
        assert feed.failures(entry.handler(batch, context())) == []
        assert seen(figures) == {("r-bella", 0): Figures(placed=1), ("r-bella", 1): Figures(accepted=1)}
        told = [(m["Body"], m["MessageAttributes"]["error_type"]["StringValue"]) for m in dead_letters()]
        assert sorted(told) == sorted(
            [
                ("poison", "NotAnEvent"),
                (json.dumps(no_kitchen), "UnexpectedShape"),
                ("Base64: //4=", "NotAnEvent"),
                ("Base64: ", "NotAnEvent"),
                ("Base64: YQBi", "NotAnEvent"),
            ]
        )

    def test_trouble_that_may_pass_brings_back_that_record_and_counts_the_others(
        self, figures: KitchenFigures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        count = figures.count

        def busy(restaurant_id: str, order_id: str, *rest: Any) -> None:
            if order_id == TWO:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "TransactWriteItems")
            count(restaurant_id, order_id, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(figures, "count", busy)
            assert run(*DAY[:4]) == ["2", "3"]
        # The stream hands out the first of them again, and all that came after it.
        assert run(*DAY[2:]) == []
        assert seen(figures) == COUNTED

    def test_a_crash_between_reading_and_writing_counts_nothing_and_the_next_attempt_all(
        self, figures: KitchenFigures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client: Any = figures._client

        def crash(**_: Any) -> None:
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr(client, "transact_write_items", crash)
            assert run(*DAY) == [str(number) for number in range(len(DAY))]
        assert rows() == []
        assert run(*DAY) == []
        assert seen(figures) == COUNTED

    @pytest.mark.parametrize("faster", ["OrderAccepted", "OrderDispatched"])
    def test_two_that_write_at_once_lose_nothing(
        self, figures: KitchenFigures, monkeypatch: pytest.MonkeyPatch, faster: str
    ) -> None:
        """Somebody else takes in the other end of the preparation after this one has read, and before it writes."""
        slower = ({"OrderAccepted", "OrderDispatched"} - {faster}).pop()
        ends = {
            "OrderAccepted": happened("OrderAccepted", ONE, 0),
            "OrderDispatched": happened("OrderDispatched", ONE, 30),
        }
        client: Any = figures._client
        write, turns = client.transact_write_items, iter([True])

        def overtaken(**request: Any) -> Any:
            if next(turns, False):
                run(ends[faster])
            return write(**request)

        monkeypatch.setattr(client, "transact_write_items", overtaken)
        assert run(ends[slower]) == []
        assert seen(figures) == {("r-bella", 0): Figures(0, 1, 1, 1, 30_000, 30_000, 0)}

    def test_whoever_is_overtaken_each_time_comes_again_later(
        self, figures: KitchenFigures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def conflict(**_: Any) -> None:
            cancelled: Any = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": "TransactionConflict"}],
            }
            raise ClientError(cancelled, "TransactWriteItems")

        monkeypatch.setattr(figures._client, "transact_write_items", conflict)
        with pytest.raises(Contended):
            figures.count("r-bella", ONE, "OrderPlaced", BEGIN, datetime.now(UTC))
        assert run(DAY[0]) == ["0"]

    def test_a_row_that_cannot_be_read_is_a_dead_letter_and_holds_up_nobody(
        self, figures: KitchenFigures, dead_letters: Callable[[], list[dict[str, Any]]]
    ) -> None:
        run(DAY[0])
        clients.table("FiguresTable").update_item(
            Key={"restaurant_id": "r-bella", "record": f"ORDER#{ONE}"},
            UpdateExpression="SET placed_at = :x",
            ExpressionAttributeValues={":x": "yesterday"},
        )
        assert run(*DAY[1:3]) == []
        [letter] = dead_letters()
        assert letter["MessageAttributes"]["error_type"]["StringValue"] == "UnreadableRow"
        assert seen(figures)["r-bella", 1] == Figures(placed=1)


class TestSamples:
    """What `sam local invoke` gives the function does what its name says."""

    @pytest.mark.parametrize(("name", "left"), [("prepared", 0), ("twice-and-backwards", 0), ("poison", 1)])
    def test_a_sample_counts_one_order_that_took_seventeen_minutes(
        self,
        figures: KitchenFigures,
        dead_letters: Callable[[], list[dict[str, Any]]],
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        left: int,
    ) -> None:
        sample = json.loads((EVENTS / "invocations" / f"KitchensConsumerFunction-{name}.json").read_text("utf-8"))
        monkeypatch.setattr(entry, "datetime", SimpleNamespace(now=lambda _: NOON))
        assert feed.failures(entry.handler(sample, context())) == []
        found = {(r, when): did for r, when, did in figures.between(at("11:00:00"), NOON)}
        assert found == {
            ("r-bella-napoli", at("11:03:00")): Figures(accepted=1),
            ("r-bella-napoli", at("11:21:00")): Figures(0, 0, 1, 1, 1_046_295, 1_046_295, 0),
        }
        assert len(dead_letters()) == left


class TestRebuilding:
    @pytest.mark.parametrize("seconds", [0, 60, 75, 120, 10_000])
    def test_what_is_forgotten_from_a_minute_on_and_heard_again_is_the_same(
        self, figures: KitchenFigures, seconds: int
    ) -> None:
        run(*DAY)
        since = BEGIN + timedelta(seconds=seconds)
        figures.forget(since)
        assert {key: value for key, value in COUNTED.items() if key[1] < seconds // 60} == seen(figures)
        # What happened since then, and some of before: what comes late into the stream.
        assert run(*DAY) == []
        assert seen(figures) == COUNTED

    def test_forgetting_that_was_interrupted_is_repeated(
        self, figures: KitchenFigures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(*DAY)
        client: Any = figures._client
        delete, calls = client.delete_item, itertools.count()

        def crash(**request: Any) -> Any:
            if next(calls) == 4:
                raise ConnectionError
            return delete(**request)

        with monkeypatch.context() as patch:
            patch.setattr(client, "delete_item", crash)
            with pytest.raises(ConnectionError):
                figures.forget(BEGIN)
        assert rows() != []
        figures.forget(BEGIN)
        assert rows() == []
        run(*DAY)
        assert seen(figures) == COUNTED

    def test_everything_is_forgotten_from_before_the_first_minute(self, figures: KitchenFigures) -> None:
        run(*DAY)
        assert figures.forget(BEGIN - timedelta(days=1)) == len(COUNTED)
        assert rows() == []
