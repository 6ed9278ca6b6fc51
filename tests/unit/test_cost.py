"""What an order costs: from what was counted to units, from units to dollars, and from dollars to a page."""

import re
import tomllib
from datetime import date
from typing import Any

import cost
import pytest
from lab import bills, costing, pricing
from lab.costing import Costing
from lab.metered import Counts, Names, count, index_units, parse, read_units, transitions, write_units
from laptop import measured
from worlds import ROOT

PAGE = ROOT / "docs" / "cost.md"
NAMES = Names(
    {"o": "Orders/OrdersTable", "f": "Orders/ApiFunction", "r": "Orders/ReconcilerFunction", "q": "Promotions/Queue"},
    {"Orders/ApiFunction": 512, "Orders/ReconcilerFunction": 512},
)


def entered(state: str, kind: str = "Task") -> dict[str, Any]:
    return {"type": f"{kind}StateEntered", "stateEnteredEventDetails": {"name": state}}


def counted(*lines: dict[str, Any], orders: int = 1) -> Counts:
    return count(lines, NAMES, orders)


def write(before: int, after: int, **more: Any) -> dict[str, Any]:
    line = {"what": "write", "table": "o", "key": "ord_" + 26 * "a", "transaction": False, "indexes": {}}
    return line | {"before": before, "after": after} | more


class TestStateEntries:
    def test_each_entry_counts_whatever_the_kind_of_the_state(self) -> None:
        history = [{"type": "ExecutionStarted"}, entered("A"), entered("B", "Choice"), entered("C", "Succeed")]
        assert transitions(history) == {"A": 1, "B": 1, "C": 1}

    def test_a_retry_counts_as_the_entry_did(self) -> None:
        failed = {"type": "TaskFailed"}
        tried = [entered("Pay"), {"type": "TaskScheduled"}, failed, {"type": "TaskScheduled"}, failed]
        assert transitions([*tried, {"type": "TaskScheduled"}, entered("Close")]) == {"Pay": 3, "Close": 1}

    def test_a_state_that_is_entered_twice_begins_anew(self) -> None:
        assert transitions([entered("A"), {"type": "TaskScheduled"}] * 2) == {"A": 2}


class TestUnits:
    @pytest.mark.parametrize(
        ("size", "consistent", "units"),
        [(0, True, 1), (4096, True, 1), (4097, True, 2), (10, False, 0.5), (9000, False, 1.5)],
    )
    def test_a_read_takes_one_for_each_four_kilobytes_and_half_if_it_may_be_old(
        self, size: int, consistent: bool, units: float
    ) -> None:
        assert read_units(size, consistent) == units

    @pytest.mark.parametrize(
        ("before", "after", "transaction", "units"),
        [(0, 1024, False, 1), (0, 1025, False, 2), (3000, 10, False, 3), (0, 1025, True, 4), (0, 0, False, 1)],
    )
    def test_a_write_takes_one_for_each_kilobyte_of_the_larger_item_and_twice_that_in_a_transaction(
        self, before: int, after: int, transaction: bool, units: int
    ) -> None:
        assert write_units(before, after, transaction) == units

    @pytest.mark.parametrize(
        ("before", "after", "moves", "units"),
        [(None, 100, False, 1), (100, None, False, 1), (100, 1500, False, 2), (100, 1500, True, 3), (10, 10, True, 2)],
    )
    def test_an_entry_of_an_index_takes_both_of_its_places_if_it_moves(
        self, before: int | None, after: int | None, moves: bool, units: int
    ) -> None:
        assert index_units(before, after, moves) == units


