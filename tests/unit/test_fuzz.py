"""All APIs, asked at random what their documents allow and what they do not: `make fuzz` asks more."""

import os
from collections.abc import Iterator

import pytest
from estimates import api as estimates_api
from estimates.store import EstimateStore
from orders import api as orders_api
from promotions import api as promotions_api
from support import api as support_api
from tiffin.callers import Role
from worlds.fuzzing import WHOSE, Kitchen, fuzz
from worlds.gateway import CUSTOMER, Handler
from worlds.orders import orders_world
from worlds.promotions import TRACE, RecordingStore, delivered
from worlds.support import World as Support
from worlds.templates import create_table

CASES = int(os.environ.get("CASES", "200"))
SEED = int(os.environ.get("SEED", "1"))


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
        told = Support().stories
        monkeypatch.setattr(support_api, "stories", lambda: told)
        yield


@pytest.mark.generated
@pytest.mark.parametrize(
    ("handler", "role", "share", "statuses"),
    [
        (orders_api.handler, WHOSE, 0.5, {200, 201, 202, 400, 401, 404, 405, 409, 415, 422}),
        *((orders_api.handler, role, 0.1, {200, 401, 403}) for role in Role),
        (promotions_api.handler, Role.CUSTOMER, 0.15, {200, 401, 405, 422}),
        (promotions_api.handler, Role.SUPPORT, 0.05, {401, 403}),
        (estimates_api.handler, Role.CUSTOMER, 0.1, {401, 404, 405, 422}),
        (estimates_api.handler, Role.COURIER, 0.05, {401, 403}),
        (support_api.handler, Role.SUPPORT, 0.1, {200, 401, 404, 405, 422}),
        (support_api.handler, Role.CUSTOMER, 0.05, {401, 403}),
    ],
)
def test_an_api_does_as_its_document_says(
    capsys: pytest.CaptureFixture[str], handler: Handler, role: str, share: float, statuses: set[int]
) -> None:
    found = fuzz(handler, role, cases=int(CASES * share), seed=SEED)
    if "CASES" in os.environ:  # somebody watches
        with capsys.disabled():
            came = dict(sorted(found.statuses.items()))
            print(f"\n{handler.__module__}, {role}: {found.cases} cases, seed {SEED}: {came}")
    assert not found.failures, "\n\n".join(f"{' | '.join(at)}\n{what}" for at, what in found.failures.items())
    assert found.cases >= CASES * share
    # It asked for what there is an answer to, too.
    assert statuses - found.statuses.keys() == set()
