"""What is told of an order: the sentence, what is hidden, what is cut away, and the figures."""

import io
import json
from itertools import permutations
from typing import Any

import pytest
from contracts import schemas
from rich.console import Console
from support import story, timeline
from support.facts import HIDDEN, BusEvent, Execution, Facts, LogLine, bus_event, log_line, read_execution, redacted
from support.steps import steps
from support.visits import Visit
from tracing import figures, text
from tracing.axis import Axis
from tracing.html import page

PLACED = 1_000_000.0
STATES: dict[str, Any] = {
    "AwaitRestaurant": {"Type": "Task", "Resource": "x:dynamodb:updateItem.waitForTaskToken", "Next": "Record"},
    "AwaitDelivery": {"Type": "Task", "Resource": "x:dynamodb:updateItem.waitForTaskToken", "Next": "Record"},
    "AuthorizePayment": {"Type": "Task", "Resource": "x:lambda:invoke", "Next": "AwaitRestaurant"},
    "Record": {"Type": "Task", "Resource": "x:dynamodb:updateItem", "End": True},
}


class History:
    """Writes a history event by event, a second apart."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, **details: Any) -> "History":
        key = kind[:1].lower() + kind[1:] + "EventDetails"
        at = PLACED + len(self.events)
        self.events.append({"id": len(self.events) + 1, "type": kind, "timestamp": at, key: details})
        return self

    def enter(self, state: str) -> "History":
        at = PLACED + len(self.events)
        details = {"name": state, "input": "{}"}
        self.events.append(
            {
                "id": len(self.events) + 1,
                "type": "TaskStateEntered",
                "timestamp": at,
                "stateEnteredEventDetails": details,
            }
        )
        return self

    def scheduled(self, resource: str, **parameters: Any) -> "History":
        return self.add("TaskScheduled", resourceType="x", resource=resource, parameters=json.dumps(parameters))

    def recorded(self, status: str, **reason: str) -> "History":
        values: dict[str, Any] = {":entered": {"S": status}}
        if reason:
            values[":reason"] = {"M": {k: {"S": v} for k, v in reason.items()}}
        self.enter("Record").scheduled("updateItem", ExpressionAttributeValues=values)
        return self.add("TaskSucceeded", output="{}")


def execution(history: History, status: str = "SUCCEEDED", **more: Any) -> Execution:
    """The order's execution with a history; it has stopped unless it is running."""
    fields: dict[str, Any] = {
        "arn": "arn",
        "kind": "order",
        "name": "ord_1",
        "started": PLACED,
        "stopped": None if status == "RUNNING" else PLACED + 60,
        "given": {"placed_at": "1970-01-12T13:46:40Z"},
        "definition": {"StartAt": "AuthorizePayment", "States": STATES},
    }
    return Execution(status=status, history=history.events, **(fields | more))


def told(history: History, status: str = "SUCCEEDED", unwind: History | None = None, **more: Any) -> story.Story:
    executions = [execution(history, status, **more)]
    if unwind:
        executions.append(execution(unwind, kind="unwind", name="u", given={}))
    return story.tell(timeline.build(Facts("ord_1", "here", executions)), now=PLACED + 300)


