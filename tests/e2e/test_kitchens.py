"""The kitchens' figures say what was really delivered, catch up with what they missed, and can be made anew.

Each test opens a restaurant of its own, so that nobody else's orders are in its figures.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kitchens.model import Figures
from laptop import BusTap, Stack, menus
from laptop.client import Client
from laptop.pace import patience
from operations import dead_letters, kitchens
from operations.deployed import Deployed
from operations.replaying import Replayer
from operations.streams import CannotReread, Rereader
from worlds import feed
from worlds.menus import MENU, a_file, a_menu
from worlds.polling import eventually
from worlds.promotions import order

pytestmark = pytest.mark.laptop("all")

DISH = MENU["dishes"][0]["dish_id"]
Minutes = dict[datetime, Figures]


@pytest.fixture
def deployed(stack: Stack) -> Deployed:
    return Deployed(stack.client, stack.outputs)


@pytest.fixture
def restaurant(stack: Stack) -> Iterator[str]:
    """Orders can be placed there by whoever knows of it, which is this test alone; its id."""
    own = f"r-{uuid.uuid4()}"
    menus.serve(stack, f"{own}.json", a_file(a_menu(restaurant_id=own)))
    menus.unlist(stack, own)
    yield own
    menus.remove(stack, own)


@pytest.fixture
def deliver(client: Client, customer: str, restaurant: str) -> Callable[[], str]:
    """Has an order of the restaurant's delivered; its id."""

    def delivered() -> str:
        placed = client.place(customer=customer, restaurant_id=restaurant, lines={DISH: 2})
        client.deliver(placed["order_id"])
        return str(placed["order_id"])

    return delivered


def figures(deployed: Deployed, restaurant: str) -> Minutes:
    now = datetime.now(UTC)
    found = kitchens.read(deployed, now - timedelta(hours=3), now + timedelta(minutes=1))
    return {when: did for name, when, did in found if name == restaurant}


def total(minutes: Minutes) -> Figures:
    return sum(minutes.values(), Figures())


def announced(tap: BusTap, *order_ids: str) -> Minutes:
    """What the figures must be, by the events that were on the bus."""
    counts: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def at(name: str, order_id: str) -> datetime:
        event = tap.wait_for_event(name, order_id)
        return datetime.fromisoformat(event["detail"]["metadata"]["occurred_at"])

    for order_id in order_ids:
        placed, accepted, left = (at(f"Order{what}", order_id) for what in ("Placed", "Accepted", "Dispatched"))
        for what, when in (("placed", placed), ("accepted", accepted), ("dispatched", left)):
            counts[when.replace(second=0, microsecond=0)][what] += 1
        took = round((left - accepted).total_seconds() * 1000)
        minute = counts[left.replace(second=0, microsecond=0)]
        minute["prepared"] += 1
        minute["preparation_ms"] += took
        minute["slowest_ms"] = max(minute["slowest_ms"], took)
    return {when: Figures(**counted) for when, counted in counts.items()}


def become(deployed: Deployed, restaurant: str, expected: Minutes, what: str) -> None:
    eventually(lambda: total(figures(deployed, restaurant)) == total(expected), 60, what)
    assert figures(deployed, restaurant) == expected


