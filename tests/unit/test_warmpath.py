"""What `lab.warmpath` measures is the real handler, answering the real requests, by the calls that it really makes."""

import pytest
from lab import warmpath
from lab.warmpath import NotAnswered, Row

CALLS = {
    "POST /quotes": 0,
    "POST /quotes, with a promo code": 2,
    "POST /orders": 2,
    "POST /orders, with a promo code": 3,
    "GET /orders/{id}": 1,
    "GET /orders": 1,
    "POST /orders/{id}/accept": 3,
    "POST /orders/{id}/dispatch": 3,
    "POST /orders/{id}/deliver": 3,
    "POST /orders/{id}/cancel": 3,
    "GET /kitchen/orders": 1,
    "GET /restaurants/{id}/menu": 1,
}


def test_each_kind_of_request_is_answered_by_so_many_calls_and_takes_time() -> None:
    rows = warmpath.measure(requests=5)
    assert {row.request: row.calls for row in rows} == CALLS
    assert all(0 <= row.clients < row.p50 <= row.p99 for row in rows)
    assert {row.request for row in rows if not row.clients} == {kind for kind, calls in CALLS.items() if not calls}


def test_some_kinds_can_be_chosen() -> None:
    assert [row.request for row in warmpath.measure(2, only="GET /orders")] == ["GET /orders"]


def test_what_is_refused_is_not_measured() -> None:
    with pytest.raises(NotAnswered, match="unknown-restaurant"):
        warmpath.measure(2, environment={"MENUS_TABLE": "none"})


def test_the_table_is_markdown() -> None:
    assert warmpath.table([Row("GET /orders", 1, 1.534, 2.1, 0.96)]).splitlines() == [
        "| request | calls to AWS | p50, ms of a processor | p99 | of p50 in AWS's clients |",
        "|---|---:|---:|---:|---:|",
        "| `GET /orders` | 1 | 1.53 | 2.10 | 0.96 |",
    ]
