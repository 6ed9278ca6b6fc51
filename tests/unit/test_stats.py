"""How long orders take is told of those whose time was true, apart from those whose time was made to fly."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
import stats


def order(clock: float, *seconds: float) -> Any:
    """A timeline of an order that was accepted and delivered so many seconds after it was placed."""
    statuses = ("PREPARING", "DELIVERED")
    attempts = [SimpleNamespace(entered=s, at=at, ended=at) for s, at in zip(statuses, seconds, strict=True)]
    return SimpleNamespace(clock=clock, placed=0.0, visits=[SimpleNamespace(attempts=attempts)], events=[])


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The record's orders, by id."""
    known: dict[str, Any] = {"ord_true": order(1.0, 300.0, 1800.0)}
    recorded = SimpleNamespace(recent=lambda _: list(known), facts=lambda order_id: order_id)
    monkeypatch.setattr("stats.sources.Recorded", lambda _: recorded)
    monkeypatch.setattr("stats.timeline.build", lambda order_id: known[order_id])
    return known


def test_accelerated_orders_are_counted_apart(orders: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    orders |= {"ord_fast": order(540.0, 0.5, 3.0), "ord_faster": order(2160.0, 0.2, 1.0)}
    assert stats.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["orders"], told["statuses"]["DELIVERED"]["p50"]) == (1, 1800.0)
    assert (told["accelerated"]["orders"], told["accelerated"]["statuses"]["DELIVERED"]["p99"]) == (2, 3.0)
    assert stats.main([]) == 0
    out = capsys.readouterr().out
    assert "1 orders in the last 24 hours." in out
    assert "2 more in the last 24 hours, on a clock 540 to 2160 times as fast." in out


def test_nothing_is_said_of_accelerated_orders_where_there_are_none(
    orders: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert stats.main([]) == 0
    assert "as fast" not in capsys.readouterr().out