@contextmanager
def table_denied(stack: Stack) -> Iterator[None]:
    """The function's role may not write into its table."""
    functions, iam = stack.client("lambda"), stack.client("iam")
    role = functions.get_function_configuration(FunctionName=stack.outputs["KitchensFunctionName"])["Role"]
    which: dict[str, Any] = {"RoleName": role.rpartition("/")[2], "PolicyName": "denied"}
    denial = {"Effect": "Deny", "Action": "dynamodb:UpdateItem", "Resource": "*"}
    iam.put_role_policy(**which, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    try:
        yield
    finally:
        iam.delete_role_policy(**which)


def mapping(stack: Stack) -> str:
    found = stack.client("lambda").list_event_source_mappings(FunctionName=stack.outputs["KitchensFunctionName"])
    [one] = found["EventSourceMappings"]
    return str(one["UUID"])


def put(stack: Stack, data: bytes, key: str) -> None:
    stack.client("kinesis").put_record(StreamName=stack.outputs["KitchensStreamName"], PartitionKey=key, Data=data)


def test_the_figures_are_those_of_the_orders_that_were_really_delivered(
    stack: Stack, tap: BusTap, deployed: Deployed, restaurant: str, deliver: Callable[[], str]
) -> None:
    orders = [deliver() for _ in range(3)]
    expected = announced(tap, *orders)
    assert (total(expected).placed, total(expected).dispatched, total(expected).prepared) == (3, 3, 3)
    become(deployed, restaurant, expected, "the figures")

    mine = kitchens.by_restaurant(kitchens.read(deployed, datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC)))
    assert mine[restaurant] == total(expected)


