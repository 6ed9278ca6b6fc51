"""Every order ends well: the three hours, the restaurant's silence, cancellation, unwinding and reconciling."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from contracts import schemas
from laptop import BusTap, Stack
from laptop.client import Client, NotThere, Refused
from payments.sandbox import Balance
from worlds.polling import eventually
from worlds.stack import balance, execution_arn, let_time_pass, names_on_bus, row, sweep

GIVEN_BACK = Balance(held=2150, captured=0, voided=2150)
# By the clock of the workflows, in seconds: what an order has until it is delivered, and a restaurant to answer.
THREE_HOURS, SILENCE = 10_800, 900


def unwinds(stack: Stack, order_id: str) -> list[dict[str, Any]]:
    """The executions of the unwind workflow that were about an order."""
    client, arn = stack.client("stepfunctions"), stack.outputs["UnwindWorkflowArn"]
    found = client.list_executions(stateMachineArn=arn)["executions"]
    described = [client.describe_execution(executionArn=e["executionArn"]) for e in found]
    return [e for e in described if json.loads(e["input"])["detail"]["name"] == order_id]


@pytest.mark.laptop("clock")
class TestThreeHours:
    def test_an_undelivered_order_expires_is_refunded_and_apologised_for(
        self, fast_stack: Stack, fast_tap: BusTap, fast: Client, customer: str
    ) -> None:
        order_id = fast.place(customer=customer)["order_id"]
        fast.until(order_id, "AWAITING_RESTAURANT")
        fast.move(order_id, "accept")
        expired = fast.until(order_id, "EXPIRED", seconds=60, besides=fast_stack.clock.real_seconds(THREE_HOURS))
        assert expired["reason"]["code"] == "not_delivered_in_time"
        assert expired["payment"]["status"] == "RELEASED"
        assert balance(fast_stack, order_id) == GIVEN_BACK
        assert "OrderExpired" in names_on_bus(fast_tap, order_id, "OrderExpired", "PaymentReleased", "PromoCodeIssued")
        assert [c["reason"] for c in fast.promo_codes(customer)] == ["apology"]

        execution = fast_stack.client("stepfunctions").describe_execution(
            executionArn=execution_arn(fast_stack, order_id)
        )
        assert execution["status"] == "TIMED_OUT"
        assert "error" not in execution
        # Late is late: a move changes nothing any more, and says so to whose order it is; for a courier there is none.
        with pytest.raises(Refused) as refusal:
            fast.move(order_id, "accept")
        assert refusal.value.problem["order_status"] == "EXPIRED"
        with pytest.raises(Refused) as refusal:
            fast.move(order_id, "dispatch")
        assert refusal.value.problem["type"].endswith("/unknown-order")
        assert fast.order(order_id) == expired

    def test_a_silent_restaurant_rejects_the_order(
        self, fast_stack: Stack, fast_tap: BusTap, fast: Client, customer: str
    ) -> None:
        order_id = fast.place(customer=customer)["order_id"]
        rejected = fast.until(order_id, "REJECTED", besides=fast_stack.clock.real_seconds(SILENCE))
        assert rejected["reason"]["code"] == "restaurant_silent"
        assert balance(fast_stack, order_id) == GIVEN_BACK
        assert "OrderAccepted" not in names_on_bus(fast_tap, order_id, "OrderRejected")

    def test_an_acceptance_in_the_very_last_moment_counts(self, fast_stack: Stack, fast: Client, customer: str) -> None:
        # The claim is what counts. Here its callback is lost, as when the API dies between the two: the workflow runs
        # into its 15 minutes, wants to claim the restaurant's silence, and finds that the restaurant spoke.
        order_id = fast.place(customer=customer)["order_id"]
        fast.until(order_id, "AWAITING_RESTAURANT")
        fast_stack.client("dynamodb").update_item(
            TableName=fast_stack.outputs["OrdersTableName"],
            Key={"order_id": {"S": order_id}},
            UpdateExpression="SET claims.AWAITING_RESTAURANT = :c",
            ConditionExpression="attribute_not_exists(claims.AWAITING_RESTAURANT)",
            ExpressionAttributeValues={":c": {"M": {"move": {"S": "accept"}, "at": {"S": "2026-05-04T18:30:00.000Z"}}}},
        )
        prepared = fast.until(order_id, "PREPARING", besides=fast_stack.clock.real_seconds(SILENCE))
        assert prepared["payment"]["status"] == "AUTHORIZED"


@pytest.mark.laptop("fault")
class TestUnwinding:
    def test_the_same_status_event_ten_times_has_one_effect(
        self, stack: Stack, tap: BusTap, client: Client, customer: str
    ) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")
        states = stack.client("stepfunctions")
        states.stop_execution(executionArn=execution_arn(stack, order_id), error="Test", cause="Stopped by a test")
        event = json.dumps({"detail": {"name": order_id, "status": "ABORTED"}})

        def again(_: int) -> None:
            states.start_execution(stateMachineArn=stack.outputs["UnwindWorkflowArn"], input=event)

        with ThreadPoolExecutor(9) as pool:
            list(pool.map(again, range(9)))
        failed = client.until(order_id, "FAILED")

        def all_done() -> bool:
            runs = unwinds(stack, order_id)
            return len(runs) == 10 and {run["status"] for run in runs} == {"SUCCEEDED"}

        assert eventually(all_done, what="ten unwinds")
        assert client.order(order_id) == failed
        assert balance(stack, order_id) == GIVEN_BACK
        for name in ("OrderFailed", "PaymentReleased"):
            tap.wait_for_event(name, order_id)
        ends = [
            e
            for e in tap.events
            if e["detail-type"] == "OrderFailed" and e["detail"]["metadata"]["order_id"] == order_id
        ]
        # Announced at least once; whoever hears it again knows it by its id.
        assert {e["detail"]["metadata"]["event_id"] for e in ends} == {f"{order_id}:OrderFailed"}
        released = [
            e
            for e in tap.events
            if e["detail-type"] == "PaymentReleased" and e["detail"]["metadata"]["order_id"] == order_id
        ]
        assert len(released) == 1

    def test_an_order_that_ended_stays_as_it_is(self, stack: Stack, client: Client, customer: str) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.deliver(order_id)
        delivered = eventually(lambda: closed(stack, order_id) and client.order(order_id), what="closing")
        stack.client("stepfunctions").start_execution(
            stateMachineArn=stack.outputs["UnwindWorkflowArn"],
            input=json.dumps({"detail": {"name": order_id, "status": "TIMED_OUT"}}),
        )
        assert eventually(
            lambda: [u for u in unwinds(stack, order_id) if u["status"] == "SUCCEEDED"], what="the unwind"
        )
        assert client.order(order_id) == delivered
        assert balance(stack, order_id) == Balance(held=2150, captured=2150, voided=0)

    def test_captured_money_means_delivered_even_if_the_workflow_died_in_between(
        self, stack: Stack, tap: BusTap, client: Client, customer: str
    ) -> None:
        # Past the point of no return the only way is forward: capture as the workflow would, then let it die.
        order_id = client.place(customer=customer)["order_id"]
        for status, move in (("AWAITING_RESTAURANT", "accept"), ("PREPARING", "dispatch")):
            client.until(order_id, status)
            client.move(order_id, move)
        order = client.until(order_id, "OUT_FOR_DELIVERY")
        function = stack.outputs["PaymentsFunctionArn"]
        request = {
            "operation": "capture",
            "order_id": order_id,
            "trace_header": "Root=1-00000000-000000000000000000000000",
        }
        answer = stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps(request))
        assert json.load(answer["Payload"]) == {"status": "CAPTURED"}
        stack.client("stepfunctions").stop_execution(executionArn=execution_arn(stack, order_id))
        delivered = client.until(order_id, "DELIVERED")
        assert delivered["payment"]["status"] == "CAPTURED"
        assert delivered["timeline"][:4] == order["timeline"]
        assert balance(stack, order_id) == Balance(held=2150, captured=2150, voided=0)
        event = tap.wait_for(
            lambda e: (e["detail-type"], e["detail"]["metadata"]["order_id"]) == ("OrderDelivered", order_id)
        )
        schemas.validate(event)

    @pytest.mark.parametrize(
        ("end", "lost"), [("DELIVERED", "OrderDelivered"), ("DECLINED", "OrderDeclined"), ("REJECTED", "OrderRejected")]
    )
    def test_an_end_whose_announcement_was_lost_is_announced(
        self, stack: Stack, tap: BusTap, client: Client, customer: str, end: str, lost: str
    ) -> None:
        method = "pm_card_mastercard_chargeDeclinedInsufficientFunds" if end == "DECLINED" else "pm_card_visa"
        order_id = client.place(customer=customer, payment_method=method, key=f"{customer}-{end}")["order_id"]
        if end == "DELIVERED":
            client.deliver(order_id)
        elif end == "REJECTED":
            client.until(order_id, "AWAITING_RESTAURANT")
            client.move(order_id, "reject")
        client.until(order_id, end)
        first = tap.wait_for(lambda e: (e["detail-type"], e["detail"]["metadata"]["order_id"]) == (lost, order_id))
        eventually(lambda: closed(stack, order_id), what="closing")
        # As if it had died before announcing: the order is open again, and the reconciler finds it due.
        reopen(stack, order_id)
        sweep(stack)

        def said_again() -> list[dict[str, Any]] | None:
            said = [e for e in tap.events if e["detail"]["metadata"]["event_id"] == f"{order_id}:{lost}"]
            return said if len(said) >= 2 else None

        for event in eventually(said_again, what="announcing it again"):
            schemas.validate(event)
            assert event["detail"]["data"] == first["detail"]["data"]


@pytest.mark.laptop("fault")
class TestReconciling:
    def test_a_placed_order_without_an_execution_is_started(self, stack: Stack, client: Client, customer: str) -> None:
        # A row as the API leaves it if it dies before StartExecution.
        order_id = client.place(customer=customer)["order_id"]
        twin = order_id[:-4] + "twin"
        left = row(stack, order_id)
        for attribute in ("task_token", "payment", "reason"):
            left.pop(attribute, None)
        left |= {
            "order_id": {"S": twin},
            "status": {"S": "PLACED"},
            "claims": {"M": {}},
            "timeline": {"M": {"PLACED": left["placed_at"]}},
            "payment": {"M": {"status": {"S": "PENDING"}}},
            "open_shard": {"S": "open-3"},
            "check_at": {"S": "2026-01-01T00:00:00.000Z"},
        }
        stack.client("dynamodb").put_item(TableName=stack.outputs["OrdersTableName"], Item=left)
        sweep(stack)
        client.until(twin, "AWAITING_RESTAURANT")
        client.deliver(twin)

    def test_an_order_whose_status_event_was_lost_is_unwound(self, stack: Stack, client: Client, customer: str) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")
        with muted_deaths(stack):
            stack.client("stepfunctions").stop_execution(executionArn=execution_arn(stack, order_id))
        with pytest.raises(NotThere):
            client.until(order_id, "FAILED", seconds=1.0)
        let_time_pass(stack, order_id)
        be_swept(stack)
        client.until(order_id, "EXPIRED")
        assert balance(stack, order_id) == GIVEN_BACK


def closed(stack: Stack, order_id: str) -> bool:
    return "open_shard" not in row(stack, order_id)


def reopen(stack: Stack, order_id: str) -> None:
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["OrdersTableName"],
        Key={"order_id": {"S": order_id}},
        UpdateExpression="SET open_shard = :shard, check_at = :past",
        ExpressionAttributeValues={":shard": {"S": "open-0"}, ":past": {"S": "2026-01-01T00:00:00.000Z"}},
    )


def be_swept(stack: Stack) -> None:
    """Let the reconciler's own schedule call it, by its role, at once rather than within the minute."""
    scheduler = stack.client("scheduler")
    (each_minute,) = (one for one in scheduler.list_schedules()["Schedules"] if "ReconcilerFunction" in one["Name"])
    scheduler.create_schedule(
        Name=f"at-once-{uuid.uuid4()}",
        ScheduleExpression="at(2026-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=scheduler.get_schedule(Name=each_minute["Name"])["Target"],
        ActionAfterCompletion="DELETE",
    )


class muted_deaths:  # noqa: N801 - read as a statement: with muted_deaths(stack)
    """The rule that starts the unwind, switched off: status events are best effort."""

    def __init__(self, stack: Stack) -> None:
        self._events = stack.client("events")
        rules = self._events.list_rules()["Rules"]
        [self._rule] = [r["Name"] for r in rules if "aws.states" in r.get("EventPattern", "")]

    def __enter__(self) -> None:
        self._events.disable_rule(Name=self._rule)

    def __exit__(self, *_: object) -> None:
        self._events.enable_rule(Name=self._rule)
