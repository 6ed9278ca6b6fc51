"""How full quotas are: the walks through the workflows, the keys that are hot, and the arithmetic between them."""

import tomllib
from datetime import date
from typing import Any

import capacity
import pytest
from lab import partitions, pricing, quotas, walks
from lab.partitions import Crowd
from lab.quotas import Gauge
from lab.walks import NoSuchWay, Walk
from laptop import measured
from orders.store import OPEN_SHARDS
from worlds import ROOT

PAGE = ROOT / "docs" / "capacity.md"
LIVES = quotas.lives()
FEW = Crowd(restaurants=3, customers=4)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few orders are drawn, where it is no matter which."""
    monkeypatch.setattr(quotas, "DRAWN", 50)


def gauge(limit: float, taken: float, **more: Any) -> Gauge:
    return Gauge("name", "service", "what", "then", limit, taken, **more)


class TestWalks:
    @pytest.mark.parametrize("end", walks.WALKS)
    def test_the_states_of_a_walk_are_those_that_real_orders_entered(self, end: str) -> None:
        walked = [state for states in walks.entered(end).states for state in states]
        assert {name: float(walked.count(name)) for name in walked} == LIVES[end]["transitions"]

    @pytest.mark.parametrize("end", walks.WALKS)
    def test_the_events_that_it_puts_and_its_calls_to_payments_are_those_of_real_orders(self, end: str) -> None:
        entered, life = walks.entered(end), LIVES[end]
        put = sum(n for name, n in life["events"].items() if name.startswith("Order"))
        assert entered.events == put
        assert entered.payments == life["invocations"]["Payments/PaymentsFunction"]

    @pytest.mark.parametrize(("end", "answers"), [("delivered", 3), ("declined", 0), ("rejected", 1), ("expired", 2)])
    def test_an_answer_is_counted_where_somebody_waited_for_it_and_got_it(self, end: str, answers: int) -> None:
        assert walks.entered(end).callbacks == answers

    def test_a_walk_that_turns_where_there_is_no_way_is_refused(self) -> None:
        with pytest.raises(NoSuchWay, match="IsAuthorized does not lead to Close"):
            list(walks.walk(Walk(walks.ORDER, {"IsAuthorized": "Close"})))


@pytest.mark.usefixtures("drawn")
class TestGauges:
    def test_a_quota_is_as_full_as_what_is_needed_of_it(self) -> None:
        assert gauge(500, 2.5).full(100) == 0.5
        assert gauge(500, 2.5).breaks_at == 200

    def test_a_small_region_has_less_where_its_quota_is_less(self) -> None:
        assert gauge(500, 2.5, elsewhere=250).breaks_elsewhere_at == 100
        assert gauge(500, 2.5).breaks_elsewhere_at == 200

    def test_what_no_order_takes_is_never_full(self) -> None:
        assert gauge(500, 0.0).breaks_at == float("inf")

    @pytest.mark.parametrize(("taken", "asked"), [(2.5, 1200), (0.01, 5), (12.65, 5700)])
    def test_one_asks_for_half_as_much_again_in_two_figures(self, taken: float, asked: int) -> None:
        assert gauge(500, taken).to_ask_for(300) == asked

    def test_they_come_in_the_order_in_which_they_are_full(self) -> None:
        found = quotas.gauges(pricing.deployed(), {"delivered": 1.0}, FEW)
        assert [one.breaks_at for one in found] == sorted(one.breaks_at for one in found)
        taken = {one.name: one.taken for one in found}
        assert (taken["state_transitions"], taken["start_execution"], taken["send_task_success"]) == (13, 1, 3)
        assert taken["stop_execution"] == 0
        assert taken["put_events"] == 6

    def test_orders_that_die_start_an_unwind(self) -> None:
        taken = {one.name: one.taken for one in quotas.gauges(pricing.deployed(), {"cancelled": 1.0}, FEW)}
        assert (taken["start_execution"], taken["stop_execution"], taken["send_task_success"]) == (2, 1, 0)

    def test_the_stack_s_own_limits_are_those_of_its_parameters(self) -> None:
        raised = pricing.deployed({"OrdersPerSecond": "40", "RequestsPerSecond": "400"})
        own = {one.by: one for one in quotas.gauges(raised, {"delivered": 1.0}, FEW) if not one.name}
        assert own["`OrdersPerSecond`"].breaks_at == 40
        # Ten looks at each order are assumed.
        assert own["`RequestsPerSecond`"].breaks_at == 40


class TestMix:
    def test_a_mix_is_typed_as_shares(self) -> None:
        assert quotas.mixed("delivered=0.75, declined=0.25") == {"delivered": 0.75, "declined": 0.25}

    @pytest.mark.parametrize(
        "text", ["eaten=1", "delivered=0.5", "delivered=2,declined=-1", "delivered", "delivered=x"]
    )
    def test_what_is_no_mix_is_refused_with_a_reason(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            capacity.main(["--mix", text])
        assert ended.value.code == 2
        assert "no mix: " in capsys.readouterr().err


class TestPartitions:
    def test_a_status_is_one_partition_for_all_orders(self) -> None:
        life = {"writes": [["T", "by-status", "PREPARING", 3.0], ["T", "", "order", 2.0]]}
        units = partitions.load(partitions.rows(FEW, 200), {"delivered": life}, {"delivered": 1.0})
        assert units["T", "by-status", "PREPARING"] == pytest.approx(3)
        assert len([key for table, index, key in units if index == ""]) == 200

    def test_the_first_by_zipf_s_law_has_twice_what_the_second_has(self) -> None:
        placed = partitions.rows(Crowd(restaurants=2, customers=10_000), 3_000)
        units = partitions.load(placed, {"e": {"writes": [["T", "of", "restaurant", 1.0]]}}, {"e": 1.0})
        assert units["T", "of", "r-1"] == pytest.approx(2 / 3, abs=0.03)

    def test_open_orders_are_spread_over_their_shards_by_the_store_itself(self) -> None:
        placed = partitions.rows(FEW, 2_000)
        units = partitions.load(placed, {"e": {"writes": [["T", "open", "shard", 8.0]]}}, {"e": 1.0})
        assert len(units) == OPEN_SHARDS
        assert max(units.values()) == pytest.approx(1, abs=0.2)

    def test_shares_of_a_mix_weigh_what_is_written(self) -> None:
        lives = {"a": {"writes": [["T", "i", "X", 4.0]]}, "b": {"writes": [["T", "i", "X", 8.0], ["T", "i", "Y", 8.0]]}}
        units = partitions.load(partitions.rows(FEW, 10), lives, {"a": 0.75, "b": 0.25})
        assert units == {("T", "i", "X"): pytest.approx(5), ("T", "i", "Y"): pytest.approx(2)}
        assert partitions.by_index(units) == {("T", "i"): pytest.approx(7)}
        ((partition, most),) = partitions.hottest(units)
        assert (partition, round(most, 6)) == (("T", "i", "X"), 5.0)

    def test_the_same_seed_draws_the_same_orders(self) -> None:
        assert partitions.rows(FEW, 20) == partitions.rows(FEW, 20)


@pytest.mark.usefixtures("drawn")
class TestFile:
    def test_every_quota_says_what_it_limits_where_it_was_read_and_what_happens_when_it_is_full(self) -> None:
        listed = tomllib.loads(quotas.FILE.read_text("utf-8"))
        assert type(listed["date"]) is date
        assert len(quotas.quotas()) > 15
        for name, quota in quotas.quotas().items():
            assert {"service", "what", "full", "limit", "unit", "raised", "source", "confirmed"} <= quota.keys(), name
            assert quota["source"].startswith("https://"), name
            assert 0 < quota.get("elsewhere", quota["limit"]) <= quota["limit"], name

    def test_every_quota_has_its_row(self) -> None:
        rows = {one.name for one in quotas.gauges(pricing.deployed(), quotas.MIX, FEW)}
        # A history's length does not depend on how many orders there are.
        assert rows - {""} == quotas.quotas().keys() - {"history"}


class TestPage:
    TEXT = PAGE.read_text("utf-8")

    def test_it_has_the_marks_once(self) -> None:
        assert self.TEXT.count(measured.mark(capacity.COMMAND)) == self.TEXT.count(measured.END) == 1

    def test_it_says_what_the_command_says(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert capacity.main([]) == 0
        said = capsys.readouterr().out.strip()
        assert said in self.TEXT

    def test_its_words_on_what_breaks_first_are_its_figures(self) -> None:
        found = quotas.gauges(pricing.deployed(), quotas.MIX, Crowd())
        by_status = min(one.breaks_at for one in found if "write units" in one.what and "orders-by-status" in one.what)
        assert "some 350 orders" in self.TEXT
        assert by_status == pytest.approx(350, abs=25)
        (transitions,) = (one for one in found if one.name == "state_transitions")
        assert f"800 a second are {transitions.breaks_elsewhere_at:.0f} orders" in self.TEXT
