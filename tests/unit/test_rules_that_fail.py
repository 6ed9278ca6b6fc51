"""A rule that fails takes nothing with it: the delivery and the other rules' codes are kept, what it owes is given."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from contracts.schemas import EVENTS, example
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from promotions import consumer
from promotions.ledger import decide
from promotions.model import Grant, History, Rule, Terms, euros
from promotions.operations import Promotions, RulesFailed
from promotions.store import PromotionsStore
from tiffin import clients
from tiffin.discounts import FixedAmount
from tiffin.telemetry import metrics
from worlds.feed import batch
from worlds.logs import captured
from worlds.promotions import ANNA, FIVE, NOON, TRACE, Ledger, RecordingStore, delivered, expired, order, said
from worlds.runtime import context
from worlds.templates import create_table, resources

EACH = Terms("each", "EACH", FixedAmount(amount=euros(1)), euros(1))
SECRET = "Karlsplatz 1, 1010 Wien"


def mended(history: History) -> Iterator[Grant]:
    """What the rule below was meant to be."""
    for each in history.deliveries:
        yield EACH.grant(each.order_id, by=each, expires_at=NOON)


def failing(history: History) -> Iterator[Grant]:
    """It has yielded something by the time it fails, and what it says is nobody's business."""
    yield from itertools.islice(mended(history), 1)
    raise OverflowError(SECRET)


def naive(history: History) -> Iterator[Grant]:
    """An expiry without an offset, as someone will write it."""
    for each in history.deliveries:
        yield EACH.grant(each.order_id, by=each, expires_at=NOON.replace(tzinfo=None))


def not_at_all(history: History) -> Iterator[Grant]:
    """It fails before it has begun to yield."""
    raise KeyError(SECRET)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        create_table("promotions", "PromotionsTable")
        queue = boto3.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
        monkeypatch.setenv("PROMOTIONS_TABLE", "PromotionsTable")
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", queue)
        yield clients.table("PromotionsTable")


def letters() -> list[Any]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="dead-letters")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    for letter in found.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    return list(found.get("Messages", []))


