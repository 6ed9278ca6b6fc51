"""The promotions consumer as Lambda runs it: events in, rows and announcements out, one record's trouble its own."""

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from contracts.schemas import EVENTS, current, example, validate
from moto import mock_aws
from promotions import consumer
from promotions.consumer import promotions as connected
from promotions.model import code_for
from promotions.store import PromotionsStore
from promotions_world import ANNA, TRACE, order
from support import create_table, resources
from tiffin.telemetry import logger

INVOCATIONS = sorted((EVENTS / "invocations").glob("PromotionsConsumerFunction-*.json"))
WELCOME = code_for(ANNA, "WELCOME_BACK", "WELCOME")


class World:
    """The consumer's table and queues.

    Attributes:
        table: the promotions table.
    """

    def __init__(self, table: Any, dead_letters: str) -> None:
        self.table, self._dead_letters = table, dead_letters

    def announced(self) -> list[dict[str, Any]]:
        """What the outbox holds, as complete events."""
        envelope = {key: value for key, value in example("OrderPlaced").items() if key not in ("detail-type", "source")}
        return [
            envelope
            | {"detail-type": item["detail_type"], "source": item["source"], "detail": json.loads(item["detail"])}
            for item in self.table.scan()["Items"]
            if item["record"].startswith("EVENT#")
        ]

    def names(self) -> list[str]:
        """Names of what the outbox holds."""
        return sorted(event["detail-type"] for event in self.announced())

    def dead_letters(self) -> list[Any]:
        """What the dead-letter queue holds."""
        answer = boto3.client("sqs").receive_message(
            QueueUrl=self._dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        table = boto3.resource("dynamodb").Table(create_table("promotions", "PromotionsTable"))
        queue = boto3.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
        monkeypatch.setenv("PROMOTIONS_TABLE", table.name)
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", queue)
        connected.cache_clear()
        yield World(table, queue)
    connected.cache_clear()


class Context(LambdaContext):
    """What Lambda tells an invocation of itself."""

    def __init__(self) -> None:
        self._function_name = "consumer"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:consumer"
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def batch(*events: Any) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "body": event if isinstance(event, str) else json.dumps(event),
                "eventSource": "aws:sqs",
                "attributes": {},
            }
            for number, event in enumerate(events)
        ]
    }


def run(*events: Any) -> list[str]:
    answer = consumer.handler(batch(*events), Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def happened(name: str, number: int, **data: Any) -> dict[str, Any]:
    """An order event by its contract, about one of Anna's orders."""
    event = example(name)
    event["detail"]["metadata"] |= {
        "event_id": f"{order(number)}:{name}",
        "order_id": order(number),
        "trace_header": TRACE,
    }
    event["detail"]["data"] |= {"customer_id": ANNA, "promo_code": None, **data}
    validate(event)
    return event


def test_a_poisonous_message_is_set_aside_and_the_others_take_effect(world: World) -> None:
    poison = happened("OrderDelivered", 2)
    poison["detail"]["metadata"]["event_version"] = 2

    assert run(happened("OrderDelivered", 1), poison, happened("OrderExpired", 3)) == []

    assert world.names() == ["PromoCodeIssued", "PromoCodeIssued"]
    [letter] = world.dead_letters()
    assert json.loads(letter["Body"]) == poison
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "OrderDelivered is of version 2, known is 1"
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
    out = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", out)
    run(happened("OrderDelivered", 1), happened("OrderExpired", 2, promo_code=WELCOME), "poison")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line.get("order_id") for line in lines] == [order(1), *[order(2)] * 3, None]
    assert ANNA not in out.getvalue()


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
    answer = consumer.handler(sample, Context())
    assert answer == {"batchItemFailures": []}
    letters = [letter["Body"] for letter in world.dead_letters()]
    for record in sample["Records"]:
        if record["body"] not in letters:
            validate(json.loads(record["body"]))
    assert len(letters) == path.stem.endswith("poison")


def test_there_are_sample_invocations() -> None:
    assert len(INVOCATIONS) >= 3
