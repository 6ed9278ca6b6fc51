"""All APIs, asked at random what their documents allow and what they do not: `make fuzz` asks more."""

import os
from collections.abc import Iterator

import pytest
from estimates import api as estimates_api
from estimates.store import EstimateStore
from orders import api as orders_api
from promotions import api as promotions_api
from worlds.fuzzing import Kitchen, fuzz
from worlds.gateway import Handler
from worlds.orders import orders_world
from worlds.promotions import TRACE, RecordingStore, delivered
from worlds.templates import create_table

CASES = int(os.environ.get("CASES", "200"))
SEED = int(os.environ.get("SEED", "1"))
CUSTOMER = "0"  # the shortest id that fits, so the one that is asked for most


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The APIs over tables of their own."""
    with orders_world(monkeypatch) as orders:
        kitchen = Kitchen(orders.table)
        monkeypatch.setattr(orders_api, "workflow", lambda: kitchen)
        codes = RecordingStore(create_table("promotions", "PromotionsTable"))
        monkeypatch.setattr(promotions_api, "store", lambda: codes)
        for number in range(1, 12):
            codes.record(delivered(number, customer=CUSTOMER), TRACE)
        estimates = EstimateStore(create_table("estimates", "EstimatesTable"))
        monkeypatch.setattr(estimates_api, "store", lambda: estimates)
        yield


@pytest.mark.generated
@pytest.mark.parametrize(
    ("handler", "share", "statuses"),
    [
        (orders_api.handler, 0.8, {200, 201, 202, 400, 404, 405, 409, 415, 422}),
        (promotions_api.handler, 0.2, {200, 405, 422}),
        (estimates_api.handler, 0.1, {404, 405, 422}),
    ],
    ids=["orders", "promotions", "estimates"],
)
def test_an_api_does_as_its_document_says(
    capsys: pytest.CaptureFixture[str], handler: Handler, share: float, statuses: set[int]
) -> None:
    found = fuzz(handler, cases=int(CASES * share), seed=SEED)
    if "CASES" in os.environ:  # somebody watches
        with capsys.disabled():
            print(f"\n{handler.__module__}: {found.cases} cases, seed {SEED}: {dict(sorted(found.statuses.items()))}")
    assert not found.failures, "\n\n".join(f"{' | '.join(at)}\n{what}" for at, what in found.failures.items())
    assert found.cases >= CASES * share
    # It asked for what there is an answer to, too.
    assert statuses - found.statuses.keys() == set()
