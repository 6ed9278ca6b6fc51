"""The promo-code API as API Gateway calls it."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts.schemas import EVENTS
from moto import mock_aws
from promotions import api
from promotions.ledger import News
from promotions.model import Delivery, Expiry, code_for, euros
from promotions.redemption import Happened
from tiffin.problems import CONTENT_TYPE, TYPE_BASE
from worlds.gateway import claims_of, signed_in
from worlds.promotions import ANNA, BORIS, TRACE, UNCAPPED, RecordingStore, delivered, ended, expired, order, placed
from worlds.runtime import context
from worlds.templates import create_table

NOW = datetime.now(UTC)
WELCOME = code_for(ANNA, "WELCOME_BACK", "WELCOME")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingStore]:
    with mock_aws():
        table = create_table("promotions", "PromotionsTable")
        monkeypatch.setenv("PROMOTIONS_TABLE", table.name)
        api.store.cache_clear()
        yield RecordingStore(table)
    api.store.cache_clear()


def get(
    path: str = "/promo-codes", method: str = "GET", *, customer_id: str = ANNA, **query: str
) -> tuple[int, str, Any]:
    """Ask as API Gateway's Lambda proxy integration does: status, content type, document."""
    answer = api.handler(
        {
            "resource": path,
            "path": path,
            "httpMethod": method,
            "headers": {"accept": "application/json"},
            "multiValueHeaders": {"accept": ["application/json"]},
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": {"requestId": "request-1", "stage": "v1", "path": "/v1" + path, "httpMethod": method}
            | signed_in(claims_of(customer_id)),
            "body": None,
            "isBase64Encoded": False,
        },
        context("api"),
    )
    headers = {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}
    [content_type] = headers["Content-Type"] if isinstance(headers["Content-Type"], list) else [headers["Content-Type"]]
    return answer["statusCode"], content_type, json.loads(answer["body"])


def lately(number: int, code: str | None = None, days_ago: float = 1) -> News:
    """An order delivered lately: its codes are still good."""
    fact = Delivery(order(number), NOW - timedelta(days=days_ago), euros(21))
    return News(ANNA, order(number), Happened.DELIVERED, code, fact)


def test_a_code_is_shown_with_its_terms(store: RecordingStore) -> None:
    store.record(lately(1), TRACE)

    status, content_type, document = get(customer_id=ANNA)

    assert (status, content_type) == (200, "application/json")
    [code] = document["promo_codes"]
    expires_at = datetime.fromisoformat(code.pop("expires_at"))
    assert timedelta(days=29) < expires_at - NOW <= timedelta(days=30)
    assert code == {
        "code": WELCOME,
        "status": "available",
        "reason": "welcome_back",
        "discount": {"type": "percentage", "percent": 20, "cap": {"amount": 500, "currency": "EUR"}},
        "minimum_order": {"amount": 1500, "currency": "EUR"},
    }
    assert document["next"] is None


def status_of(code: str) -> str:
    _, _, document = get(customer_id=ANNA)
    return str(next(shown["status"] for shown in document["promo_codes"] if shown["code"] == code))


def test_the_status_follows_the_life_of_the_code(store: RecordingStore) -> None:
    store.record(lately(1), TRACE)
    assert status_of(WELCOME) == "available"
    store.record(placed(2, WELCOME), TRACE)
    assert status_of(WELCOME) == "redeemed"
    store.record(placed(3, WELCOME), TRACE)
    store.record(ended(2, WELCOME), TRACE)
    assert status_of(WELCOME) == "redeemed"
    store.record(ended(3, WELCOME), TRACE)
    assert status_of(WELCOME) == "available"
    store.record(lately(4, WELCOME), TRACE)
    assert status_of(WELCOME) == "redeemed"


def test_a_code_past_its_expiry_says_so(store: RecordingStore) -> None:
    store.record(lately(1, days_ago=40), TRACE)
    assert status_of(WELCOME) == "expired"


def test_a_customer_without_codes_gets_an_empty_page(store: RecordingStore) -> None:
    store.record(delivered(1, customer=BORIS), TRACE)
    assert get(customer_id=ANNA) == (200, "application/json", {"promo_codes": [], "next": None})


def test_pages_hold_every_code_once(store: RecordingStore) -> None:
    uncapped = RecordingStore(store._table, UNCAPPED)
    for number in range(1, 8):
        news = expired(number)
        assert isinstance(news.fact, Expiry)
        uncapped.record(news, TRACE)
    pages: list[list[str]] = []
    query = {"limit": "3"}
    for _ in range(3):
        _, _, document = get(**query)
        pages.append([code["code"] for code in document["promo_codes"]])
        query["next"] = document["next"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({code for page in pages for code in page}) == 7
    assert document["next"] is None


def test_a_page_token_shows_the_codes_of_the_asking_customer_only(store: RecordingStore) -> None:
    for number in (1, 2, 3):
        store.record(expired(number, customer=BORIS), TRACE)
    _, _, document = get(customer_id=BORIS, limit="1")
    assert get(customer_id=ANNA, next=document["next"])[2]["promo_codes"] == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "/query/limit"),
        ({"limit": "101"}, "/query/limit"),
        ({"limit": "many"}, "/query/limit"),
        ({"next": "x" * 513}, "/query/next"),
    ],
)
def test_a_malformed_query_is_refused_with_the_place(
    store: RecordingStore, query: dict[str, str], pointer: str
) -> None:
    status, content_type, problem = get(**query)
    assert (status, content_type) == (422, CONTENT_TYPE)
    assert problem["type"] == TYPE_BASE + "invalid-request"
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert "anna.example" not in json.dumps(problem)


@pytest.mark.parametrize("token", ["é", "%%%", "abc", "_w==", base64.urlsafe_b64encode(b"\x00" * 8).decode() + "!"])
def test_a_made_up_page_token_is_refused(store: RecordingStore, token: str) -> None:
    status, content_type, problem = get(customer_id=ANNA, next=token)
    assert (status, content_type) == (422, CONTENT_TYPE)
    assert problem["type"] == TYPE_BASE + "invalid-page-token"


def test_an_unknown_path_is_answered_404(store: RecordingStore) -> None:
    status, content_type, problem = get("/promo-code")
    assert (status, content_type, problem["type"]) == (404, CONTENT_TYPE, TYPE_BASE + "no-such-resource")


def test_the_sample_invocations_are_answered(store: RecordingStore) -> None:
    samples = {path.stem: json.loads(path.read_text()) for path in (EVENTS / "invocations").glob("PromotionsApi*.json")}
    answers = {name: api.handler(sample, context("api"))["statusCode"] for name, sample in samples.items()}
    assert answers == {
        "PromotionsApiFunction-list": 200,
        "PromotionsApiFunction-nobody": 401,
        "PromotionsApiFunction-openapi": 200,
    }
