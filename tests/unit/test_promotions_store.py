"""The promotions table: what is written, once, whoever else writes."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from contracts.schemas import validate
from moto import mock_aws
from promotions.ledger import MAX_CODES, News
from promotions.model import Budget, Grant, History, Terms, code_for, euros
from promotions.operations import TooMuchContention
from promotions.redemption import State, Use
from tiffin.discounts import FixedAmount
from tiffin.events import event_id
from worlds.promotions import (
    ANNA,
    BORIS,
    FIVE,
    NOON,
    TRACE,
    UNCAPPED,
    Ledger,
    RecordingStore,
    announced,
    delivered,
    ended,
    expired,
    order,
    placed,
    said,
)
from worlds.templates import create_table

WELCOME = code_for(ANNA, "WELCOME_BACK", "WELCOME")


@pytest.fixture
def table() -> Iterator[Any]:
    with mock_aws():
        yield create_table("promotions", "PromotionsTable")


@pytest.fixture
def store(table: Any) -> RecordingStore:
    return RecordingStore(table)


def before_writing(table: Any, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], times: int = 1) -> None:
    """Let something happen between a consumer's reading and its writing."""
    client = table.meta.client
    write, left = client.transact_write_items, [times]

    def interrupted(**request: Any) -> Any:
        if left[0]:
            left[0] -= 1
            act()
        return write(**request)

    monkeypatch.setattr(client, "transact_write_items", interrupted)


def test_a_first_delivery_is_recorded_with_its_code_and_its_announcement(store: RecordingStore, table: Any) -> None:
    store.record(delivered(1), TRACE)

    anna = store.customer(ANNA)
    assert [d.order_id for d in anna.history.deliveries] == [order(1)]
    [code] = anna.codes.values()
    [event] = announced(table)
    assert event["detail"]["metadata"]["event_id"] == f"{order(1)}:PromoCodeIssued:{code.code}"
    assert event["detail"]["metadata"]["trace_header"] == TRACE
    assert event["detail"]["data"] == {
        "customer_id": ANNA,
        "code": WELCOME,
        "reason": "welcome_back",
        "discount": {"type": "percentage", "percent": 20, "cap": {"amount": 500, "currency": "EUR"}},
        "minimum_order": {"amount": 1500, "currency": "EUR"},
        "expires_at": "2026-12-28T00:00:00.000Z",
    }


def test_whatever_is_announced_keeps_its_contract(store: RecordingStore, table: Any) -> None:
    story = [*(delivered(n, total=euros(30)) for n in range(5)), expired(7, WELCOME), placed(8, WELCOME)]
    for news in story:
        store.record(news, TRACE)

    events = announced(table)
    assert {e["detail-type"] for e in events} == {"PromoCodeIssued", "PromoCodeRedeemed", "PromoCodeRestored"}
    assert {e["detail"]["data"]["discount"]["type"] for e in events if "discount" in e["detail"]["data"]} == {
        "percentage",
        "fixed",
        "free_delivery",
    }
    for event in events:
        validate(event)


def test_a_repeated_event_leaves_the_table_as_it_is(store: RecordingStore, table: Any) -> None:
    for news in (delivered(1), placed(2, WELCOME), ended(2, WELCOME), expired(3)):
        store.record(news, TRACE)
        before = table.scan()["Items"]
        assert store.record(news, TRACE) == []
        assert table.scan()["Items"] == before


def test_what_is_read_is_what_was_decided(store: RecordingStore) -> None:
    story = [*(delivered(n, total=euros(30)) for n in range(12)), expired(13, WELCOME), delivered(14, WELCOME)]
    story += [delivered(15, total=euros(30), days=-3)]  # an old one, known late: codes are put right
    random.Random(7).shuffle(story)
    for news in story:
        store.record(news, TRACE)

    read, decided = store.customer(ANNA), Ledger().take(*story).customer
    assert (read.history, read.codes, read.uses) == (decided.history, decided.codes, decided.uses)


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_arrival_leaves_the_same_table(table: Any, store: RecordingStore, seed: int) -> None:
    story = [*(delivered(n, days=n / 2, total=euros(25)) for n in range(7)), placed(8, WELCOME), ended(8, WELCOME)]
    story += [placed(9, WELCOME), delivered(9, WELCOME), expired(10)]
    arrivals = [*story, *story]
    random.Random(seed).shuffle(arrivals)

    announcements = [one for news in arrivals for one in store.record(news, TRACE)]

    expected = Ledger().take(*story)
    customer = store.customer(ANNA)
    assert customer.codes == expected.customer.codes
    assert customer.uses == expected.customer.uses
    assert said(announcements) == said(expected.announced)
    in_outbox = [event["detail"]["metadata"]["event_id"] for event in announced(table)]
    assert sorted(in_outbox) == sorted(event_id(a.order_id, a.name, a.code) for a in announcements)