class TestSentence:
    def test_delivered(self) -> None:
        paid = json.dumps({"Payload": {"status": "AUTHORIZED", "network": "visa"}})
        history = History().enter("AuthorizePayment").scheduled("invoke").add("TaskSucceeded", output=paid)
        assert told(history.recorded("DELIVERED")).sentence == "delivered, and paid with visa, 5.0 s after placing"

    def test_declined(self) -> None:
        history = History().recorded("DECLINED", network="mastercard", code="insufficient_funds", message="No.")
        said = told(history)
        assert said.status == "DECLINED"
        assert said.sentence == "payment declined: mastercard, insufficient_funds, 2.0 s after placing"

    def test_rejected_by_somebody_and_by_silence(self) -> None:
        rejected = History().recorded(
            "REJECTED", code="restaurant_rejected", message="The restaurant rejected the order: out of stock."
        )
        silent = History().recorded(
            "REJECTED", code="restaurant_silent", message="The restaurant did not answer within 15 minutes."
        )
        assert told(rejected).sentence == "rejected by the restaurant: out of stock, 2.0 s after placing"
        assert told(silent).sentence == "rejected: the restaurant did not answer within 15 minutes, 2.0 s after placing"

    def test_cancelled(self) -> None:
        unwind = History().recorded("CANCELLED", code="cancelled_by_customer", message="The customer cancelled.")
        said = told(History().enter("AwaitRestaurant"), "ABORTED", unwind)
        assert said.sentence == (
            "cancelled by the customer, while waiting for the restaurant to answer, 2.0 s after placing"
        )

    def test_expired_tells_whom_it_waited_for_and_whose_time_it_was(self) -> None:
        unwind = History().recorded(
            "EXPIRED", code="not_delivered_in_time", message="The food was not delivered within three hours."
        )
        said = told(History().enter("AwaitDelivery"), "TIMED_OUT", unwind, clock=540.0)
        assert said.sentence == (
            "expired: the food was not delivered within three hours, while waiting for the courier to hand it over, "
            "2.0 s after placing, on a clock 540 times as fast"
        )

    def test_failed_names_the_state_and_the_error(self) -> None:
        history = History().enter("AuthorizePayment").scheduled("invoke")
        history.add("TaskFailed", error="PaymentMismatch", cause=json.dumps({"errorMessage": "another amount"}))
        unwind = History().recorded("FAILED", code="workflow_failed", message="The order could not be completed.")
        said = told(history, "FAILED", unwind)
        assert said.sentence == "failed: PaymentMismatch in AuthorizePayment: another amount, 2.0 s after placing"

    def test_an_order_whose_workflow_was_stopped_while_nobody_wanted_to_cancel(self) -> None:
        unwind = History().recorded("FAILED", code="workflow_failed", message="The order could not be completed.")
        said = told(History().enter("AwaitRestaurant"), "ABORTED", unwind)
        waits = "while waiting for the restaurant to answer"
        assert said.sentence == f"failed: somebody stopped its workflow, {waits}, 2.0 s after placing"

    def test_still_open_tells_for_whom_since_when(self) -> None:
        said = told(History().enter("AwaitRestaurant"), "RUNNING")
        assert said.status == "OPEN"
        assert said.sentence == "still open: waiting for the restaurant to answer since 13:46:40 UTC (5 min)"
        assert said.moments == {"13:46:40 UTC (5 min)": PLACED}

    def test_still_open_tells_what_goes_on_and_what_went_wrong(self) -> None:
        history = History().enter("AuthorizePayment").scheduled("invoke")
        since = "since 13:46:40 UTC (5 min)"
        assert told(history, "RUNNING").sentence == f"still open: in AuthorizePayment {since}"
        history.add("TaskFailed", error="GatewayUnavailable")
        said = told(history, "RUNNING")
        assert said.sentence == (
            f"still open: AuthorizePayment is being retried {since}, last time it failed with GatewayUnavailable"
        )
        assert said.moments == {"13:46:40 UTC (5 min)": PLACED}

    def test_a_workflow_that_died_before_an_end_was_recorded_is_told_as_dead(self) -> None:
        said = told(History().enter("AwaitRestaurant"), "FAILED", error="States.Runtime")
        assert said.status == "DEAD"
        assert "no end is recorded yet" in said.sentence

    def test_an_order_whose_end_was_refused_is_still_open(self) -> None:
        history = History().enter("Record")
        history.scheduled("updateItem", ExpressionAttributeValues={":entered": {"S": "DELIVERED"}})
        history.add("TaskFailed", error="DynamoDB.ConditionalCheckFailedException")
        assert told(history, "RUNNING").status == "OPEN"


