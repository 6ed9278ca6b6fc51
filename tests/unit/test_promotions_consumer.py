"""The promotions consumer as Lambda runs it: events in, rows and announcements out, one record's trouble its own."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from contracts.schemas import EVENTS, current, example, validate
from moto import mock_aws
from promotions import consumer
from promotions.consumer import promotions as connected
from promotions.model import code_for
from promotions.store import PromotionsStore
from worlds import feed
from worlds.feed import dead_letter_queue, failures, raw
from worlds.logs import captured
from worlds.promotions import ANNA, FIVE, TRACE, announced, order
from worlds.runtime import context
from worlds.templates import create_table, resources

INVOCATIONS = sorted((EVENTS / "invocations").glob("PromotionsConsumerFunction-*.json"))
WELCOME = code_for(ANNA, "WELCOME_BACK", "WELCOME")


class World:
    """The consumer's table and queues.

    Attributes:
        table: the promotions table.
        dead_letters: takes out what the dead-letter queue holds.
    """

    def __init__(self, table: Any, dead_letters: Callable[[], list[Any]]) -> None:
        self.table, self.dead_letters = table, dead_letters

    def announced(self) -> list[dict[str, Any]]:
        """What the outbox holds, as complete events."""
        return announced(self.table)

    def names(self) -> list[str]:
        """Names of what the outbox holds."""
        return sorted(event["detail-type"] for event in self.announced())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        table = create_table("promotions", "PromotionsTable")
        monkeypatch.setenv("PROMOTIONS_TABLE", table.name)
        monkeypatch.setattr(consumer, "RULES", FIVE)
        connected.cache_clear()
        yield World(table, dead_letter_queue(monkeypatch))
    connected.cache_clear()


def run(*events: Any) -> list[str]:
    return failures(consumer.handler(raw(*events), context()))


def happened(name: str, number: int, **data: Any) -> dict[str, Any]:
    """An order event by its contract, about one of Anna's orders."""
    event = feed.event(name, order(number), **{"customer_id": ANNA, "promo_code": None} | data)
    event["detail"]["metadata"]["trace_header"] = TRACE
    validate(event)
    return event


def test_a_poisonous_message_is_set_aside_and_the_others_take_effect(world: World) -> None:
    poison = happened("OrderDelivered", 2)
    poison["detail"]["metadata"]["event_version"] = 2

    assert run(happened("OrderDelivered", 1), poison, happened("OrderExpired", 3)) == []

    assert world.names() == ["PromoCodeIssued", "PromoCodeIssued"]
    [letter] = world.dead_letters()
    assert json.loads(letter["Body"]) == poison
    reason = letter["MessageAttributes"]["reason"]["StringValue"]
    assert reason == "OrderDelivered is of a version that nobody here reads; known is 1"
    assert letter["MessageAttributes"]["error_type"]["StringValue"] == "UnknownVersion"


def test_an_end_with_its_promo_code_missing_becomes_a_dead_letter(world: World) -> None:
    silent = happened("OrderCancelled", 1)
    del silent["detail"]["data"]["promo_code"]
    assert run(silent) == []
    [letter] = world.dead_letters()
    assert "promo_code: Field required" in letter["MessageAttributes"]["reason"]["StringValue"]


def test_a_table_that_fails_for_one_record_brings_that_one_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotions = consumer.promotions()
    record = promotions.record

    def failing(news: Any, trace_header: str) -> Any:
        if news.order_id == order(2):
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "TransactWriteItems")
        return record(news, trace_header)

    monkeypatch.setattr(promotions, "record", failing)
    events = [happened("OrderExpired", number) for number in (1, 2, 3)]
    assert run(*events) == ["message-1"]
    assert world.names() == ["PromoCodeIssued"] * 2
    assert world.dead_letters() == []


@pytest.mark.parametrize("end", ["OrderDeclined", "OrderRejected", "OrderCancelled", "OrderExpired", "OrderFailed"])
def test_every_end_without_delivery_restores_the_code(world: World, end: str) -> None:
    run(happened("OrderPlaced", 1, promo_code=WELCOME), happened(end, 1, promo_code=WELCOME))
    about_the_code = [e for e in world.announced() if e["detail"]["data"]["code"] == WELCOME]
    assert sorted(e["detail-type"] for e in about_the_code) == ["PromoCodeRedeemed", "PromoCodeRestored"]
    assert {e["detail"]["metadata"]["order_id"] for e in about_the_code} == {order(1)}


def test_what_is_announced_keeps_its_contract_and_carries_the_trace_on(world: World) -> None:
    run(happened("OrderDelivered", 1), happened("OrderPlaced", 2, promo_code=WELCOME))
    run(happened("OrderExpired", 2, promo_code=WELCOME))
    assert world.names() == ["PromoCodeIssued", "PromoCodeIssued", "PromoCodeRedeemed", "PromoCodeRestored"]
    for event in world.announced():
        validate(event)
        assert event["detail"]["metadata"]["trace_header"] == TRACE


def test_an_order_without_a_code_leaves_the_table_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PromotionsStore, "customer", lambda *_: pytest.fail("asked the table"))
    assert run(happened("OrderPlaced", 1), happened("OrderCancelled", 1)) == []


@pytest.mark.parametrize("arrival", [(0, 1), (1, 0)])
def test_moments_that_differ_by_less_than_the_table_keeps_count_as_equal(
    world: World, arrival: tuple[int, int]
) -> None:
    deliveries = [
        happened("OrderDelivered", 1, delivered_at="2026-11-26T11:38:54.902900Z"),
        happened("OrderDelivered", 2, delivered_at="2026-11-26T11:38:54.902100123Z"),
    ]
    run(*(deliveries[n] for n in arrival))
    code = world.table.get_item(Key={"customer_id": ANNA, "record": "CODE#WELCOME_BACK"})["Item"]
    assert code["order_id"] == order(1)


def test_logs_are_free_of_the_customers_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    log = captured(monkeypatch)
    run(happened("OrderDelivered", 1), happened("OrderExpired", 2, promo_code=WELCOME), "poison")
    assert [line.get("order_id") for line in log.lines] == [order(1), *[order(2)] * 3, None]
    assert ANNA not in log.text


def test_the_rule_lets_through_exactly_what_the_consumer_reads() -> None:
    pattern = resources("promotions")["PromotionsRule"]["Properties"]["EventPattern"]
    assert sorted(pattern["detail-type"]) == sorted(consumer.consumer.names)
    assert {current().source(name) for name in consumer.consumer.names} == set(pattern["source"])


def test_every_event_that_is_read_has_the_version_of_its_contract(world: World) -> None:
    events = [example(name) for name in consumer.consumer.names]
    assert run(*events) == []
    assert world.dead_letters() == []


def test_the_queue_waits_six_times_as_long_as_the_function_may_run() -> None:
    """Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping"."""
    queue = resources("promotions")["PromotionsQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * resources("promotions")["ConsumerFunction"]["Properties"]["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5


@pytest.mark.parametrize("path", INVOCATIONS, ids=lambda path: path.stem)
def test_the_sample_invocations_are_batches_of_contracts(world: World, path: Any) -> None:
    sample = json.loads(path.read_text())
    answer = consumer.handler(sample, context())
    assert answer == {"batchItemFailures": []}
    letters = [letter["Body"] for letter in world.dead_letters()]
    for record in sample["Records"]:
        if record["body"] not in letters:
            validate(json.loads(record["body"]))
    assert len(letters) == path.stem.endswith("poison")


def test_there_are_sample_invocations() -> None:
    assert len(INVOCATIONS) >= 3
