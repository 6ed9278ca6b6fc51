"""What support is told of an order: whole, in part, of a moment ago; within bounds, and with nothing personal in it."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from contracts.schemas import EVENTS
from moto import mock_aws
from orders.model import OrderStatus as OrdersStatus
from support import api, operations
from support.facts import UnknownOrder
from support.live import Limits
from support.operations import StillBeingRead
from support.store import Kept
from support.views import MOST_ENTRIES, ExecutionStatus, OrderStatus, OrderStory, PaymentOperation
from worlds.gateway import ask, claims_of, event, support
from worlds.logs import captured
from worlds.support import (
    CUSTOMER,
    DAY,
    LIMITS,
    ORDER,
    Aws,
    World,
    authorized,
    entered,
    failed,
    left,
    recorded,
    scheduled,
    succeeded,
)

SECRETS = ("Ada", "Lovelace", "St James", "gong", "pm_card_visa", "AQB4token", CUSTOMER)


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def missing(story: OrderStory) -> dict[str, str]:
    return {one.part.value: one.reason.value for one in story.missing}


def outcomes(story: OrderStory) -> list[tuple[str, str]]:
    return [(visit.state, visit.outcome.value) for visit in story.workflows[0].path]


class TestStory:
    def test_of_an_open_order(self, world: World) -> None:
        story = world.stories.of(ORDER)
        assert story.headline.startswith("still open: waiting for the restaurant to answer since ")
        assert (story.status, story.dead, story.ended_at, missing(story)) == ("AWAITING_RESTAURANT", False, None, {})
        assert story.deadline_at and (story.deadline_at - story.placed_at).total_seconds() == 3 * 3600
        [run] = story.workflows
        assert (run.name, run.waiting_in) == (ORDER, "AwaitRestaurant")
        assert outcomes(story) == [("AuthorizePayment", "succeeded"), ("AwaitRestaurant", "waiting")]
        kinds = [entry.kind.value for entry in story.timeline]
        assert kinds == ["segment", "segment", "log", "state", "payment_attempt", "state"]
        assert [(p.operation.value, p.answer, p.network) for p in story.payments] == [
            ("authorize", "AUTHORIZED", "visa")
        ]

    def test_names_its_moments_so_that_a_reader_may_have_them_in_their_own_time(self, world: World) -> None:
        story = world.stories.of(ORDER)
        [moment] = story.moments
        assert moment.at == story.workflows[0].path[-1].entered
        # With how long that was ago when it was told: a copy is told again, and a page stands open.
        assert f"since {moment.text}" in story.headline
        assert moment.text == f"{moment.at:%H:%M:%S} UTC (9.5 s)"

    def test_of_a_cancelled_order_with_what_unwound_it(self, world: World) -> None:
        world.execution(status="ABORTED")
        world.unwind("somebody-elses", of="ord_other")
        world.unwind("by-chance")
        story = world.stories.of(ORDER)
        assert story.headline.startswith("cancelled by the customer, while waiting for the restaurant to answer")
        assert [(run.kind.value, run.name) for run in story.workflows] == [("order", ORDER), ("unwind", "by-chance")]
        assert outcomes(story)[-1] == ("AwaitRestaurant", "stopped")
        assert story.status == "CANCELLED"
        # Whose state it is: two workflows have some of the same name.
        whose = {entry.workflow for entry in story.timeline if entry.kind == "state"}
        assert whose == {"order", "unwind"}
        assert {entry.workflow for entry in story.timeline if entry.kind != "state"} == {None}

    def test_of_a_death_that_nobody_recorded(self, world: World) -> None:
        world.execution(entered("AwaitRestaurant"), status="FAILED")
        story = world.stories.of(ORDER)
        assert (story.dead, story.status, story.ended_at) == (True, "AWAITING_RESTAURANT", None)

    def test_a_state_that_was_tried_again_and_one_that_failed_for_good(self, world: World) -> None:
        call = scheduled("lambda", "invoke", Payload={"operation": "authorize"})
        trouble = failed("GatewayUnavailable", json.dumps({"errorMessage": "no answer"}))
        again = [entered("AuthorizePayment"), call, trouble, call, succeeded(), left("AuthorizePayment")]
        world.execution(*again, entered("Capture"), call, trouble, status="FAILED")
        story = world.stories.of(ORDER)
        assert outcomes(story) == [("AuthorizePayment", "retried"), ("Capture", "failed")]
        [first, _] = story.workflows[0].path
        assert (first.error, first.cause, len(first.attempts)) == ("GatewayUnavailable", "no answer", 2)
        assert [(p.error, p.answer) for p in story.payments] == [
            ("GatewayUnavailable", None),
            (None, None),
            ("GatewayUnavailable", None),
        ]

    def test_a_silence_that_the_workflow_went_on_from(self, world: World) -> None:
        silence = [scheduled("aws-sdk:dynamodb", "updateItem"), {"type": "TaskTimedOut"}, left("AwaitRestaurant")]
        world.execution(entered("AwaitRestaurant"), *silence, entered("ClaimSilence"), status="RUNNING")
        [waited, _] = world.stories.of(ORDER).workflows[0].path
        assert (waited.outcome, waited.error) == ("caught", "States.Timeout")

    def test_ended_when_its_row_says_so(self, world: World) -> None:
        world.execution(*recorded("DELIVERED"), status="SUCCEEDED")
        world.row(status="DELIVERED", timeline={"DELIVERED": "2026-01-31T12:00:00.246Z"})
        assert world.stories.of(ORDER).ended_at == datetime(2026, 1, 31, 12, 0, 0, 246000, UTC)

    def test_of_an_order_that_there_is_not(self, world: World) -> None:
        with pytest.raises(UnknownOrder):
            world.stories.of("ord_none")

    def test_of_one_whose_row_lost_its_moments(self, world: World) -> None:
        world.orders.put_item(Item={"order_id": ORDER, "status": "PREPARING", "placed_at": "soon"})
        assert world.stories.of(ORDER).status == "PREPARING"

    def test_of_one_that_was_placed_and_never_begun(self, world: World) -> None:
        world.aws.executions.clear()
        assert "its workflow was never started" in world.stories.of(ORDER).headline

    def test_entries_stand_below_what_they_happened_in(self, world: World) -> None:
        story = world.stories.of(ORDER)
        seen = dict[str, int]()
        for entry in story.timeline:
            assert entry.depth == (seen[entry.parent] + 1 if entry.parent else 0)
            assert entry.id not in seen
            seen[entry.id] = entry.depth


class TestWhatCannotBeHad:
    @pytest.mark.parametrize(
        ("operation", "part"),
        [
            ("describe_execution", "workflow"),
            ("get_execution_history", "workflow"),
            ("describe_state_machine_for_execution", "workflow"),
            ("query", "events"),
            ("get_trace_summaries", "traces"),
            ("batch_get_traces", "traces"),
            ("filter_log_events", "logs"),
        ],
    )
    @pytest.mark.parametrize(
        ("code", "why"),
        [("ThrottlingException", "throttled"), ("AccessDeniedException", "refused"), ("InternalFailure", "failed")],
    )
    def test_is_named_with_the_reason_and_the_rest_is_told(
        self, world: World, operation: str, part: str, code: str, why: str
    ) -> None:
        world.aws.failing[operation] = code
        story = world.stories.of(ORDER)
        assert missing(story)[part] == why
        kinds = {entry.kind.value for entry in story.timeline}
        whole = {"segment", "log", "state", "payment_attempt"}
        without = {"workflow": {"state", "payment_attempt"}, "traces": {"segment"}, "logs": {"log"}}
        assert kinds == whole - without.get(part, set())
        # What AWS said may repeat what was asked.
        assert "Ada" not in story.model_dump_json()

    def test_without_its_workflow_an_order_is_told_by_its_row(self, world: World) -> None:
        world.aws.failing["describe_execution"] = "ThrottlingException"
        story = world.stories.of(ORDER)
        assert story.headline == "still open: AWAITING_RESTAURANT, as its row says; its workflow is not known"
        reason = {"code": "insufficient_funds", "network": "mastercard", "message": "No."}
        world.row("DECLINED", reason=reason)
        world.now += 100
        assert world.stories.of(ORDER).headline.startswith("payment declined: mastercard, insufficient_funds, ")

    def test_the_unwinds(self, world: World) -> None:
        world.execution(status="ABORTED")
        world.aws.failing["list_executions"] = "ThrottlingException"
        assert missing(world.stories.of(ORDER)) == {"unwind": "throttled"}

    def test_what_is_older_than_aws_remembers(self, world: World) -> None:
        world.aws.executions.clear()
        world.placed -= 100 * DAY
        world.row("DELIVERED")
        story = world.stories.of(ORDER)
        assert story.headline.startswith("delivered, and paid, ")
        assert missing(story) == {"workflow": "too_old", "traces": "too_old", "logs": "too_old"}
        assert not {"get_trace_summaries", "filter_log_events"} & world.aws.asked.keys()

    def test_what_takes_too_long(self, world: World) -> None:
        world.live._limits = Limits(time=0)
        story = world.stories.of(ORDER)
        late = dict.fromkeys(("workflow", "events", "traces", "logs"), "out_of_time")
        assert (missing(story), story.status) == (late, "AWAITING_RESTAURANT")

    def test_what_would_be_begun_too_late_within_a_workflow(self, world: World) -> None:
        """Describing it took all of the time."""

        def slow(**request: Any) -> Any:
            world.live._until = 0
            return Aws._describe_execution(world.aws, **request)

        world.aws._describe_execution = slow  # type: ignore[method-assign]
        assert missing(world.stories.of(ORDER))["workflow"] == "out_of_time"
        assert "describe_state_machine_for_execution" not in world.aws.asked

    def test_an_order_that_may_be_and_is_not_found_in_time_is_asked_for_again(self, world: World) -> None:
        world.orders.delete_item(Key={"order_id": ORDER})
        world.live._limits = Limits(time=0)
        with pytest.raises(StillBeingRead):
            world.stories.of(ORDER)

    @pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
    def test_one_group_of_lines_and_the_others_are_read(self, world: World, code: str) -> None:
        world.aws.lines["/payments"] = [world.line("Authorized")]
        read = world.aws._filter_log_events

        def failing(*, logGroupName: str, **request: Any) -> Any:  # noqa: N803 - boto3's
            if logGroupName == "/orders":
                raise ClientError({"Error": {"Code": code, "Message": "Ada"}}, "FilterLogEvents")
            return read(logGroupName=logGroupName, **request)

        world.aws._filter_log_events = failing  # type: ignore[method-assign]
        story = world.stories.of(ORDER)
        assert [entry.label for entry in story.timeline if entry.kind == "log"] == ["Authorized"]
        [one] = story.missing
        assert (one.part, one.detail.startswith("/orders: ")) == ("logs", True)

    def test_one_table_of_announcements_and_the_other_is_read(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def failing(operation: str, **request: Any) -> Any:
            if operation == "query":
                asked.append(request["TableName"])
                if request["TableName"] == "PaymentsTable":
                    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Ada"}}, "Query")
            return Aws._ask(world.aws, operation, **request)

        monkeypatch.setattr(world.aws, "_ask", failing)
        story = world.stories.of(ORDER)
        assert asked == ["PaymentsTable", "PromotionsTable"]
        [one] = story.missing
        assert (one.part, one.detail.startswith("PaymentsTable: ")) == ("events", True)

    def test_a_service_that_is_not_deployed_has_no_table(self, world: World) -> None:
        world.aws.failing["query"] = "ResourceNotFoundException"
        story = world.stories.of(ORDER)
        assert missing(story) == {"events": "not_found"}
        assert [one.detail for one in story.missing] == [
            f"{name}: query: there is no such table (ResourceNotFoundException)."
            for name in ("PaymentsTable", "PromotionsTable")
        ]

    def test_traces_that_the_lines_name_and_xray_has_not(self, world: World) -> None:
        world.aws.lines["/orders"].append(world.line("another", xray_trace_id="1-z"))
        assert missing(world.stories.of(ORDER)) == {"traces": "not_found"}

    def test_who_only_looks_leaves_no_trace_that_is_missed(self, world: World) -> None:
        world.aws.lines["/orders"].append(world.line("Read by support", xray_trace_id="1-z"))
        assert missing(world.stories.of(ORDER)) == {}


class TestBounds:
    def test_traces_that_only_read_are_left_out_first(self, world: World) -> None:
        for number in range(100):
            method = "GET" if number < 70 else "POST"
            world.aws.traces[f"1-{number}"] = [world.segment(f"1-{number}", method)]
            world.aws.methods[f"1-{number}"] = method
        story = world.stories.of(ORDER)
        shown = Counter(entry.label.split()[0] for entry in story.timeline if entry.kind == "segment")
        assert (shown["POST"], shown["GET"]) == (31, 29)
        assert world.aws.asked["batch_get_traces"] == LIMITS.traces / 5
        assert missing(story) == {"traces": "too_much"}

    def test_an_answer_fits_and_every_entry_keeps_its_parent(self, world: World) -> None:
        deep = [{"id": f"c{n}", "name": "x" * 900, "start_time": 1.0, "end_time": 2.0} for n in range(3000)]
        world.aws.traces["1-a"] = [world.segment("1-a", "POST", subsegments=deep)]
        world.aws.lines["/orders"] = [world.line("y" * 5000) for _ in range(3000)]
        story = world.stories.of(ORDER)
        assert missing(story) == {"timeline": "too_much"}
        assert 0 < len(story.timeline) <= MOST_ENTRIES
        ids = {entry.id for entry in story.timeline}
        assert all(entry.parent in ids for entry in story.timeline if entry.parent)
        assert "state" in {entry.kind for entry in story.timeline}
        assert len(story.model_dump_json()) < 4_000_000

    def test_a_long_history_is_read_page_by_page_up_to_a_limit(self, world: World) -> None:
        world.execution(*[e for n in range(4000) for e in (entered("AwaitRestaurant"), left("AwaitRestaurant"))])
        story = world.stories.of(ORDER)
        assert missing(story) == {"workflow": "too_much"}
        assert world.aws.asked["get_execution_history"] == LIMITS.pages

    def test_of_many_who_died_at_that_time_some_are_looked_through(self, world: World) -> None:
        world.execution(status="ABORTED")
        for number in range(100):
            world.unwind(f"other-{number}", of="ord_other")
        assert missing(world.stories.of(ORDER)) == {"unwind": "too_much"}
        assert world.aws.asked["describe_execution"] == 1 + LIMITS.unwinds

    def test_what_is_too_large_for_the_table_is_told_all_the_same(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("support.store.LARGEST", 10)
        assert world.stories.of(ORDER).order_id == ORDER
        assert world.store.find(ORDER) is None
        assert world.stories.of(ORDER).order_id == ORDER
        assert world.aws.asked["describe_execution"] == 2


class TestOnceForAll:
    def test_ten_who_ask_read_once(self, world: World) -> None:
        stories = [world.stories.of(ORDER) for _ in range(10)]
        assert stories == [stories[0]] * 10
        # All that a story of an open order takes: four groups of lines on AWS, two here.
        assert world.aws.asked == {
            "get_item": 1,
            "describe_execution": 1,
            "describe_state_machine_for_execution": 1,
            "get_execution_history": 1,
            "query": 2,
            "get_trace_summaries": 1,
            "batch_get_traces": 1,
            "filter_log_events": 2,
        }

    @pytest.mark.parametrize(
        ("case", "fresh_for"),
        [
            ("open", operations.WHILE_OPEN),
            ("just ended", operations.JUST_ENDED),
            ("ended long ago", operations.ONCE_ENDED),
            ("in part", operations.IN_PART),
        ],
    )
    def test_it_is_read_again_after_a_while(self, world: World, case: str, fresh_for: float) -> None:
        if case == "ended long ago":
            world.placed -= 2 * 3600
        if "ended" in case:
            world.execution(*authorized(), *recorded("DELIVERED"), status="SUCCEEDED")
        if case == "in part":
            world.aws.failing["filter_log_events"] = "ThrottlingException"
        first = world.stories.of(ORDER)
        world.now += fresh_for - 0.1
        assert world.stories.of(ORDER) == first
        assert world.aws.asked["describe_execution"] == 1
        world.now += 0.2
        world.stories.of(ORDER)
        assert world.aws.asked["describe_execution"] == 2

    def test_whoever_asks_while_it_is_read_waits_for_that(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        story = world.stories.of(ORDER)
        world.aws.asked.clear()
        world.now += 1000
        assert world.store.begin(ORDER, world.now, world.now + 28)

        def done(seconds: float) -> None:
            world.pause(seconds)
            if world.paused > 2:
                world.store.keep(ORDER, Kept(story.model_dump_json(), world.now, world.now + 5))

        monkeypatch.setattr(world.stories, "_pause", done)
        assert world.stories.of(ORDER) == story
        assert world.paused > 2
        assert not world.aws.asked

    def test_what_was_read_between_the_look_and_the_turn_is_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        story, begin = world.stories.of(ORDER), world.store.begin
        world.aws.asked.clear()
        world.now += 1000

        def late(key: str, now: float, until: float) -> bool:
            world.store.keep(ORDER, Kept(story.model_dump_json(), world.now, world.now + 5))
            return begin(key, now, until)

        monkeypatch.setattr(world.store, "begin", late)
        assert world.stories.of(ORDER) == story
        assert not world.aws.asked
        assert begin(ORDER, world.now, world.now + 28)  # nobody waits for it

    def test_and_is_told_what_is_not_a_minute_old_at_once(self, world: World) -> None:
        story = world.stories.of(ORDER)
        world.now += 30
        assert world.store.begin(ORDER, world.now, world.now + 28)
        assert world.stories.of(ORDER) == story
        assert world.paused == 0

    def test_and_hears_that_it_takes_long(self, world: World) -> None:
        world.store.begin(ORDER, world.now, world.now + 28)
        with pytest.raises(StillBeingRead):
            world.stories.of(ORDER)
        assert 10 <= world.paused < 11
        assert not world.aws.asked

    def test_a_reader_that_vanished_is_waited_for_no_longer_than_anybody_reads(self, world: World) -> None:
        world.store.begin(ORDER, world.now, world.now + 28)
        world.now += 29
        assert world.stories.of(ORDER).order_id == ORDER

    def test_a_reading_that_failed_lets_the_next_one_begin(self, world: World) -> None:
        with pytest.raises(UnknownOrder):
            world.stories.of("ord_none")
        with pytest.raises(UnknownOrder):
            world.stories.of("ord_none")
        assert world.paused == 0

    @pytest.mark.parametrize("small", [True, False], ids=["it gave up", "it kept nothing, as that is too large"])
    def test_whoever_waited_for_nothing_reads_by_itself(
        self, world: World, monkeypatch: pytest.MonkeyPatch, small: bool
    ) -> None:
        world.store.begin(ORDER, world.now, world.now + 28)
        monkeypatch.setattr("support.store.LARGEST", 380_000 if small else 10)

        def ends(seconds: float) -> None:
            world.pause(seconds)
            if world.paused == 1:
                if small:
                    world.store.give_up(ORDER)
                else:
                    world.store.keep(ORDER, Kept("a story", world.now, world.now + 5))

        monkeypatch.setattr(world.stories, "_pause", ends)
        assert world.stories.of(ORDER).order_id == ORDER
        assert world.paused == 1

    def test_but_not_when_too_little_time_is_left_to_read_it_whole(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.store.begin(ORDER, world.now, world.now + 28)

        def ends(seconds: float) -> None:
            world.pause(seconds)
            if world.paused == 8:
                world.store.give_up(ORDER)

        monkeypatch.setattr(world.stories, "_pause", ends)
        with pytest.raises(StillBeingRead):
            world.stories.of(ORDER)
        assert not world.aws.asked

    def test_the_time_that_is_waited_is_none_to_read_in(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        begin = world.store.begin

        def slow(*args: Any) -> bool:
            world.now += LIMITS.time
            return begin(*args)

        monkeypatch.setattr(world.store, "begin", slow)
        late = dict.fromkeys(("workflow", "events", "traces", "logs"), "out_of_time")
        assert missing(world.stories.of(ORDER)) == late

    def test_what_cannot_be_kept_is_told_and_read_anew_by_the_next(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = captured(monkeypatch)
        said: Any = {"Error": {"Code": "ThrottlingException", "Message": ""}}
        monkeypatch.setattr(world.table, "put_item", Mock(side_effect=ClientError(said, "PutItem")))
        assert [world.stories.of(ORDER).order_id for _ in range(2)] == [ORDER] * 2
        assert world.aws.asked["describe_execution"] == 2
        assert world.paused == 0
        assert {line["level"] for line in log.lines} == {"WARNING"}

    def test_that_nobody_reads_any_more_cannot_be_written_and_the_reason_stays(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: Any = {"Error": {"Code": "ThrottlingException", "Message": ""}}
        monkeypatch.setattr(world.store, "give_up", Mock(side_effect=ClientError(said, "UpdateItem")))
        with pytest.raises(UnknownOrder):
            world.stories.of("ord_none")

    def test_whoever_asks_for_an_order_called_like_something_else_keeps_nobody_from_that(self, world: World) -> None:
        world.store.begin("definitions", world.now, world.now + 28)
        assert len(world.stories.definitions().workflows) == 2
        assert world.paused == 0

    @pytest.mark.parametrize("text", ["{}", "no JSON", "\x00"])
    def test_what_another_version_kept_is_read_anew(self, world: World, text: str) -> None:
        world.store.keep(ORDER, Kept(text, world.now, world.now + 600))
        assert world.stories.of(ORDER).order_id == ORDER

    def test_a_row_that_makes_no_sense_is_read_anew(self, world: World) -> None:
        world.table.put_item(Item={"story": ORDER, "text": "?", "told_ms": 1, "fresh_until_ms": 10**15})
        assert world.stories.of(ORDER).order_id == ORDER

    def test_definitions(self, world: World) -> None:
        found = [world.stories.definitions() for _ in range(3)][-1]
        assert [one.kind.value for one in found.workflows] == ["order", "unwind"]
        assert found.workflows[0].definition["StartAt"] == "AuthorizePayment"
        assert world.aws.asked["describe_state_machine"] == 2


@pytest.mark.parametrize("attempted", [True, False])
def test_nothing_personal_is_told_or_kept(world: World, attempted: bool) -> None:
    who = {"name": "Ada Lovelace", "delivery": {"address": "12 St James"}, "note": "gong"}
    given: dict[str, Any] = who | {"taskToken": "AQB4token"}
    quoting = f"The JSONPath '$.x' could not be found in the input '{json.dumps(given)}'"
    call = scheduled("lambda", "invoke", Payload={"operation": "authorize", "payment_method": "pm_card_visa", **given})
    trouble = [failed("States.Runtime", quoting)] if attempted else []
    arn = world.execution(entered("AuthorizePayment", given), call, *trouble, status="FAILED", order=given)
    world.aws.executions[arn][0].update(error="States.Runtime", cause=quoting)
    world.aws.lines["/orders"] = [world.line("placed", delivery=given, customer_id=CUSTOMER, token="AQB4token")]
    story = world.stories.of(ORDER)
    assert "States.Runtime in AuthorizePayment: The JSONPath '$.x' could not be found in the input" in story.headline
    assert (story.workflows[0].error, story.workflows[0].path[0].state) == ("States.Runtime", "AuthorizePayment")
    told = story.model_dump_json()
    assert [word for word in SECRETS if word in told] == []
    kept = world.store.find(ORDER)
    assert kept
    assert [word for word in SECRETS if word in kept.text] == []


class TestOverHttp:
    @pytest.fixture(autouse=True)
    def served(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "stories", lambda: world.stories)

    def test_the_story(self, world: World) -> None:
        answer = ask(api.handler, event("GET", f"/orders/{ORDER}", claims=support()))
        assert answer.status == 200
        assert answer.body["headline"].startswith("still open: waiting for the restaurant")
        assert answer.body["workflows"][0]["waiting_in"] == "AwaitRestaurant"

    def test_an_unknown_order_is_a_problem(self) -> None:
        answer = ask(api.handler, event("GET", "/orders/ord_none", claims=support()))
        assert (answer.status, answer.problem) == (404, "unknown-order")

    def test_one_that_is_being_read_is_asked_for_again_later(self, world: World) -> None:
        world.store.begin(ORDER, world.now, world.now + 28)
        answer = ask(api.handler, event("GET", f"/orders/{ORDER}", claims=support()))
        assert (answer.status, answer.problem, answer.headers["retry-after"]) == (503, "story-being-read", "5")

    @pytest.mark.parametrize("group", ["customer", "restaurant", "courier"])
    @pytest.mark.parametrize("path", [f"/orders/{ORDER}", "/definitions"])
    def test_others_are_refused_before_anything_is_read(self, world: World, group: str, path: str) -> None:
        claims = claims_of("somebody", group, **{"custom:restaurant_id": "bella"})
        answer = ask(api.handler, event("GET", path, claims=claims))
        assert (answer.status, answer.problem) == (403, "not-your-role")
        assert not world.aws.asked

    def test_each_reading_is_a_line_that_says_who_whether_or_not_it_was_kept(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = captured(monkeypatch)
        for _ in range(2):
            ask(api.handler, event("GET", f"/orders/{ORDER}", claims=support()))
        read = [line for line in log.lines if line["message"] == "Read by support"]
        assert [(line["by"], line["order_id"]) for line in read] == [("support-1", ORDER)] * 2
        # Whoever looks does not become a part of the story: its traces are found by this annotation.
        assert "order_id" not in dict(log.annotations)


class TestWordsOfOthers:
    """What is spelled here as elsewhere is so."""

    def test_statuses_of_orders(self) -> None:
        assert [one.value for one in OrderStatus] == [one.value for one in OrdersStatus]

    def test_statuses_of_executions(self) -> None:
        model = Loader().load_service_model("stepfunctions", "service-2")
        assert {one.value for one in ExecutionStatus} == set(model["shapes"]["ExecutionStatus"]["enum"])

    def test_operations_of_payments(self) -> None:
        contract = json.loads((EVENTS / "commands" / "payments.json").read_text("utf-8"))
        asked = {
            one["properties"]["operation"]["const"]
            for one in contract["$defs"].values()
            if "operation" in one.get("properties", {})
        }
        assert {one.value for one in PaymentOperation} == asked