class TestRedaction:
    SECRETS = ("Ada Lovelace", "12 St James", "ring twice", "pm_card_visa", "tok-1")
    ORDER: dict[str, Any] = {  # noqa: RUF012
        "order_id": "ord_1",
        "delivery": {"name": "Ada Lovelace", "address": "12 St James's Square"},
        "note": "ring twice",
        "payment_method": "pm_card_visa",
        "total": {"amount": 2150, "currency": "EUR"},
    }

    def test_what_is_private_is_hidden_at_any_depth_and_in_json_in_strings(self) -> None:
        values = {":token": {"S": "tok-1"}, ":entered": {"S": "PREPARING"}}
        clean = redacted({"a": [self.ORDER], "input": json.dumps(self.ORDER), "values": values, "taskToken": "tok-1"})
        assert not any(secret in json.dumps(clean) for secret in self.SECRETS)
        assert clean["input"]["delivery"] == HIDDEN
        assert clean["input"]["total"] == {"amount": 2150, "currency": "EUR"}
        assert clean["values"][":entered"] == {"S": "PREPARING"}

    def test_the_page_is_free_of_what_is_private(self) -> None:
        history = History().enter("AuthorizePayment").scheduled("invoke", Payload=self.ORDER)
        history.events[0]["stateEnteredEventDetails"]["input"] = json.dumps(self.ORDER)
        history.add("TaskSucceeded", output=json.dumps({"Payload": self.ORDER}))
        run = execution(history, "RUNNING", given=self.ORDER)
        line = log_line(PLACED, json.dumps({"message": "said", "timestamp": "1970-01-12T13:46:41Z", **self.ORDER}))
        detail = {
            "metadata": {"event_id": "e", "occurred_at": "1970-01-12T13:46:41Z", "order_id": "ord_1"},
            "data": self.ORDER,
        }
        event = bus_event("OrderPlaced", "tiffin.orders", detail)
        assert line and event
        whole = timeline.build(Facts("ord_1", "here", [run], logs=[line], events=[event]))
        shown = page(whole, story.tell(whole, PLACED))
        assert "AuthorizePayment" in shown
        assert not [secret for secret in self.SECRETS if secret in shown]


def test_a_page_shows_what_it_is_given_as_text() -> None:
    history = History().enter("AuthorizePayment").scheduled("invoke")
    history.add("TaskFailed", error="E", cause="<script>alert(1)</script>")
    run = execution(history, "RUNNING", given={})
    whole = timeline.build(Facts("ord_1", "here", [run]))
    assert "<script" not in page(whole, story.tell(whole, PLACED))


def sub(own: str, parent: str, at: float, name: str = "## take", **annotations: str) -> dict[str, Any]:
    return {
        "type": "subsegment", "trace_id": "1-a", "id": own, "parent_id": parent, "name": name, "namespace": "local",
        "start_time": at, "end_time": at + 0.1, "annotations": annotations,
    }  # fmt: skip


def function(own: str, at: float, name: str = "app-PaymentsFunction-ABC123") -> dict[str, Any]:
    return {
        "trace_id": "1-a", "id": own, "name": name, "origin": "AWS::Lambda::Function",
        "start_time": at, "end_time": at + 1,
    }  # fmt: skip


