"""A request that is repeated is its order, or its key is used: its promo code is judged by nobody any more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from orders.limits import Limits
from orders.model import PromoCode
from orders.promo_codes import PromoCodeStore
from tiffin import clients
from tiffin.discounts import FreeDelivery, Offer
from tiffin.money import Money
from worlds.gateway import CUSTOMER
from worlds.orders import PROBLEM, Api, orders_world

CODE, OTHER = "WELCOME-7Q2M4KXC", "LOYALTY-3FQ9WZ2K"
LIMITS = Limits(open_orders=5, orders=10, declines=2, refused_codes=1)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch, LIMITS) as ready:
        offer = Offer(
            FreeDelivery(type="free_delivery"), Money(amount=0, currency="EUR"), datetime.now(UTC) + timedelta(days=1)
        )
        for code in (CODE, OTHER):
            PromoCodeStore(table("PromoCodesTable")).add(PromoCode(CUSTOMER, code, offer))
        yield ready


def table(name: str) -> Any:
    return clients.table(name)


def refused_codes() -> int:
    return sum(int(row.get("refused_codes", 0)) for row in table("CustomersTable").scan()["Items"])


def test_a_code_that_is_known_no_more_is_no_wrong_guess(api: Api) -> None:
    _, order = api.place(promo_code=CODE)
    table("PromoCodesTable").delete_item(Key={"customer_id": CUSTOMER, "code": CODE})
    assert api.place(promo_code=CODE) == (200, order)
    assert refused_codes() == 0


def test_a_code_that_can_be_read_no_more_is_in_nobodys_way(api: Api) -> None:
    _, order = api.place(promo_code=CODE)
    table("PromoCodesTable").put_item(Item={"customer_id": CUSTOMER, "code": CODE, "discount": "?"})
    assert api.place(promo_code=CODE) == (200, order)


@pytest.mark.parametrize("code", [None, OTHER, "GUESS-1"], ids=["no code", "a right code", "a wrong code"])
def test_a_key_that_was_used_for_another_body_is_told_whatever_its_code(api: Api, code: str | None) -> None:
    api.place(promo_code=CODE)
    before = table("PromoCodesTable").scan()["Items"]
    status, problem = api.place(promo_code=code)
    assert (status, problem["type"]) == (409, PROBLEM + "idempotency-key-reused")
    # Or codes could be guessed without end, and told by how long the answer takes.
    assert refused_codes() == (code == "GUESS-1")
    assert table("PromoCodesTable").scan()["Items"] == before


def test_a_code_that_is_wrong_counts_once_for_each_request(api: Api) -> None:
    assert api.place(promo_code="GUESS-1")[1]["type"] == PROBLEM + "unknown-promo-code"
    assert refused_codes() == 1
    assert api.place("key-2", promo_code="GUESS-2")[1]["type"] == PROBLEM + "too-many-codes"
    assert refused_codes() == 1
