"""What AWS would charge for, and what DynamoDB is asked: counted by the emulator while orders live."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lab import costing
from lab.costing import End, Meter
from lab.metered import Counts, parse
from laptop import Stack
from laptop.client import Client

pytestmark = pytest.mark.laptop("inside")

DELIVERED = next(end for end in costing.ENDS if end.name == "delivered")
CANCELLED = next(end for end in costing.ENDS if end.name == "cancelled")


@pytest.fixture(scope="module")
def meter(stack: Stack, meter_file: Path) -> Iterator[Meter]:
    with closing(Meter(stack, meter_file)) as running:
        yield running


@pytest.fixture(scope="module")
def delivered(meter: Meter) -> Counts:
    return counted(meter, DELIVERED, "metered-ada")


def counted(meter: Meter, end: End, customer: str) -> Counts:
    meter.stack.people.token(customer)
    return meter.measure(1, lambda: costing.one(meter, end, customer, None))


def test_a_delivered_order_enters_thirteen_states(delivered: Counts) -> None:
    assert sum(delivered.transitions.values()) == 13
    assert set(delivered.transitions.values()) == {1}


def test_a_cancelled_order_is_counted_with_its_unwind(meter: Meter) -> None:
    entered = counted(meter, CANCELLED, "metered-barbara").transitions
    assert entered["AwaitRestaurant"] == entered["Begin"] == entered["Close"] == 1
    assert sum(entered.values()) == 13


def test_requests_and_events_are_the_order_s_own(delivered: Counts) -> None:
    # Placed, accepted, dispatched, delivered; the meter leaves out whoever looks on from outside.
    assert delivered.requests == 4
    assert delivered.invocations["Orders/ApiFunction"] == 4
    # It is its customer's first, so that there is a promo code.
    assert delivered.events == Counter(
        [
            *("OrderPlaced", "PaymentAuthorized", "OrderAccepted", "OrderDispatched"),
            *("PaymentCaptured", "OrderDelivered", "PromoCodeIssued"),
        ]
    )
    assert delivered.traces >= 1
    assert delivered.lines > 1000


def test_each_turn_moves_the_order_from_one_partition_of_its_status_to_the_next(delivered: Counts) -> None:
    by_status = {
        kind: units
        for (table, index, kind), units in delivered.partitions.items()
        if (table, index) == ("Orders/OrdersTable", "orders-by-status")
    }
    assert set(by_status) == {"PLACED", "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED"}
    # Put there and taken from there, and whatever changes of it between.
    assert min(by_status["PREPARING"], by_status["OUT_FOR_DELIVERY"]) >= 2
    assert sum(by_status.values()) == delivered.writes["Orders/OrdersTable", "orders-by-status"]


def test_nothing_that_runs_reads_a_whole_table(
    meter: Meter, meter_file: Path, client: Client, delivered: Counts
) -> None:
    """Whatever ran on this stack so far, in all tests, and every list that people ask for."""
    assert delivered.calls
    client.orders("metered-ada")
    client.restaurants()
    client.menu("r-bella-napoli")
    client.promo_codes("metered-ada")
    client.work("kitchen")
    for query in ({"of": "courier", "which": "ready"}, {"of": "courier", "which": "mine"}, {"of": "support"}):
        client.work(**query)
    client.work("support", status="DELIVERED")
    (reconciler,) = [name for name, path in meter.names.paths.items() if path == "Orders/ReconcilerFunction"]
    meter.stack.client("lambda").invoke(FunctionName=reconciler, Payload=b"{}")
    calls = [line for line in parse(meter_file.read_text("utf-8")) if line["what"] == "call"]
    asked = Counter(line["operation"] for line in calls)
    assert asked["Query"] >= 12
    assert {line["index"] for line in calls if line["operation"] == "Query"} >= {
        "open-orders",
        "orders-of-customer",
        "orders-of-restaurant",
        "orders-by-status",
    }
    reads = {"GetItem", "BatchGetItem", "Query"}
    assert asked.keys() <= reads | {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}
    # A row is charged for whichever way it is read.
    assert {line["operation"] for line in parse(meter_file.read_text("utf-8")) if line["what"] == "read"} == reads