class TestTrees:
    def test_of_a_batch_only_this_orders_part_is_left(self) -> None:
        segments = [
            function("f", 1.0),
            sub("mine", "f", 1.1, order_id="ord_1"),
            sub("call", "mine", 1.15, "step"),
            sub("theirs", "f", 1.2, order_id="ord_2"),
            sub("their-call", "theirs", 1.25, "step"),
            sub("whose", "f", 1.3, "step"),
        ]
        (root,) = timeline.trees(segments, "ord_1")
        assert [span.id for _, span in root.walk()] == ["f", "mine", "call"]

    def test_what_is_under_way_in_a_batch_is_nobodys_until_its_parent_says_whose(self) -> None:
        ahead = [
            sub("mine", "f", 1.1, order_id="ord_1", event_id="ord_1:OrderPlaced"),
            sub("call", "mine", 1.15, "step"),
            sub("their-call", "theirs", 1.25, "step"),
        ]
        (root,) = timeline.trees(ahead, "ord_1")
        assert [span.id for _, span in root.walk()] == ["mine", "call"]

    def test_what_is_under_way_where_no_event_is_consumed_is_shown(self) -> None:
        (root,) = timeline.trees([sub("call", "handler", 1.15, "step")], "ord_1")
        assert root.id == "call"

    def test_a_trace_of_one_order_is_left_whole(self) -> None:
        (root,) = timeline.trees(
            [function("f", 1.0), sub("a", "f", 1.1, order_id="ord_1"), sub("b", "f", 1.2)], "ord_1"
        )
        assert [span.id for _, span in root.walk()] == ["f", "a", "b"]


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        # As the laptop makes them, which cuts the logical id to keep within 64 characters.
        ("tiffin-Promotions-481f71a4-00e-ConsumerFunction-85415C6F31C90", "Promotions/ConsumerFunction"),
        ("tiffin-KitchensService-fc3f3453-000-ConsumerFunctio210876EE97593", "Kitchens/ConsumerFunction"),
        ("tiffin-KitchensService-fc3f3453-000-ConsumerFunctioB10876EE97593", "Kitchens/ConsumerFunction"),
        ("tiffin-EstimatesService-bc62deca-ef7-ConsumerFuncti38BCFD332007F", "Estimates/ConsumerFunction"),
        ("tiffin-EstimatesService-bc62deca-ef7-ApiFunction-38BCFD332007F", "Estimates/ApiFunction"),
        # As AWS makes them, which cuts the stack's part.
        ("tiffin-Orders-1ABCDEFGHIJK2-ApiFunction-9xYzAbCdEfGh", "Orders/ApiFunction"),
        ("my-Shop-tiffin-KitchensService-1ABCDEF-ConsumerFunction-9xYzAbCdEf", "Kitchens/ConsumerFunction"),
        ("tiffin-staging-of-the-shop-Kitchen-ConsumerFunction-9xYzAbCdEfGh", "ConsumerFunction"),
        # Made by nobody's rule.
        ("app-PaymentsFunction-ABC123", "PaymentsFunction"),
        ("somebodys-own-name", "somebodys-own-name"),
    ],
)
def test_a_function_is_shown_with_its_service_though_its_name_was_cut(made: str, shown: str) -> None:
    (root,) = timeline.trees([function("f", 1.0, made), sub("a", "f", 1.1, order_id="ord_1")], "ord_1")
    assert root.name == shown


def test_a_line_stands_beside_the_request_whose_functions_name_was_cut() -> None:
    name = "tiffin-EstimatesService-bc62deca-ef7-ConsumerFuncti38BCFD332007F"
    asked = request("GET /estimates/ord_a", PLACED, 200)
    called = function("f", PLACED, name) | {"trace_id": asked["trace_id"], "parent_id": asked["id"]}
    line = LogLine(PLACED, "estimates", "INFO", "Predicted", asked["trace_id"], {"function_name": name})
    told = order_run(History(), segments=[asked, called], logs=[line])
    assert [step.lines for step in steps(told)] == [[line]]


def test_the_axis_gives_milliseconds_room_beside_hours() -> None:
    def work(at: float) -> timeline.Span:
        return timeline.Span("1-a", str(at), "w", "call", at, at + 0.1)

    axis = Axis([work(0.0), work(7200.0)])
    assert axis.at(0.1) - axis.at(0.0) > 0.3
    assert axis.at(7200.1) == pytest.approx(1.0)
    assert [round(b.seconds) for b in axis.breaks] == [7200]
    assert axis.at(0.0) <= axis.at(0.05) <= axis.at(3600.0) <= axis.at(7200.05)


def test_percentiles_are_values_that_were_measured() -> None:
    assert figures.percentiles([float(n) for n in range(1, 101)]) == {50: 50.0, 90: 90.0, 99: 99.0}
    assert figures.percentiles([7.0]) == {50: 7.0, 90: 7.0, 99: 7.0}


