"""The order as a durable function (`examples/durable`), deployed beside a Tiffin: its template, on the emulator.

What can happen to such an order is told by `tests/unit/test_durable_order.py`; here are the parts that it leaves out:
permissions, the API in front, versions, the bus, and how Lambda tells of a death.
"""

from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from contracts import schemas
from lab import durable
from lab.cases import DECLINED_CARD
from lab.ways import DURABLE
from laptop import BusTap, Stack
from laptop.client import Client, Refused
from worlds.beside import beside
from worlds.durable import A_LIFE
from worlds.ends import GIVEN_BACK, TAKEN
from worlds.polling import eventually
from worlds.stack import balance, row

pytestmark = pytest.mark.laptop("own")

# Three hours of five seconds, on a quiet machine.
FAST = 2160
ANSWERED = 240


@pytest.fixture(scope="module")
def example(stack: Stack) -> Iterator[Any]:
    """The example, as far as a deployed stack is asked for it."""
    with beside(stack, DURABLE) as outputs:
        yield SimpleNamespace(client=stack.client, outputs=outputs)


@pytest.fixture(scope="module")
def tap(stack: Stack, example: Any) -> BusTap:
    return stack.tap(example.outputs["EventBusName"])


@pytest.fixture
def client(stack: Stack, example: Any, tap: BusTap) -> Iterator[Client]:
    with closing(Client(example.outputs, stack.people)) as calls:
        yield calls


@pytest.fixture
def fast(stack: Stack) -> Iterator[None]:
    """A clock that this machine can follow now."""
    rate = stack.clock.rate
    stack.keep_pace(FAST)
    yield
    stack.keep_pace(rate)


def execution(stack: Stack, example: Any, order_id: str) -> str:
    return durable.execution_arn(stack, example.outputs["OrderFunctionName"], order_id)


def status(stack: Stack, arn: str) -> str:
    return str(stack.client("lambda").get_durable_execution(DurableExecutionArn=arn)["Status"])


def must_succeed(stack: Stack, arn: str) -> None:
    eventually(lambda: status(stack, arn) == "SUCCEEDED", what="the end of the execution")


def closed(example: Any, order_id: str) -> dict[str, Any]:
    """An order's row, once nothing is owed to it any more."""
    return eventually(lambda: found if "open_shard" not in (found := row(example, order_id)) else None)


def test_a_delivered_order_its_history_and_what_it_is_billed_for(
    stack: Stack, example: Any, client: Client, tap: BusTap, customer: str
) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.deliver(order_id)
    closed(example, order_id)

    assert balance(example, order_id) == TAKEN
    for name in ("OrderPlaced", "OrderAccepted", "OrderDispatched", "OrderDelivered", "PaymentCaptured"):
        schemas.validate(tap.wait_for_event(name, order_id))
    arn = execution(stack, example, order_id)
    must_succeed(stack, arn)
    events = durable.history(stack, arn)
    assert [event["Name"] for event in events if event["EventType"] == "StepSucceeded"] == A_LIFE
    took = durable.taken(events)
    assert (took.operations, took.invocations) == (15, 4)
    assert 500 < took.written < 4096
    # Nothing personal stays in Lambda's history.
    assert "Lovelace" not in str(events)


def test_a_declined_a_rejected_and_a_cancelled_order_end_by_themselves(
    stack: Stack, example: Any, client: Client, tap: BusTap, customer: str
) -> None:
    declined = client.place(customer=customer, payment_method=DECLINED_CARD)["order_id"]
    rejected, cancelled = (client.place(customer=customer)["order_id"] for _ in range(2))
    for order_id, move in ((rejected, "reject"), (cancelled, "cancel")):
        client.until(order_id, "AWAITING_RESTAURANT")
        client.move(order_id, move)
    for order_id, end in ((declined, "DECLINED"), (rejected, "REJECTED"), (cancelled, "CANCELLED")):
        client.until(order_id, end)
        closed(example, order_id)
        schemas.validate(tap.wait_for_event(f"Order{end.capitalize()}", order_id))
        must_succeed(stack, execution(stack, example, order_id))
    assert [balance(example, order_id) for order_id in (rejected, cancelled)] == [GIVEN_BACK] * 2
    # And again, too late: nothing changes, and it is said.
    before = row(example, cancelled)
    for move in ("cancel", "accept"):
        with pytest.raises(Refused, match="illegal-move"):
            client.move(cancelled, move)
    assert row(example, cancelled) == before


def test_a_silent_restaurant_and_three_hours_that_run_out(
    stack: Stack, example: Any, client: Client, tap: BusTap, customer: str, fast: None
) -> None:
    silent = client.place(customer=customer)["order_id"]
    assert client.until(silent, "REJECTED")["reason"]["code"] == "restaurant_silent"
    # What is to be answered in its fifteen minutes needs more than half a second for them.
    stack.keep_pace(ANSWERED)
    late = client.place(customer=customer)["order_id"]
    client.until(late, "AWAITING_RESTAURANT")
    client.move(late, "accept")
    client.until(late, "EXPIRED", besides=stack.clock.real_seconds(3 * 60 * 60))
    for order_id in (silent, late):
        closed(example, order_id)
        assert balance(example, order_id) == GIVEN_BACK
    assert status(stack, execution(stack, example, late)) == "TIMED_OUT"
    schemas.validate(tap.wait_for_event("OrderExpired", late))


def test_an_execution_that_somebody_stops_is_unwound(
    stack: Stack, example: Any, client: Client, tap: BusTap, customer: str
) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.until(order_id, "AWAITING_RESTAURANT")
    arn = execution(stack, example, order_id)
    stack.client("lambda").stop_durable_execution(DurableExecutionArn=arn)
    assert client.until(order_id, "FAILED")["reason"]["code"] == "workflow_failed"
    closed(example, order_id)
    assert balance(example, order_id) == GIVEN_BACK
    schemas.validate(tap.wait_for_event("OrderFailed", order_id))


def test_an_order_stays_with_the_version_it_began_with_and_the_next_has_the_new_one(
    stack: Stack, example: Any, client: Client, customer: str
) -> None:
    """The new one is broken from its first line on, and back it goes by the alias."""
    functions, name = stack.client("lambda"), example.outputs["OrderFunctionName"]
    before = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    waits = client.place(customer=customer)["order_id"]
    client.until(waits, "AWAITING_RESTAURANT")
    functions.update_function_configuration(FunctionName=name, Handler="durable.no_such_module.handler")
    eventually(lambda: functions.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful")
    broken = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=broken)

    try:
        stuck = client.place(customer=customer)["order_id"]
        client.deliver(waits)
        assert client.order(stuck)["status"] == "PLACED"
    finally:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=before)

    assert balance(example, waits) == TAKEN
    # What began with the broken version is called again and again, and stays with it; somebody has to stop it.
    stack.client("lambda").stop_durable_execution(DurableExecutionArn=execution(stack, example, stuck))
    client.until(stuck, "FAILED")
    closed(example, stuck)
    assert balance(example, stuck).open == 0