@pytest.fixture
def under(table: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put rules in force."""

    def put(*rules: Rule) -> None:
        made = Promotions(PromotionsStore(table), rules, pause=lambda _: None)
        monkeypatch.setattr(consumer, "promotions", lambda: made)

    return put


def hear(*events: dict[str, Any]) -> list[str]:
    answer = consumer.handler(batch(*events), context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def delivery(number: int) -> dict[str, Any]:
    event = example("OrderDelivered")
    event["detail"]["metadata"] |= {"order_id": order(number), "event_id": f"{order(number)}:OrderDelivered"}
    event["detail"]["data"] |= {"customer_id": ANNA, "promo_code": None}
    return event


def records(table: Any, kind: str) -> set[str]:
    return {item["record"] for item in table.scan()["Items"] if item["record"].startswith(kind)}


@pytest.mark.parametrize("bad", [failing, not_at_all, naive])
@pytest.mark.parametrize("place", [0, 2, len(FIVE)])
def test_the_delivery_and_the_other_rules_codes_are_kept_and_the_event_is_set_aside_with_the_rules_name(
    table: Any, under: Callable[..., None], bad: Rule, place: int
) -> None:
    under(*FIVE[:place], bad, *FIVE[place:])

    assert hear(delivery(1)) == []

    assert records(table, "DELIVERED#") == {f"DELIVERED#{order(1)}"}
    assert records(table, "CODE#") == {"CODE#WELCOME_BACK"}
    [announced] = records(table, "EVENT#")
    assert "PromoCodeIssued:WELCOME-" in announced
    [letter] = letters()
    assert json.loads(letter["Body"]) == delivery(1)
    told = {key: value["StringValue"] for key, value in letter["MessageAttributes"].items()}
    assert told["error_type"] == "RulesFailed"
    assert told["reason"].startswith("test_rules_that_fail: ")
    assert SECRET not in told["reason"]


def test_redriven_once_the_rule_is_mended_the_event_gives_what_is_owed(table: Any, under: Callable[..., None]) -> None:
    under(failing, *FIVE)
    hear(delivery(1), delivery(2))
    dead = [json.loads(letter["Body"]) for letter in letters()]
    assert len(dead) == 2

    under(mended, *FIVE)
    assert hear(dead[0]) == []

    owed = {f"CODE#EACH#{order(1)}", f"CODE#EACH#{order(2)}"}
    assert records(table, "CODE#") == {"CODE#WELCOME_BACK"} | owed
    assert hear(dead[1]) == []  # given already: the whole history is looked at
    assert len(records(table, "EVENT#")) == 3
    assert letters() == []


def test_the_next_event_of_the_customer_gives_what_is_owed_too(table: Any, under: Callable[..., None]) -> None:
    under(failing, *FIVE)
    hear(delivery(1))
    under(mended, *FIVE)
    hear(delivery(2))
    assert f"CODE#EACH#{order(1)}" in records(table, "CODE#")


def test_the_other_events_of_the_batch_are_taken(table: Any, under: Callable[..., None]) -> None:
    under(failing, *FIVE)
    placed = example("OrderPlaced")
    placed["detail"]["data"]["promo_code"] = None
    assert hear(delivery(1), placed, delivery(2)) == []
    assert records(table, "DELIVERED#") == {f"DELIVERED#{order(1)}", f"DELIVERED#{order(2)}"}


def test_it_is_counted_and_logged_without_what_it_said(
    table: Any, under: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    log = captured(monkeypatch)
    under(failing, not_at_all, *FIVE)
    metrics.clear_metrics()
    hear(delivery(1))
    [counted] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"RulesFailed"' in line]
    assert (counted["RulesFailed"], counted["PromoCodeIssued"], counted["EventsDeadLettered"]) == ([2.0], [1.0], [1.0])
    assert "OverflowError in failing" in log.text
    assert "KeyError in not_at_all" in log.text
    assert SECRET not in log.text


def test_somebody_is_told() -> None:
    """The event lies in a queue that an alarm watches."""
    alarm = resources("observability")["PromotionsDeadLetters"]["Properties"]
    assert alarm["Dimensions"][0]["Value"] == {"Ref": "PromotionsDeadLetterQueueName"}
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_what_was_written_is_told_by_the_error(table: Any) -> None:
    store = RecordingStore(table, [failing, *FIVE])
    with pytest.raises(RulesFailed) as failure:
        store.record(delivered(1), TRACE)
    assert [a.issued.reason for a in failure.value.announced if a.issued] == ["welcome_back"]
    with pytest.raises(RulesFailed) as again:
        store.record(delivered(1), TRACE)
    assert again.value.announced == []


def test_a_rule_that_fails_gives_nothing_of_what_it_had_begun_to_give() -> None:
    change = decide(Ledger().customer, delivered(1), [failing])
    assert (change.issued, [rule for rule, _ in change.failed]) == ([], ["test_rules_that_fail"])
    assert change.facts == [delivered(1).fact]


@given(
    st.lists(st.sampled_from([delivered(n) for n in range(8)] + [expired(n) for n in range(8, 12)]), max_size=12),
    st.randoms(use_true_random=False),
)
def test_whatever_fails_on_the_way_the_codes_are_the_same_in_the_end(story: list[Any], chance: Any) -> None:
    """A rule that fails for some histories and not for others, until it is mended and the events are sent again."""

    def at_times(history: History) -> Iterator[Grant]:
        if len(history.deliveries) % 3 == 1:
            raise OverflowError
        yield from mended(history)

    calm = Ledger([mended, *FIVE]).take(*story)
    troubled = Ledger([at_times, *FIVE]).take(*story)
    troubled.rules = [mended, *FIVE]
    again = story * 2
    chance.shuffle(again)
    troubled.take(*again)
    assert troubled.customer.codes == calm.customer.codes
    assert said(troubled.announced) == said(calm.announced)


def test_the_sample_invocations_fail_no_rule(table: Any, under: Callable[..., None]) -> None:
    under(*FIVE)
    for path in sorted((EVENTS / "invocations").glob("PromotionsConsumerFunction-*ed.json")):
        assert consumer.handler(json.loads(path.read_text()), context()) == {"batchItemFailures": []}
    assert letters() == []


def test_grants_of_a_rule_that_fails_spend_no_budget() -> None:
    from promotions.model import Budget

    def budgeted(history: History) -> Iterator[Grant]:
        for grant in mended(history):
            yield replace(grant, budget=Budget("tiny", 3))
        raise OverflowError

    assert decide(Ledger().customer, delivered(1), [budgeted]).spent == []