# A trace reads as the order lived, though its moments come from several clocks: nothing stands before its cause.

AHEAD = 0.4
LIVES = [
    ["OrderPlaced", "PaymentAuthorized", "OrderAccepted", "OrderDispatched", "PaymentCaptured", "OrderDelivered"],
    ["OrderPlaced", "PaymentDeclined", "OrderDeclined"],
    ["OrderPlaced", "PromoCodeRedeemed", "PaymentAuthorized", "PaymentReleased", "OrderCancelled", "PromoCodeRestored"],
    ["OrderPlaced", "PaymentAuthorized", "PaymentReleased", "OrderExpired", "PromoCodeIssued"],
]


def order_run(history: History, **more: Any) -> timeline.Timeline:
    return timeline.build(Facts("ord_1", "here", [execution(history)], **more))


def request(name: str, at: float, status: int = 202) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    return {
        "trace_id": f"1-{name}-{at}", "id": name, "name": "api", "origin": "AWS::ApiGateway::Stage",
        "start_time": at, "end_time": at + 0.05,
        "http": {"request": {"method": method, "url": f"https://api.example{path}"}, "response": {"status": status}},
    }  # fmt: skip


def happened(name: str, at: float) -> BusEvent:
    return BusEvent(f"ord_1:{name}", name, "tiffin", at, {})


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life[-1] if life[-1].startswith("Order") else life[-2])
def test_events_stand_in_the_sequence_of_the_orders_life_whatever_their_moments_say(life: list[str]) -> None:
    for moments in permutations([PLACED + AHEAD * n for n in range(len(life))]):
        told = order_run(History(), events=[happened(n, at) for n, at in zip(reversed(life), moments, strict=True)])
        assert [event.name for event in told.events] == life


def test_every_event_has_its_place_in_a_life() -> None:
    assert set(timeline.LIFE) == set(schemas.names())


def names(told: timeline.Timeline) -> list[str]:
    entries = [step.entry for step in steps(told)]
    return [entry.state if isinstance(entry, Visit) else entry.name for entry in entries]


@pytest.mark.parametrize("skew", [-2 * AHEAD, -AHEAD, 0.0, AHEAD, 2 * AHEAD])
def test_a_request_stands_where_its_effect_was_whatever_the_apis_clock_says(skew: float) -> None:
    # States are a second apart; people act in the middle of their state.
    history = History().enter("AuthorizePayment").enter("AwaitRestaurant").enter("AwaitDelivery").enter("Record")
    asked = [
        ("POST /orders", -0.05, 201),
        ("POST /orders/ord_a/accept", 1.5, 202),
        ("POST /orders/ord_a/deliver", 2.5, 202),
    ]
    segments = [request(name, PLACED + at + skew, status) for name, at, status in asked]
    assert names(order_run(history, segments=segments)) == [
        "POST /orders",
        "AuthorizePayment",
        "AwaitRestaurant",
        "POST /orders/…/accept",
        "AwaitDelivery",
        "POST /orders/…/deliver",
        "Record",
    ]


@pytest.mark.parametrize("skew", [-AHEAD, AHEAD])
def test_a_cancel_stands_between_what_it_stopped_and_the_unwinding(skew: float) -> None:
    order = History().enter("AuthorizePayment").enter("AwaitRestaurant")
    unwind = History()
    unwind.events = [dict(event) for event in History().enter("x").enter("x").enter("Record").events[2:]]
    runs = [execution(order, "ABORTED"), execution(unwind, kind="unwind", name="u", given={})]
    told = timeline.build(Facts("ord_1", "here", runs, [request("POST /orders/ord_a/cancel", PLACED + 1.9 + skew)]))
    assert names(told) == ["AuthorizePayment", "AwaitRestaurant", "POST /orders/…/cancel", "Record"]


