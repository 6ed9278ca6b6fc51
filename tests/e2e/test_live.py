"""What changes is heard by those whose it is, and by nobody else."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from laptop import BusTap, Stack
from laptop.client import Client, Refused
from laptop.environment import STATE_DIR
from laptop.listener import Listener, NotLetIn, ticket
from laptop.pace import patience
from laptop.people import Person
from laptop.stack import foreground_log
from tiffin.callers import Role
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("many")

TURNS = ["OrderPlaced", "PaymentAuthorized", "OrderAccepted", "OrderDispatched", "OrderDelivered"]
Listens = Callable[..., Listener]


@pytest.fixture
def listens(stack: Stack) -> Iterator[Listens]:
    """Lets somebody listen until the test is over."""
    with ExitStack() as open_ones:

        def listen(who: Person | str, origin: str | None = None) -> Listener:
            return open_ones.enter_context(Listener.of(stack.outputs, stack.people, who, origin))

        yield listen


def events_of(listener: Listener, order_id: str) -> list[str]:
    return [each.message["event"] for each in listener.heard if each.message["order_id"] == order_id]


def has_heard(listener: Listener, count: int) -> bool:
    return len(listener.heard) == count


def connections(stack: Stack, topic: str) -> list[dict[str, Any]]:
    found = stack.client("dynamodb").query(
        TableName=stack.outputs["ConnectionsTableName"],
        KeyConditionExpression="topic = :topic",
        ExpressionAttributeValues={":topic": {"S": topic}},
        ConsistentRead=True,
    )
    return list(found["Items"])


def test_each_turn_is_heard_and_a_strangers_never(
    stack: Stack, client: Client, customer: str, tap: BusTap, listens: Listens
) -> None:
    """How soon they are heard is measured: by `make watchers`, and in a browser by `make seen`."""
    hers, strangers = listens(customer), listens(f"{customer[:40]}-other")
    kitchen, courier, support = listens("bella"), listens("carl"), listens("sue")
    others = listens(Person("r-sakura-sushi", Role.RESTAURANT, "r-sakura-sushi"))

    order_id = client.place(customer=customer)["order_id"]
    client.deliver(order_id)

    for turn in TURNS:
        for listener in (hers, support):
            listener.wait_for_event(turn, order_id)
        # Payments know no restaurants. Of one that is authorized before it was heard from whom the order is, as may
        # happen, the restaurant is told by what comes then: that it was placed.
        if turn != "PaymentAuthorized":
            kitchen.wait_for_event(turn, order_id)
    courier.wait_for_event("OrderAccepted", order_id)
    courier.wait_for(lambda said: said["event"] is None and not said["settled"])  # some order left
    courier.wait_for(lambda said: said["event"] is None and said["settled"])  # and one arrived
    assert events_of(courier, order_id) == ["OrderAccepted"]

    # What comes later on the same way has come: so nothing more of this order is on it.
    last = client.place(customer=f"{customer[:40]}-other", restaurant_id="r-sakura-sushi", lines={"salmon-nigiri": 2})
    for listener in (strangers, others):
        listener.wait_for_event("OrderPlaced", last["order_id"])
        assert {each.message["order_id"] for each in listener.heard} == {last["order_id"]}
    assert last["order_id"] not in {each.message["order_id"] for each in hers.heard + kitchen.heard}


def test_a_message_says_what_is_settled_and_holds_nothing_else(
    stack: Stack, client: Client, customer: str, listens: Listens
) -> None:
    listener = listens(customer)
    order_id = client.place(customer=customer)["order_id"]
    client.deliver(order_id)
    settled = {turn: listener.wait_for_event(turn, order_id).message["settled"] for turn in TURNS}
    assert settled == dict.fromkeys(TURNS, False) | {"OrderPlaced": True, "OrderDelivered": True}
    assert {frozenset(each.message) for each in listener.heard} == {
        frozenset({"type", "order_id", "event", "occurred_at", "settled"})
    }


def test_what_is_said_to_be_settled_can_be_seen(client: Client, customer: str, listens: Listens) -> None:
    listener = listens(customer)
    order_id = client.place(customer=customer, payment_method="pm_card_chargeDeclined")["order_id"]
    listener.wait_for_event("OrderDeclined", order_id)
    assert client.order(order_id)["status"] == "DECLINED"


def test_a_customer_hears_of_a_promo_code(client: Client, customer: str, listens: Listens) -> None:
    listener = listens(customer)
    order_id = client.place(customer=customer)["order_id"]
    client.deliver(order_id)
    listener.wait_for_event("PromoCodeIssued", order_id)
    assert client.promo_codes(customer)


def test_a_ticket_is_good_once(stack: Stack, customer: str) -> None:
    good = ticket(stack.outputs, stack.people, customer)
    with Listener(good["url"], good["ticket"]), pytest.raises(NotLetIn) as again:
        Listener(good["url"], good["ticket"])
    assert again.value.status == 403


def test_a_ticket_that_is_forged_or_missing_or_too_old_is_none(stack: Stack, customer: str) -> None:
    good = ticket(stack.outputs, stack.people, customer)
    soon = datetime.fromisoformat(good["expires_at"]) - datetime.now(UTC)
    assert timedelta() < soon <= timedelta(seconds=30)
    table = {"TableName": stack.outputs["TicketsTableName"]}
    database = stack.client("dynamodb")
    rows = database.scan(**table)["Items"]
    assert good["ticket"] not in json.dumps(rows)
    for row in rows:
        database.update_item(
            **table,
            Key={"digest": row["digest"]},
            UpdateExpression="SET expires_at = :then",
            ExpressionAttributeValues={":then": {"N": str(int(datetime.now(UTC).timestamp()) - 1)}},
        )
    for bad in (good["ticket"], "", "a" * 43, rows[0]["digest"]["S"]):
        with pytest.raises(NotLetIn) as refused:
            Listener(good["url"], bad)
        assert refused.value.status == 403


def test_a_page_of_another_origin_is_refused_and_the_consoles_is_not(stack: Stack, customer: str) -> None:
    good = ticket(stack.outputs, stack.people, customer)
    for origin in ("https://evil.example", "https://console.invalid.evil.example", "null"):
        with pytest.raises(NotLetIn) as refused:
            Listener(good["url"], good["ticket"], origin)
        assert refused.value.status == 403
    with Listener(good["url"], good["ticket"], "https://console.invalid") as listener:
        assert listener.is_open


def test_nobody_gets_a_ticket_without_signing_in(stack: Stack) -> None:
    answer = httpx.post(f"{stack.outputs['LiveApiUrl']}/tickets", timeout=patience(30))
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (401, "sign-in-needed")


def test_an_account_has_only_so_many_connections(stack: Stack, customer: str, subject: str, listens: Listens) -> None:
    for _ in range(10):
        listens(customer)
    with pytest.raises(Refused) as refused:
        listens(customer)
    assert refused.value.status == 429
    assert refused.value.problem["type"].endswith("/too-many-connections")
    assert len(connections(stack, f"customer:{subject}")) == 10


def test_whatever_a_client_says_is_answered_alike_and_moves_nothing(
    stack: Stack, customer: str, subject: str, listens: Listens
) -> None:
    listener = listens(customer)
    for words in ('{"type":"$connect"}', '{"type":"$disconnect"}'):  # routes, but none of a client's
        listener.say(words)
    for count, words in enumerate(('{"type":"ping"}', "no JSON", "a" * 20_000), start=1):
        listener.say(words)
        eventually(partial(has_heard, listener, count), 10, "a pong")
    assert [each.message for each in listener.heard] == [{"type": "pong"}] * 3
    assert len(connections(stack, f"customer:{subject}")) == 1


def test_a_connection_that_ended_is_forgotten(stack: Stack, customer: str, subject: str, listens: Listens) -> None:
    topic = f"customer:{subject}"
    listener = listens(customer)
    assert len(connections(stack, topic)) == 1
    listener.close()
    eventually(lambda: not connections(stack, topic), 15, "the connection forgotten")


def test_a_connection_that_is_gone_is_forgotten_when_it_is_told(
    stack: Stack, client: Client, customer: str, subject: str, listens: Listens
) -> None:
    """Nobody said that it ended; and the one beside it hears all the same."""
    topic = f"customer:{subject}"
    listener = listens(customer)
    gone = {
        "topic": {"S": topic},
        "listener": {"S": f"{subject}#gone"},
        "connection_id": {"S": "gone="},
        "connected_at": {"N": str(int(datetime.now(UTC).timestamp()) - 60)},
        "expires_at": {"N": str(int(datetime.now(UTC).timestamp()) + 600)},
    }
    stack.client("dynamodb").put_item(TableName=stack.outputs["ConnectionsTableName"], Item=gone)
    order_id = client.place(customer=customer)["order_id"]
    listener.wait_for_event("OrderPlaced", order_id)
    eventually(lambda: len(connections(stack, topic)) == 1, 15, "the one that is gone forgotten")
    listener.wait_for_event("PaymentAuthorized", order_id)


def test_no_log_has_a_ticket_or_who_asked(stack: Stack, customer: str, subject: str) -> None:
    good = ticket(stack.outputs, stack.people, customer)
    Listener(good["url"], good["ticket"]).close()
    with pytest.raises(NotLetIn):
        Listener(good["url"], good["ticket"])
    logs = stack.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert any(stack.outputs["LiveLogGroupName"] == group for group in groups)
    refused: list[str] = []

    def lines() -> list[str]:
        found = [event["message"] for g in groups for event in logs.filter_log_events(logGroupName=g)["events"]]
        refused[:] = [line for line in found if "Connection refused" in line]
        return found

    eventually(lambda: bool(lines() and refused), 15, "the refusal in the log")
    # Access logs of APIs say who asked, on purpose.
    own = [
        event["message"] for event in logs.filter_log_events(logGroupName=stack.outputs["LiveLogGroupName"])["events"]
    ]
    assert any("Connection refused" in line for line in own)
    assert subject not in "\n".join(own)
    said = "\n".join(lines()) + (STATE_DIR / foreground_log()).read_text()
    assert good["ticket"] not in said
    assert "?ticket=" not in said