def test_events_that_come_twice_and_from_the_archive_count_once(
    stack: Stack, tap: BusTap, deployed: Deployed, restaurant: str, deliver: Callable[[], str]
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    expected = announced(tap, order_id := deliver())
    become(deployed, restaurant, expected, "the figures")
    for event in [e for e in tap.events if e["detail"]["metadata"]["order_id"] == order_id]:
        put(stack, json.dumps(event | {"id": "another"}).encode(), restaurant)
    replayer = Replayer(deployed, patience=patience(60))
    replayer.between("kitchens", began, datetime.now(UTC) + timedelta(seconds=2))
    assert replayer.order("kitchens", order_id) == 3

    # Behind all of that in the stream: once it is counted, they were taken.
    later = announced(tap, order_id, deliver())
    become(deployed, restaurant, later, "the figures after the copies")


def test_while_the_table_is_denied_orders_go_on_and_the_figures_catch_up(
    stack: Stack, tap: BusTap, deployed: Deployed, restaurant: str, deliver: Callable[[], str]
) -> None:
    with table_denied(stack):
        orders = [deliver() for _ in range(2)]
        assert figures(deployed, restaurant) == {}
    become(deployed, restaurant, announced(tap, *orders), "catching up")


def test_poison_is_set_aside_with_its_reason_and_holds_up_nobody(
    stack: Stack, tap: BusTap, deployed: Deployed, restaurant: str, deliver: Callable[[], str]
) -> None:
    broken = feed.event("OrderPlaced", order(777), restaurant_id=restaurant)
    del broken["detail"]["metadata"]["occurred_at"]
    put(stack, json.dumps(broken).encode(), restaurant)
    become(deployed, restaurant, announced(tap, deliver()), "the figures behind the poison")

    [letter] = [one for one in dead_letters.redrive(deployed, "kitchens") if one.order_id == order(777)]
    assert letter.reason == "NotAnEvent: detail.metadata.occurred_at: Field required"

    # Mended, it goes back into the stream, and counts.
    mended = feed.event("OrderPlaced", order(777), restaurant_id=restaurant)
    mended["detail"]["metadata"]["occurred_at"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
    dead_letters.redrive(deployed, "kitchens", letter.message_id, json.dumps(mended), send=True)
    eventually(lambda: total(figures(deployed, restaurant)).placed == 2, what="counting what was sent back")


def test_a_stretch_that_was_given_up_is_read_again_from_where_it_was_given_up(
    stack: Stack, tap: BusTap, deployed: Deployed, restaurant: str, deliver: Callable[[], str]
) -> None:
    functions, which = stack.client("lambda"), mapping(stack)
    before = functions.get_event_source_mapping(UUID=which)["MaximumRetryAttempts"]
    functions.update_event_source_mapping(UUID=which, MaximumRetryAttempts=1)
    try:
        with table_denied(stack):
            order_id = deliver()
            expected = announced(tap, order_id)
            # Each of its three events by itself, as batches are bisected.
            eventually(lambda: len(given_up(deployed)) >= 3, 60, "giving up")
    finally:
        functions.update_event_source_mapping(UUID=which, MaximumRetryAttempts=before)
    letters = given_up(deployed)
    assert {letter.reason for letter in letters} == {
        "not counted: a stretch of the kitchens' stream, from a position on"
    }
    assert figures(deployed, restaurant) == {}

    told = [json.loads(letter.body)["KinesisBatchInfo"] for letter in letters]
    first = min(datetime.fromisoformat(one["approximateArrivalOfFirstRecord"]) for one in told)
    assert Rereader(deployed).since(first) >= 3
    assert figures(deployed, restaurant) == expected
    for letter in letters:
        stack.client("sqs").delete_message(
            QueueUrl=stack.outputs["KitchensPositionsDeadLetterQueueUrl"], ReceiptHandle=letter.handle
        )


def given_up(deployed: Deployed) -> list[dead_letters.Letter]:
    return dead_letters.redrive(deployed, "kitchens-positions")


def test_figures_that_were_deleted_are_made_anew_from_the_stream(
    stack: Stack, tap: BusTap, deployed: Deployed, restaurant: str, deliver: Callable[[], str]
) -> None:
    began = datetime.now(UTC)
    orders = [deliver() for _ in range(2)]
    expected = announced(tap, *orders)
    become(deployed, restaurant, expected, "the figures")
    rereader = Rereader(deployed)

    assert rereader.since(began) >= 6
    assert figures(deployed, restaurant) == expected

    table, dynamodb = stack.outputs["KitchensFiguresTableName"], stack.client("dynamodb")
    mine = "restaurant_id = :r"
    for item in dynamodb.query(
        TableName=table, KeyConditionExpression=mine, ExpressionAttributeValues={":r": {"S": restaurant}}
    )["Items"]:
        dynamodb.delete_item(TableName=table, Key={key: item[key] for key in ("restaurant_id", "record")})
    assert figures(deployed, restaurant) == {}
    assert rereader.since(began) >= 6
    assert figures(deployed, restaurant) == expected


def test_a_rebuild_forgets_and_counts_anew_and_the_stream_goes_on(
    stack: Stack, tap: BusTap, deployed: Deployed, restaurant: str, deliver: Callable[[], str]
) -> None:
    began = datetime.now(UTC)
    first = deliver()
    expected = announced(tap, first)
    become(deployed, restaurant, expected, "the figures")
    # A defect that counted too much, say.
    when = max(expected)
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["KitchensFiguresTableName"],
        Key={"restaurant_id": {"S": restaurant}, "record": {"S": f"MINUTE#{when:%Y-%m-%dT%H:%M}"}},
        UpdateExpression="ADD placed :wrong",
        ExpressionAttributeValues={":wrong": {"N": "40"}},
    )
    assert figures(deployed, restaurant) != expected

    forgotten, records = Rereader(deployed).rebuild(began)

    assert forgotten >= len(expected)
    assert records >= 3
    assert figures(deployed, restaurant) == expected
    become(deployed, restaurant, announced(tap, first, deliver()), "going on")


def test_what_the_stream_no_longer_has_is_not_forgotten(deployed: Deployed) -> None:
    with pytest.raises(CannotReread, match="older figures would be gone"):
        Rereader(deployed).rebuild(datetime.now(UTC) - timedelta(hours=24))


def test_a_stack_without_kitchens_says_so(stack: Stack) -> None:
    without = {name: value for name, value in stack.outputs.items() if not name.startswith("Kitchens")}
    bare = Deployed(stack.client, without)
    with pytest.raises(kitchens.NoKitchens, match="Kitchens=true"):
        kitchens.read(bare, datetime.now(UTC), datetime.now(UTC))
    with pytest.raises(CannotReread, match="Kitchens=true"):
        Rereader(bare)