def test_a_request_without_effect_stands_at_its_moment() -> None:
    history = History().enter("AuthorizePayment").enter("AwaitRestaurant").enter("AwaitDelivery")
    segments = [
        request("POST /orders/ord_a/accept", PLACED + 2.5, 409),
        request("GET /orders/ord_a", PLACED + 0.5, 200),
    ]
    assert names(order_run(history, segments=segments)) == [
        "AuthorizePayment",
        "GET /orders/…",
        "AwaitRestaurant",
        "AwaitDelivery",
        "POST /orders/…/accept",
    ]


def said(at: float, function: str = "app-PaymentsFunction-ABC123") -> LogLine:
    return LogLine(at, "payments", "INFO", "authorized", "1-a", {"function_name": function})


def invoked(history: History, state: str, function: str = "app-PaymentsFunction-ABC123") -> History:
    arn = f"arn:aws:lambda:eu-central-1:123456789012:function:{function}"
    return (
        history.enter(state)
        .scheduled("invoke", FunctionName=arn)
        .add("TaskSucceeded", output="{}")
        .add("TaskStateExited")
    )


@pytest.mark.parametrize("skew", [-3 * AHEAD, -AHEAD, 0.0, AHEAD, 3 * AHEAD])
def test_a_log_line_stands_beside_the_state_that_called_its_function_whatever_its_clock_says(skew: float) -> None:
    history = History().enter("Record")
    invoked(history, "AuthorizePayment").enter("AwaitRestaurant").enter("AwaitDelivery").enter("AwaitDispatch")
    invoked(history, "CapturePayment")
    told = order_run(history, logs=[said(PLACED + 2.1 + skew), said(PLACED + 9.1 + skew)])
    assert {visit.state: len(visit.logs) for visit in told.visits if visit.logs} == {
        "AuthorizePayment": 1,
        "CapturePayment": 1,
    }


def test_a_line_of_a_function_that_no_state_called_stands_beside_none() -> None:
    told = order_run(invoked(History(), "AuthorizePayment"), logs=[said(PLACED + 0.5, "app-ConsumerFunction-ABC123")])
    assert [visit.logs for visit in told.visits] == [[]]


@pytest.mark.parametrize("skew", [-AHEAD, 0.0, AHEAD])
def test_a_line_stands_beside_the_request_that_called_its_function(skew: float) -> None:
    segments = [request("POST /orders", PLACED, 201), request("GET /orders/ord_a", PLACED + 9, 200)]
    function = {
        "id": "f", "name": "app-ApiFunction-ABC123", "origin": "AWS::Lambda::Function",
        "start_time": PLACED, "end_time": PLACED + 0.1,
    }  # fmt: skip
    calls = [function | {"trace_id": s["trace_id"], "parent_id": s["id"]} for s in segments]
    line = LogLine(
        PLACED + skew, "orders", "INFO", "Order placed", segments[0]["trace_id"], {"function_name": function["name"]}
    )
    told = order_run(History(), segments=[*segments, *calls], logs=[line])
    beside = {step.entry.name: step.lines for step in steps(told) if isinstance(step.entry, timeline.Span)}
    assert beside == {"POST /orders": [line], "GET /orders/…": []}