class TestCounting:
    def test_a_write_counts_for_the_table_and_for_each_index_whose_entry_changes(self) -> None:
        entry = {"before": 100, "after": 1100, "left": "PLACED", "key": "PREPARING", "moves": True}
        counts = counted(write(500, 900, transaction=True, indexes={"by-status": entry}))
        assert counts.writes == {("Orders/OrdersTable", ""): 2, ("Orders/OrdersTable", "by-status"): 3}
        assert counts.kept == 400 + 1000

    def test_units_are_known_by_what_the_partition_key_is_of(self) -> None:
        moved = {"before": 100, "after": 1100, "left": "PLACED", "key": "PREPARING", "moves": True}
        stays = {"before": 100, "after": 120, "left": "open-3", "key": "open-3", "moves": False}
        gone = {"before": 100, "after": None, "left": "open-5", "key": None, "moves": False}
        counts = counted(
            write(500, 900, indexes={"by-status": moved, "open": stays}), write(900, 900, indexes={"open": gone})
        )
        orders = "Orders/OrdersTable"
        assert counts.partitions == {
            (orders, "", "order"): 2,
            (orders, "by-status", "PLACED"): 1,
            (orders, "by-status", "PREPARING"): 2,
            (orders, "open", "shard"): 2,
        }

    def test_reads_are_summed_by_table_and_index(self) -> None:
        read = {"what": "read", "table": "o", "index": None, "bytes": 5000, "consistent": True}
        counts = counted(read, read, read | {"index": "orders-of-customer", "consistent": False})
        assert counts.reads == {("Orders/OrdersTable", ""): 4, ("Orders/OrdersTable", "orders-of-customer"): 1}

    def test_what_belongs_to_no_resource_of_the_stack_is_a_test_s_own(self) -> None:
        counts = counted(
            write(0, 10, table="other"),
            {"what": "sent", "target": "arn:aws:sqs:eu-central-1:1:tap"},
            {"what": "sent", "target": "arn:aws:sqs:eu-central-1:1:q"},
        )
        assert (counts.writes, counts.messages) == ({}, {"Promotions/Queue": 1})

    def test_what_the_reconciler_does_each_minute_is_no_order_s(self) -> None:
        counts = counted(
            {"what": "invocation", "function": "r", "ms": 40},
            {"what": "read", "table": "o", "index": "open-orders", "bytes": 0, "consistent": False},
            {"what": "lines", "function": "r", "bytes": 300, "count": 3, "metrics": [["T", "Repairs", {}]]},
        )
        assert (counts.invocations, counts.reads, counts.lines) == ({}, {}, 0)
        assert counts.metrics == {("T", "Repairs", ())}

    def test_an_invocation_takes_its_memory_for_each_begun_millisecond(self) -> None:
        counts = counted(*({"what": "invocation", "function": "f", "ms": ms} for ms in (0, 100)))
        assert counts.invocations == {"Orders/ApiFunction": 2}
        assert counts.gb_seconds == {"Orders/ApiFunction": pytest.approx(0.5 * 0.101)}

    def test_a_line_is_its_text_and_26_bytes(self) -> None:
        line: dict[str, Any] = {"what": "lines", "function": None, "bytes": 1000, "count": 4, "metrics": []}
        assert counted(line, line).lines == 2 * 1104

    def test_an_event_of_more_than_64_kilobytes_counts_as_several(self) -> None:
        counts = counted(*({"what": "event", "name": "OrderPlaced", "bytes": size} for size in (900, 65_537)))
        assert (counts.events, counts.archived) == ({"OrderPlaced": 3}, 66_437)

    def test_a_line_that_is_still_being_written_waits_for_the_next_time(self) -> None:
        assert parse('{"a": 1}\n{"b": ') == [{"a": 1}]


class TestPrices:
    def test_every_table_says_where_and_when_it_was_read_and_whether_at_aws_itself(self) -> None:
        listed = tomllib.loads(pricing.FILE.read_text("utf-8"))
        assert (listed["region"], type(listed["date"])) == ("us-east-1", date)
        for name, table in pricing.prices().items():
            assert {"source", "date", "confirmed"} < table.keys(), name
            assert table["source"].startswith("https://"), name
            assert table["date"] <= listed["date"], name
            assert type(table["confirmed"]) is bool, name

    def test_every_price_names_its_unit_and_is_positive(self) -> None:
        named = {
            f"{name}.{key}": usd
            for name, table in pricing.prices().items()
            for key, usd in table.items()
            if key not in ("source", "date", "confirmed")
        }
        assert len(named) > 15
        assert [key for key, usd in named.items() if not (".usd_per_" in key and usd > 0)] == []

    def test_what_an_order_costs_is_its_counts_at_their_prices(self) -> None:
        counts = Counts(orders=2, requests=8, traces=4)
        counts.transitions.update({"A": 20, "B": 6})
        counts.writes = {("t", ""): 100.0, ("t", "i"): 60.0}
        counts.messages.update(q=2)
        costs = pricing.of_an_order(counts, traced=0.5)
        assert costs["Step Functions"] == pytest.approx(13 * 0.000025)
        assert costs["API Gateway"] == pytest.approx(4 * 3.5e-6)
        assert costs["DynamoDB: writes"] == pytest.approx(80 * 0.625e-6)
        assert costs["SQS"] == pytest.approx(3 * 0.4e-6)
        assert costs["X-Ray"] == pytest.approx(5e-6)

    def test_costs_are_added_each_so_many_times(self) -> None:
        assert pricing.together((0.5, {"a": 2.0}), (3, {"a": 1.0, "b": 1.0})) == {"a": 4.0, "b": 3.0}

    def test_an_alarm_is_charged_by_its_metrics_and_one_that_learns_by_three(self) -> None:
        stat = {"Id": "m", "MetricStat": {}}
        assert pricing.alarm_metrics({"MetricName": "Errors"}) == 1
        assert pricing.alarm_metrics({"Metrics": [stat, stat, {"Id": "e", "Expression": "m1 / m2"}]}) == 2
        assert (
            pricing.alarm_metrics({"Metrics": [stat, {"Id": "b", "Expression": "ANOMALY_DETECTION_BAND(m, 4)"}]}) == 3
        )

    def test_what_costs_by_the_month_is_what_the_templates_make(self) -> None:
        fixed = {one.what: one for one in pricing.fixed(pricing.deployed(), metrics=10, sweep_gb_seconds=0.01)}
        alarms = sum(
            (ROOT / f"services/{service}/template.yaml").read_text("utf-8").count("Type: AWS::CloudWatch::Alarm\n")
            for service in ("observability", "live")
        )
        # One of them learns what is normal; those of listeners that are asked for are not made.
        assert fixed["alarms, by the metrics that they look at"].number == alarms + 2
        assert fixed["dashboards"].usd == 3.0
        assert fixed["custom metrics that the functions wrote"].usd == pytest.approx(3.0)
        polls = fixed["requests of the pollers of queues that are empty"]
        assert polls.number == 5 * 15 * 43_800
        assert polls.usd == pytest.approx(1.314)

    def test_every_order_is_traced_by_default(self) -> None:
        assert pricing.sampled(pricing.deployed()) == 1.0