def test_two_consumers_at_once_issue_one_code(
    store: RecordingStore, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read an empty record; the one that writes second reads again and finds the code there."""
    other = RecordingStore(boto3.resource("dynamodb").Table(table.name))
    before_writing(table, monkeypatch, lambda: other.record(delivered(1), TRACE))

    assert store.record(delivered(2), TRACE) == []

    anna = store.customer(ANNA)
    assert [d.order_id for d in anna.history.deliveries] == [order(1), order(2)]
    assert list(anna.codes) == ["WELCOME_BACK"]
    assert len(announced(table)) == 1


def test_two_consumers_with_the_same_event_at_once_redeem_once(
    store: RecordingStore, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RecordingStore(boto3.resource("dynamodb").Table(table.name))
    before_writing(table, monkeypatch, lambda: other.record(placed(1, WELCOME), TRACE))

    assert store.record(placed(1, WELCOME), TRACE) == []

    assert store.customer(ANNA).uses == {Use(WELCOME, order(1)): State.REDEEMED}
    assert len(announced(table)) == 1


def test_a_customer_with_endless_contention_is_tried_again_later(
    store: RecordingStore, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RecordingStore(boto3.resource("dynamodb").Table(table.name))
    more = iter(range(100, 200))
    before_writing(table, monkeypatch, lambda: other.record(delivered(next(more)), TRACE), times=99)

    with pytest.raises(TooMuchContention):
        store.record(placed(1, WELCOME), TRACE)

    assert store.customer(ANNA).uses == {}


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    response: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    return ClientError(response, "TransactWriteItems")


def test_a_conflict_with_a_transaction_under_way_is_tried_again(
    store: RecordingStore, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conflict() -> None:
        raise cancelled("TransactionConflict", "None", "None", "None")

    before_writing(table, monkeypatch, conflict)
    assert [a.name for a in store.record(delivered(1), TRACE)] == ["PromoCodeIssued"]


@pytest.mark.parametrize("reason", ["ThrottlingError", "ValidationError", "ItemCollectionSizeLimitExceeded"])
def test_a_refusal_for_another_reason_is_raised_as_it_is(
    store: RecordingStore, table: Any, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def refuse() -> None:
        raise cancelled("ConditionalCheckFailed", reason, "None", "None")

    before_writing(table, monkeypatch, refuse)
    with pytest.raises(ClientError):
        store.record(delivered(1), TRACE)


def test_a_code_is_issued_once_even_if_the_tally_is_lost(store: RecordingStore, table: Any) -> None:
    """A code is the proof that it was issued, should ever anyone tidy up in the table by hand."""
    store.record(delivered(1), TRACE)
    table.delete_item(Key={"customer_id": ANNA, "record": "TALLY"})
    table.delete_item(Key={"customer_id": ANNA, "record": f"DELIVERED#{order(1)}"})

    assert store.record(delivered(1), TRACE) == []
    assert len(announced(table)) == 1


def test_each_customer_has_codes_of_their_own(store: RecordingStore) -> None:
    store.record(delivered(1), TRACE)
    store.record(delivered(2, customer=BORIS), TRACE)
    assert store.customer(ANNA).codes["WELCOME_BACK"].code != store.customer(BORIS).codes["WELCOME_BACK"].code


def test_only_the_outbox_expires(store: RecordingStore, table: Any) -> None:
    """A code is the proof that it was issued, a use the tombstone of its order: both must outlive every late event."""
    for news in (delivered(1), ended(2, WELCOME), expired(3)):
        store.record(news, TRACE)
    for item in table.scan()["Items"]:
        assert ("expires_at" in item) == item["record"].startswith("EVENT#")


def for_each(history: History) -> Iterator[Grant]:
    terms = Terms("each", "EACH", FixedAmount(amount=euros(1)), euros(1))
    for each in history.deliveries:
        yield terms.grant(each.order_id, by=each, expires_at=NOON + timedelta(days=30))


def tiny(budget: int) -> Callable[[History], Iterator[Grant]]:
    def rule(history: History) -> Iterator[Grant]:
        for grant in for_each(history):
            yield replace(grant, budget=Budget("tiny", budget))

    return rule


def test_a_new_rule_gives_what_is_owed_for_a_long_past_in_several_transactions(table: Any) -> None:
    many = 2 * MAX_CODES + 5
    for n in range(many):
        RecordingStore(table, []).record(delivered(n), TRACE)

    announcements = RecordingStore(table, [for_each]).record(delivered(0), TRACE)

    assert len(announcements) == len(announced(table)) == many
    assert len(RecordingStore(table, []).customer(ANNA).codes) == many


def test_a_budget_is_spent_to_exactly_its_last_code(table: Any) -> None:
    store = RecordingStore(table, [tiny(3), *FIVE])
    people = [f"customer-{n}" for n in range(5)]
    for person in people:
        store.record(delivered(1, customer=person), TRACE)

    got = [person for person in people if f"EACH#{order(1)}" in store.customer(person).codes]
    assert got == people[:3]
    assert all("WELCOME_BACK" in store.customer(person).codes for person in people)
    assert table.get_item(Key={"customer_id": "CAMPAIGN#tiny", "record": "BUDGET"})["Item"]["issued"] == 3


def test_a_raised_budget_gives_again(table: Any) -> None:
    RecordingStore(table, [tiny(1)]).record(delivered(1), TRACE)
    RecordingStore(table, [tiny(1)]).record(delivered(2), TRACE)
    RecordingStore(table, [tiny(2)]).record(delivered(2), TRACE)
    assert len(RecordingStore(table, []).customer(ANNA).codes) == 2


def test_pages_hold_every_code_once(table: Any) -> None:
    store = RecordingStore(table, [*UNCAPPED])
    for n in range(1, 8):
        store.record(expired(n), TRACE)
    pages: list[list[str]] = []
    after: str | None = None
    for _ in range(3):
        codes, after = store.codes(ANNA, limit=3, after=after)
        pages.append([code.key for code in codes])
    assert [len(page) for page in pages] == [3, 3, 1]
    assert after is None
    assert [key for page in pages for key in page] == sorted(store.customer(ANNA).codes)


def test_a_partition_longer_than_a_page_is_read_to_its_end(
    store: RecordingStore, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        store.record(delivered(n), TRACE)
    query = table.query
    monkeypatch.setattr(table, "query", lambda **request: query(**{**request, "Limit": 2}))
    assert len(store.customer(ANNA).history.deliveries) == 5


def test_uses_read_alone_are_those_of_the_whole_customer(store: RecordingStore) -> None:
    news: News
    for news in (placed(1, WELCOME), ended(1, WELCOME), placed(2, WELCOME)):
        store.record(news, TRACE)
    assert store.uses(ANNA) == store.customer(ANNA).uses
    assert store.uses(BORIS) == {}


def test_what_commits_in_the_middle_of_a_reading_is_seen(
    store: RecordingStore, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query takes its time: the history may be older than what follows it on the same page (here: two a page)."""
    other = RecordingStore(boto3.resource("dynamodb").Table(table.name))
    for number in (1, 2, 3):
        store.record(delivered(number), TRACE)
    query, late = table.query, [delivered(0)]

    def interrupted(**request: Any) -> Any:
        page = query(**request | {"Limit": 2})
        if late and any(item["record"] == f"DELIVERED#{order(3)}" for item in page["Items"]):
            other.record(late.pop(), TRACE)
        return page

    with monkeypatch.context() as patch:
        patch.setattr(table, "query", interrupted)
        store.record(delivered(4), TRACE)

    assert not late, "nothing came in between"
    anna = store.customer(ANNA)
    assert len(anna.history.deliveries) == 5
    assert set(anna.codes) == {"WELCOME_BACK", "LOYALTY#1", "FREE_DELIVERY#2026-11-27"}
