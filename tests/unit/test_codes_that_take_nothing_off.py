"""A code that would take nothing off an order is refused, and stays the customer's to spend on another one."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.model import PromoCode
from orders.promo_codes import PromoCodeStore
from pydantic import TypeAdapter
from tiffin import clients
from tiffin.discounts import Discount, FixedAmount, FreeDelivery, NotApplicable, Offer, Percentage
from tiffin.money import Money
from worlds.orders import MENU_ITEM, PROBLEM, Api, orders_world

ANNA = "cust-anna"
CODE = "WELCOME-7Q2M4KXC"
NOW = datetime.now(UTC)
FREE = {"type": "free_delivery"}


def euros(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def francs(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CHF"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API over its tables; beside Bella there is Carlo, who delivers for nothing."""
    with orders_world(monkeypatch) as ready:
        menus = clients.table("MenusTable")
        menus.put_item(Item=MENU_ITEM | {"restaurant_id": "carlo", "delivery_fee": 0})
        sweets = [{"dish_id": "sweet", "name": "One sweet", "price": 49}]
        menus.put_item(Item=MENU_ITEM | {"restaurant_id": "dolce", "dishes": sweets})
        yield ready


def issue(discount: dict[str, Any]) -> None:
    """Anna has a code without a minimum worth speaking of: taken in as of old, whatever promotions may give today."""
    offer = Offer(
        TypeAdapter[Discount](Discount).validate_python(discount),
        Money(amount=0, currency="EUR"),
        NOW + timedelta(days=30),
    )
    PromoCodeStore(clients.table("PromoCodesTable")).add(PromoCode(ANNA, CODE, offer))


def spend(world: Api, key: str, restaurant: str, dish: str = "margherita") -> tuple[int, dict[str, Any]]:
    lines = [{"dish_id": dish, "quantity": 1}]
    return world.place(key, customer_id=ANNA, promo_code=CODE, restaurant_id=restaurant, lines=lines)


def holder() -> str | None:
    return PromoCodeStore(clients.table("PromoCodesTable")).get(ANNA, CODE).reserved_by


@pytest.mark.parametrize(
    ("discount", "restaurant", "dish", "says"),
    [
        (FREE, "carlo", "margherita", "nothing off"),
        ({"type": "fixed", "amount": euros(0)}, "bella", "margherita", "nothing off"),
        ({"type": "percentage", "percent": 20, "cap": euros(0)}, "bella", "margherita", "nothing off"),
        ({"type": "percentage", "percent": 1}, "dolce", "sweet", "nothing off"),
        ({"type": "fixed", "amount": francs(500)}, "bella", "margherita", "CHF"),
        ({"type": "percentage", "percent": 20, "cap": francs(500)}, "bella", "margherita", "CHF"),
    ],
    ids=["free-delivery-that-is-free", "nothing", "cap-of-nothing", "rounded", "amount-in-francs", "cap-in-francs"],
)
def test_it_is_refused_and_no_order_has_it(
    world: Api, discount: dict[str, Any], restaurant: str, dish: str, says: str
) -> None:
    issue(discount)
    status, problem = spend(world, "key-1", restaurant, dish)
    assert (status, problem["type"]) == (422, PROBLEM + "promo-code-not-applicable")
    assert says in problem["detail"]
    assert world.rows() == []
    assert world.workflow.started == []
    assert holder() is None


def test_it_is_spent_on_the_next_order_that_it_takes_something_off(world: Api) -> None:
    issue(FREE)
    assert spend(world, "key-1", "carlo")[0] == 422

    status, order = spend(world, "key-1", "bella")

    assert (status, order["discount"], order["promo_code"]) == (201, euros(250), CODE)
    assert holder() == order["order_id"]


def test_the_same_order_without_the_code_is_placed(world: Api) -> None:
    issue(FREE)
    assert spend(world, "key-1", "carlo")[0] == 422
    status, order = world.place("key-1", customer_id=ANNA, restaurant_id="carlo")
    assert (status, order["discount"], order["promo_code"]) == (201, euros(0), None)


amounts = st.integers(0, 300).flatmap(
    lambda amount: st.sampled_from(["EUR", "CHF"]).map(lambda currency: Money(amount=amount, currency=currency))
)
discounts = st.one_of(
    st.builds(Percentage, percent=st.integers(1, 100), cap=st.none() | amounts),
    st.builds(FixedAmount, amount=amounts),
    st.builds(FreeDelivery),
)


@given(discounts, st.integers(1, 300), st.integers(0, 300), amounts)
def test_whatever_is_taken_off_is_something_and_no_more_than_the_order(
    discount: Discount, subtotal: int, fee: int, minimum: Money
) -> None:
    price, delivery = Money(amount=subtotal, currency="EUR"), Money(amount=fee, currency="EUR")
    try:
        off = Offer(discount, minimum, NOW + timedelta(days=1)).off(price, delivery, NOW)
    except NotApplicable as refused:
        assert str(refused)
    else:
        assert 0 < off.amount <= subtotal + fee
        assert off.currency == "EUR"


def test_a_refusal_is_a_document_that_says_no_code(world: Api) -> None:
    issue(FREE)
    assert CODE not in json.dumps(spend(world, "key-1", "carlo")[1])
