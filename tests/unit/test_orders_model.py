"""The order domain: pricing, identity, and what a request may say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.model import (
    DELIVERY_WINDOW,
    Delivery,
    LineRequest,
    OrderStatus,
    PlaceOrder,
    Restaurant,
    UnknownDish,
    order_id_for,
    place,
    workflow_input,
)
from pydantic import ValidationError
from tiffin.money import CurrencyMismatch, Money

NOW = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
MENU = Restaurant.model_validate(
    {
        "restaurant_id": "bella",
        "name": "Bella",
        "cuisine": "italian",
        "currency": "EUR",
        "delivery_fee": 250,
        "dishes": [
            {"dish_id": "margherita", "name": "Pizza Margherita", "price": 950},
            {"dish_id": "tiramisu", "name": "Tiramisù", "price": 620},
        ],
    }
)


def a_request(**changes: object) -> PlaceOrder:
    body = {
        "customer_id": "cust-1",
        "restaurant_id": "bella",
        "lines": [{"dish_id": "margherita", "quantity": 2}],
        "payment_method": "pm_card_visa",
        "delivery": {"name": "Ada", "address": "1 Analytical Row"},
    }
    return PlaceOrder.model_validate(body | changes)


class TestPricing:
    def test_the_total_is_dishes_times_quantity_plus_the_delivery_fee(self) -> None:
        request = a_request(lines=[{"dish_id": "margherita", "quantity": 2}, {"dish_id": "tiramisu", "quantity": 1}])
        order = place(request, MENU, order_id="ord_1", now=NOW)
        assert order.subtotal == Money(amount=2520, currency="EUR")
        assert order.total == Money(amount=2770, currency="EUR")
        assert [line.price.amount for line in order.lines] == [1900, 620]

    def test_a_dish_that_is_not_on_the_menu_is_named(self) -> None:
        with pytest.raises(UnknownDish) as refusal:
            place(a_request(lines=[{"dish_id": "sushi", "quantity": 1}]), MENU, order_id="ord_1", now=NOW)
        assert refusal.value.dish_id == "sushi"

    @given(st.integers(min_value=0, max_value=10_000))
    def test_a_discount_never_makes_the_total_negative(self, off: int) -> None:
        order = place(a_request(), MENU, order_id="ord_1", now=NOW, discount=Money(amount=off, currency="EUR"))
        assert order.total.amount == max(0, 2150 - off)
        assert order.total.amount + order.discount.amount == 2150

    def test_a_discount_in_another_currency_is_refused(self) -> None:
        with pytest.raises(CurrencyMismatch):
            place(a_request(), MENU, order_id="ord_1", now=NOW, discount=Money(amount=1, currency="USD"))

    def test_a_new_order_is_placed_and_has_three_hours(self) -> None:
        order = place(a_request(), MENU, order_id="ord_1", now=NOW)
        assert order.status is OrderStatus.PLACED
        assert order.deadline_at - order.placed_at == DELIVERY_WINDOW == timedelta(hours=3)


class TestIdentity:
    def test_the_same_customer_and_key_are_the_same_order(self) -> None:
        assert order_id_for("cust-1", "key") == order_id_for("cust-1", "key")

    @given(st.tuples(st.text(min_size=1), st.text(min_size=1)), st.tuples(st.text(min_size=1), st.text(min_size=1)))
    def test_two_pairs_never_run_together(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        assert (order_id_for(*one) == order_id_for(*other)) == (one == other)

    def test_an_order_id_names_an_execution(self) -> None:
        # Step Functions allows 80 characters, and not all of them.
        order_id = order_id_for("c" * 64, "k" * 128)
        assert len(order_id) == 30
        assert order_id.replace("_", "").isalnum()

    def test_the_fingerprint_tells_bodies_apart(self) -> None:
        assert a_request().fingerprint() == a_request().fingerprint()
        assert a_request().fingerprint() != a_request(note="no basil").fingerprint()


class TestWorkflowInput:
    def test_nothing_personal_enters_the_workflow(self) -> None:
        order = place(a_request(note="ring at Lovelace"), MENU, order_id="ord_1", now=NOW)
        text = str(workflow_input(order, "Root=1"))
        assert "Ada" not in text
        assert "Analytical" not in text
        assert "Lovelace" not in text


class TestRequests:
    @pytest.mark.parametrize(
        "changes",
        [
            {"lines": []},
            {"lines": [{"dish_id": "margherita", "quantity": 1}] * 200},
            {"lines": [{"dish_id": "margherita", "quantity": 0}]},
            {"lines": [{"dish_id": "margherita", "quantity": -1}]},
            {"lines": [{"dish_id": "margherita", "quantity": 10_000}]},
            {"lines": [{"dish_id": "margherita", "quantity": 1.5}]},
            {"lines": [{"dish_id": "margherita", "quantity": "2"}]},
            {"lines": [{"dish_id": "margherita", "quantity": True}]},
            {"lines": [{"dish_id": "margherita", "quantity": 1, "price": -5}]},
            {"lines": [{"dish_id": "margherita", "quantity": 1, "price": 9.5}]},
            {"total": 1},
            {"customer_id": ""},
            {"customer_id": "a b"},
            {"payment_method": "4242424242424242"},
            {"delivery": {"name": "", "address": "x"}},
            {"note": "x" * 501},
            {"note": "bell\x07"},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, changes: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            a_request(**changes)

    def test_a_note_may_be_in_any_language(self) -> None:
        note = "ohne Zwiebeln, bitte 🧅🚫 — 谢谢\nنعم"
        assert a_request(note=note).note == note

    def test_requests_are_values(self) -> None:
        assert a_request().lines == [LineRequest(dish_id="margherita", quantity=2)]
        assert a_request().delivery == Delivery(name="Ada", address="1 Analytical Row")
