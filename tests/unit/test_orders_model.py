"""The order domain: pricing, identity, and what a request may say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.commands import DeliveryRequest, LineRequest, PlaceOrder
from orders.model import (
    DELIVERY_WINDOW,
    IllegalMove,
    Move,
    Order,
    OrderStatus,
    PromoCode,
    PromoCodeAlreadyUsed,
    Restaurant,
    UnknownDish,
    order_id_for,
)
from orders.operations import place
from orders.workflow import workflow_input
from pydantic import ValidationError
from tiffin.discounts import FixedAmount, MinimumNotReached, Offer, TakesNothingOff
from tiffin.money import Money

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
        "restaurant_id": "bella",
        "lines": [{"dish_id": "margherita", "quantity": 2}],
        "payment_method": "pm_card_visa",
        "delivery": {"name": "Ada", "address": "1 Analytical Row"},
    }
    return PlaceOrder.model_validate(body | changes)


def a_code(off: int, *, currency: str = "EUR", reserved_by: str | None = None) -> PromoCode:
    offer = Offer(
        FixedAmount(amount=Money(amount=off, currency=currency)),
        minimum_order=Money(amount=0, currency=currency),
        expires_at=NOW + timedelta(days=1),
    )
    return PromoCode("cust-1", "SORRY-12345678", offer, reserved_by)


class TestPricing:
    def test_the_total_is_dishes_times_quantity_plus_the_delivery_fee(self) -> None:
        request = a_request(lines=[{"dish_id": "margherita", "quantity": 2}, {"dish_id": "tiramisu", "quantity": 1}])
        order = place(request, MENU, customer_id="cust-1", order_id="ord_1", now=NOW)
        assert order.subtotal == Money(amount=2520, currency="EUR")
        assert order.total == Money(amount=2770, currency="EUR")
        assert [line.price.amount for line in order.lines] == [1900, 620]

    def test_an_unknown_dish_is_named(self) -> None:
        with pytest.raises(UnknownDish) as refusal:
            place(
                a_request(lines=[{"dish_id": "sushi", "quantity": 1}]),
                MENU,
                customer_id="cust-1",
                order_id="ord_1",
                now=NOW,
            )
        assert refusal.value.dish_id == "sushi"

    @given(st.integers(min_value=1, max_value=10_000))
    def test_a_promo_code_takes_off_the_dishes_at_most_what_they_cost(self, off: int) -> None:
        order = place(a_request(), MENU, customer_id="cust-1", order_id="ord_1", now=NOW, promo_code=a_code(off))
        assert order.discount.amount == min(1900, off)
        assert order.total.amount == 2150 - order.discount.amount
        assert order.promo_code == "SORRY-12345678"

    def test_a_promo_code_that_takes_nothing_off_is_refused(self) -> None:
        with pytest.raises(TakesNothingOff):
            place(a_request(), MENU, customer_id="cust-1", order_id="ord_1", now=NOW, promo_code=a_code(0))

    def test_an_order_may_be_free(self) -> None:
        free = MENU.model_copy(update={"delivery_fee": 0})
        order = place(a_request(), free, customer_id="cust-1", order_id="ord_1", now=NOW, promo_code=a_code(5000))
        assert order.total == Money(amount=0, currency="EUR")

    def test_a_code_in_another_currency_is_refused(self) -> None:
        with pytest.raises(MinimumNotReached):
            place(
                a_request(), MENU, customer_id="cust-1", order_id="ord_1", now=NOW, promo_code=a_code(1, currency="USD")
            )

    def test_a_code_that_another_order_has_is_refused(self) -> None:
        with pytest.raises(PromoCodeAlreadyUsed):
            place(
                a_request(),
                MENU,
                customer_id="cust-1",
                order_id="ord_1",
                now=NOW,
                promo_code=a_code(1, reserved_by="ord_2"),
            )

    def test_a_code_that_this_very_order_has_counts_for_it(self) -> None:
        order = place(
            a_request(),
            MENU,
            customer_id="cust-1",
            order_id="ord_1",
            now=NOW,
            promo_code=a_code(100, reserved_by="ord_1"),
        )
        assert order.discount.amount == 100

    @pytest.mark.parametrize("typed", ["sorry-12345678", "  Sorry-12345678 ", "SORRY-12345678"])
    def test_a_code_may_be_typed_in_small_letters(self, typed: str) -> None:
        assert a_request(promo_code=typed).promo_code == "SORRY-12345678"

    def test_a_new_order_is_placed_and_has_three_hours(self) -> None:
        order = place(a_request(), MENU, customer_id="cust-1", order_id="ord_1", now=NOW)
        assert order.status is OrderStatus.PLACED
        assert order.deadline_at - order.placed_at == DELIVERY_WINDOW == timedelta(hours=3)


class TestMoves:
    def order(self, **changes: object) -> Order:
        return place(a_request(), MENU, customer_id="cust-1", order_id="ord_1", now=NOW).model_copy(update=changes)

    def test_a_move_is_legal_in_its_status(self) -> None:
        self.order(status=OrderStatus.AWAITING_RESTAURANT).must_allow(Move.ACCEPT, NOW)

    @pytest.mark.parametrize(
        ("changes", "later", "taken"),
        [
            ({"status": OrderStatus.PREPARING}, timedelta(0), None),
            ({"status": OrderStatus.AWAITING_RESTAURANT, "pending_move": "reject"}, timedelta(0), "reject"),
            ({"status": OrderStatus.AWAITING_RESTAURANT}, DELIVERY_WINDOW, "deadline"),
            ({"status": OrderStatus.DELIVERED}, DELIVERY_WINDOW, None),
        ],
        ids=["elsewhere", "another was first", "the deadline was first", "ended"],
    )
    def test_an_illegal_move_is_refused_with_what_was_first(
        self, changes: dict[str, object], later: timedelta, taken: str | None
    ) -> None:
        with pytest.raises(IllegalMove) as refusal:
            self.order(**changes).must_allow(Move.ACCEPT, NOW + later)
        assert refusal.value.taken == taken


class TestIdentity:
    def test_the_same_customer_and_key_are_the_same_order(self) -> None:
        assert order_id_for("cust-1", "key") == order_id_for("cust-1", "key")

    @given(st.tuples(st.text(min_size=1), st.text(min_size=1)), st.tuples(st.text(min_size=1), st.text(min_size=1)))
    def test_every_pair_of_customer_and_key_has_an_order_id_of_its_own(
        self, one: tuple[str, str], other: tuple[str, str]
    ) -> None:
        assert (order_id_for(*one) == order_id_for(*other)) == (one == other)

    def test_an_order_id_is_a_valid_name_of_an_execution(self) -> None:
        # Step Functions allows 80 characters, and not all of them.
        order_id = order_id_for("c" * 64, "k" * 128)
        assert len(order_id) == 30
        assert order_id.replace("_", "").isalnum()

    def test_the_fingerprint_tells_bodies_apart(self) -> None:
        assert a_request().fingerprint() == a_request().fingerprint()
        assert a_request().fingerprint() != a_request(note="no basil").fingerprint()
        assert a_request().fingerprint() != a_request(promo_code="SORRY-12345678").fingerprint()

    def test_a_body_keeps_its_fingerprint(self) -> None:
        # Written down: an order that was placed by an earlier version must still recognise its repeated request.
        assert a_request().fingerprint() == "b839b35a9598a362b9e7761f9eb95bfb50908d2a356df7965f0cd8c788b99f1a"


class TestWorkflowInput:
    def test_the_workflow_input_is_free_of_what_is_personal(self) -> None:
        order = place(a_request(note="ring at Lovelace"), MENU, customer_id="cust-1", order_id="ord_1", now=NOW)
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
            {"customer_id": "cust-2"},
            {"payment_method": "4242424242424242"},
            {"delivery": {"name": "", "address": "x"}},
            {"note": "x" * 501},
            {"note": "bell\x07"},
            {"promo_code": ""},
            {"promo_code": "no code"},
            {"promo_code": "X" * 33},
        ],
    )
    def test_a_senseless_request_is_refused(self, changes: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            a_request(**changes)

    def test_a_note_may_be_in_any_language(self) -> None:
        note = "ohne Zwiebeln, bitte 🧅🚫 — 谢谢\nنعم"
        assert a_request(note=note).note == note

    def test_the_parts_of_a_request_compare_by_value(self) -> None:
        assert a_request().lines == [LineRequest(dish_id="margherita", quantity=2)]
        assert a_request().delivery == DeliveryRequest(name="Ada", address="1 Analytical Row")