def test_the_assumed_mix_is_a_whole() -> None:
    assert sum(end.share for end in costing.ENDS) == pytest.approx(1)


class TestPage:
    TEXT = PAGE.read_text("utf-8")

    def rows(self, heading: str) -> dict[str, list[float]]:
        """The figures of a table, by the first column."""
        table = self.TEXT.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
        cells = [[cell.strip(" *") for cell in row.strip("| ").split(" | ")] for row in table]
        return {first: [float(cell) for cell in others] for first, *others in cells}

    def test_it_has_the_marks_once(self) -> None:
        assert self.TEXT.count(measured.mark(cost.COMMAND)) == self.TEXT.count(measured.END) == 1

    def test_its_dollars_are_its_counts_at_the_prices_of_the_file(self) -> None:
        counts, costs = self.rows("end | state entries"), self.rows("end | Step Functions")
        assert list(counts) == [end.name for end in costing.ENDS]
        by = pricing.prices()
        for name, (entries, requests, *_) in counts.items():
            usd = costs[name]
            assert usd[0] == pytest.approx(entries * by["step_functions"]["usd_per_1000_transitions"], abs=0.001)
            assert usd[1] == pytest.approx(
                requests * by["api_gateway"]["usd_per_million_rest_requests"] / 1000, abs=0.001
            )
            assert usd[-1] == pytest.approx(sum(usd[:-1]), abs=0.02)

    def test_an_order_takes_the_entries_that_the_page_and_the_decision_speak_of(self) -> None:
        entries = self.rows("end | state entries")["delivered"][0]
        decision = (ROOT / "docs/decisions/thirteen-state-entries.md").read_text("utf-8")
        assert entries == 13
        assert "A delivered order enters thirteen states" in decision
        assert re.search(r"\| \*\*Tiffin\*\*.*\| \*\*13\*\* \|", self.TEXT)

    def test_it_says_which_prices_are_unconfirmed_and_of_which_day_they_are(self) -> None:
        assert f"Not confirmed at AWS itself: {', '.join(pricing.unconfirmed())}." in self.TEXT
        assert f"{pricing.REGION}, {pricing.DATE:%d %B %Y}" in self.TEXT

    def test_what_is_counted_becomes_tables(self) -> None:
        counts = Counts(orders=1, requests=1)
        found = Costing({end.name: counts for end in costing.ENDS}, dict.fromkeys(costing.LOOKS, counts), 23, 0.01)
        text = bills.page(found, pricing.deployed(), "Measured")
        assert "| custom metrics that the functions wrote | 23 | 6.90 |" in text
        assert "| the customer looks at the order | 10 | 1 | 0.0 | 0.0035 |" in text


@pytest.mark.parametrize("wrong", [["--orders", "0"], ["--write", "nowhere/page.md"]])
def test_what_cannot_be_done_is_refused_before_anything_starts(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costing, "counting", lambda *_: pytest.fail("it started"))
    with pytest.raises(SystemExit) as ended:
        cost.main(wrong)
    assert ended.value.code == 2
