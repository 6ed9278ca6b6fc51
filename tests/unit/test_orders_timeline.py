"""An order's timeline reads as its life went, whatever the clocks said that its moments come from."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from orders.model import LEGAL_IN, OrderStatus
from tiffin.events import rfc3339
from worlds.orders import Api, orders_world

PLACED, *ON_THE_WAY = list(OrderStatus)[:4]
LIVES = [
    [PLACED, *ON_THE_WAY[:going], end]
    for end, last in {
        OrderStatus.DELIVERED: [3],
        OrderStatus.DECLINED: [0],
        OrderStatus.REJECTED: [1],
        OrderStatus.CANCELLED: [0, 1],
        OrderStatus.EXPIRED: [0, 1, 2, 3],
        OrderStatus.FAILED: [0, 1, 2, 3],
    }.items()
    for going in last
]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as api:
        yield api


def lived(api: Api, order_id: str, moments: dict[OrderStatus, datetime]) -> list[str]:
    """The statuses of an order's timeline, as the API answers them, if each was entered at its moment."""
    api.table.update_item(
        Key={"order_id": order_id},
        UpdateExpression="SET timeline = :timeline, #s = :last",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={
            ":timeline": {status.value: rfc3339(at) for status, at in moments.items()},
            ":last": list(moments)[-1].value,
        },
    )
    _, order = api.call("GET", f"/orders/{order_id}")
    assert {OrderStatus(e["status"]): datetime.fromisoformat(e["at"]) for e in order["timeline"]} == moments
    return [entry["status"] for entry in order["timeline"]]


def test_an_order_was_placed_first_though_the_apis_clock_is_ahead_of_the_workflows(api: Api) -> None:
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    milliseconds = {PLACED: 400, OrderStatus.AWAITING_RESTAURANT: 120, OrderStatus.PREPARING: 900}
    moments = {status: now + timedelta(milliseconds=at) for status, at in milliseconds.items()}
    assert lived(api, api.place()[1]["order_id"], moments) == ["PLACED", "AWAITING_RESTAURANT", "PREPARING"]


@pytest.mark.generated
@pytest.mark.parametrize("life", LIVES, ids=lambda life: f"{life[-1].value}-{len(life)}".lower())
def test_every_life_reads_in_its_sequence_whatever_its_moments_say(api: Api, life: list[OrderStatus]) -> None:
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    moments = [now + timedelta(milliseconds=400 * n) for n in range(len(life))]
    order_id = api.place()[1]["order_id"]
    for jumbled in permutations(moments):
        assert lived(api, order_id, dict(zip(life, jumbled, strict=True))) == life


def test_the_statuses_stand_in_the_sequence_of_a_life() -> None:
    """What the timeline goes by: a move leads on, and an end comes last."""
    place = list(OrderStatus).index
    assert [place(status) for status in (PLACED, *ON_THE_WAY)] == [0, 1, 2, 3]
    assert all(place(status) < place(OrderStatus.DELIVERED) for legal in LEGAL_IN.values() for status in legal)
