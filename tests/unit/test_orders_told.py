"""How an order is told on a terminal, status by status."""

import io
from types import SimpleNamespace
from typing import Any, cast

from laptop.stories import STORIES, Story, Teller
from payments.sandbox import Balance
from rich.console import Console

# What is nothing in a moment may be left out (RFC 3339).
TIMELINE = [
    {"status": "PLACED", "at": "2026-01-31T12:00:00.480Z"},
    {"status": "AWAITING_RESTAURANT", "at": "2026-01-31T12:00:01Z"},
    {"status": "PREPARING", "at": "2026-01-31T12:00:01.5Z"},
]


def test_each_moment_has_its_milliseconds() -> None:
    order: dict[str, Any] = {"order_id": "ord_a", "status": "PREPARING", "placed_at": TIMELINE[0]["at"], "reason": None}
    client = SimpleNamespace(order=lambda order_id: {**order, "timeline": TIMELINE})
    told = io.StringIO()
    teller = Teller(Console(file=told), cast(Any, client), cast(Any, None), cast(Any, None), "")
    story = Story("", {}, STORIES[1].ends, set(), (1, 1, 0), order=order)

    teller.go_on(story, tell=True)

    assert [line.split()[:2] for line in told.getvalue().splitlines()] == [
        ["12:00:00.480", "+0.00"],
        ["12:00:01.000", "+0.52"],
        ["12:00:01.500", "+1.02"],
    ]


def test_the_events_are_told_as_they_happened_and_not_as_they_came() -> None:
    def event(name: str, second: int) -> dict[str, Any]:
        metadata = {"order_id": "ord_a", "occurred_at": f"2026-01-31T12:00:0{second}Z"}
        return {"detail-type": name, "detail": {"metadata": metadata}}

    tap = SimpleNamespace(
        events=[event("OrderDeclined", 2), event("OrderPlaced", 0), event("PaymentDeclined", 1)],
        wait_for_event=lambda *_: None,
    )
    books = SimpleNamespace(balance=lambda order_id: Balance(held=0, captured=0, voided=0))
    told = io.StringIO()
    teller = Teller(Console(file=told), cast(Any, None), cast(Any, tap), cast(Any, books), "")
    order = {"order_id": "ord_a", "total": {"amount": 2150, "currency": "EUR"}}

    teller.sum_up(Story("", {}, "DECLINED", set(), (0, 0, 0), order=order), promotions=False)

    assert "OrderPlaced · PaymentDeclined · OrderDeclined" in told.getvalue()