def test_nothing_takes_less_than_no_time() -> None:
    """With the API's clock ahead, a status is entered before the order was placed, by what the clocks say."""
    history = History()
    for event in (
        history.enter("Record")
        .scheduled("updateItem", ExpressionAttributeValues={":entered": {"S": "DECLINED"}})
        .add("TaskSucceeded", output="{}")
        .events
    ):
        event["timestamp"] -= 3
    heard = {
        "trace_id": "1-c", "id": "c", "name": "## take", "start_time": PLACED - AHEAD, "end_time": PLACED,
        "annotations": {"order_id": "ord_1", "event_id": "ord_1:OrderDeclined", "Service": "promotions"},
    }  # fmt: skip
    told = order_run(history, segments=[heard], events=[happened("OrderDeclined", PLACED)])
    assert [c.delay for event in told.events for c in event.consumers] == [0.0]
    assert figures.statuses([told]) == {"DECLINED": [0.0]}
    assert figures.delays([told]) == {("OrderDeclined", "promotions"): [0.0]}
    assert story.tell(told, PLACED).sentence.endswith(" 0 ms after placing")


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_that_is_narrow_shows_the_figures_too(width: int) -> None:
    request_ = request("POST /orders", PLACED, 201)
    called = function("f", PLACED, "tiffin-Notifications-481f71a4-00e-ConsumerFunction-85415C6F31C90")
    told = order_run(History(), segments=[request_, called | {"trace_id": request_["trace_id"]}])
    out = io.StringIO()
    text.show(Console(file=out, width=width), told, story.tell(told, PLACED))
    (line,) = [line for line in out.getvalue().splitlines() if line.startswith("POST /orders ")]
    assert [cell.strip() for cell in line.split("│")[2:]] == ["50 ms", "201"]


def test_a_workflow_whose_definition_is_none_is_told_all_the_same() -> None:
    """The laptop made such ones once, and its record has them."""
    described = {
        "executionArn": "arn",
        "name": "ord_1",
        "status": "FAILED",
        "startDate": PLACED,
        "stopDate": PLACED + 1,
    }
    history = History().enter("AuthorizePayment").events
    whole = timeline.build(Facts("ord_1", "here", [read_execution("order", described, '{"States": {},}', history)]))
    assert "The life of the order" in page(whole, story.tell(whole, PLACED))


def test_traces_that_xray_does_not_find_are_told_with_the_reason() -> None:
    """A log line names its trace, whether X-Ray has indexed it or not."""

    def shown(*segments: dict[str, Any]) -> str:
        run = execution(History().enter("AuthorizePayment"), "RUNNING", given={})
        lines = [log_line(PLACED, json.dumps({"message": "said", "xray_trace_id": trace})) for trace in ("1-a", "1-b")]
        logs = [line for line in lines if line]
        told = timeline.build(Facts("ord_1", "here", [run], segments=list(segments), logs=logs))
        console = Console(width=140, record=True, file=io.StringIO())
        text.show(console, told, story.tell(told, PLACED))
        return console.export_text()

    found = function("f", PLACED)
    assert "2 of the traces" in shown()
    assert "1 of the traces" in shown(found)
    assert "of the traces" not in shown(found, found | {"trace_id": "1-b", "id": "g"})


def test_what_a_consumer_heard_several_times_is_told_once_and_counted() -> None:
    def taken(number: int, service: str, outcome: str = "consumed") -> dict[str, Any]:
        return {
            "trace_id": f"1-{number}", "id": "c", "name": "## take", "start_time": PLACED + number,
            "end_time": PLACED + number + 0.1,
            "annotations": {
                "order_id": "ord_1", "event_id": "ord_1:OrderPlaced", "Service": service, "outcome": outcome,
            },
        }  # fmt: skip

    segments = [
        taken(1, "kitchens", "to-be-retried"),
        taken(2, "promotions"),
        taken(3, "kitchens"),
        taken(60, "kitchens"),
        taken(63, "kitchens"),
        taken(66, "kitchens"),
        taken(70, "promotions"),
    ]
    told = order_run(History(), segments=segments, events=[happened("OrderPlaced", PLACED)])
    out = io.StringIO()
    text.show(Console(file=out, width=200), told, story.tell(told, PLACED))
    heard = [
        "kitchens 1.0 s later (to-be-retried)",
        "promotions 2.0 s later (again once)",
        "kitchens 3.0 s later (again 3 times)",
    ]
    assert ", ".join(heard) in out.getvalue()
    whole = page(told, story.tell(told, PLACED))
    assert 'kitchens, 1.0 s later <span class="warns">to-be-retried</span><br>' in whole
    assert "promotions, 2.0 s later, again once<br>kitchens, 3.0 s later, again 3 times</td>" in whole
    assert len(told.events[0].consumers) == 7
