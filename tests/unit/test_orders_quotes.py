"""A quote is what the same basket costs once it is ordered, refused for the same reasons, and leaves nothing behind."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.commands import MAX_LINES, Basket, PlaceOrder
from orders.customers import CustomerStore
from orders.limits import Limits
from orders.model import OrderNotPayable, PromoCode, Restaurant, UnknownDish
from orders.operations import place, quote
from orders.promo_codes import PromoCodeStore
from tiffin import clients
from tiffin.discounts import Discount, FixedAmount, FreeDelivery, NotApplicable, Offer, Percentage
from tiffin.money import Money
from worlds import gateway
from worlds.gateway import CUSTOMER, claims_of, event
from worlds.orders import MENU_ITEM, PROBLEM, Api, an_order, orders_world

LIMITS = Limits(open_orders=2, orders=4, declines=2, refused_codes=3)
NOW = datetime(2026, 5, 4, 18, 45, tzinfo=UTC)
CODE = "WELCOME-7Q2M4KXC"
TABLES = ("OrdersTable", "DeliveriesTable", "CustomersTable", "PromoCodesTable", "MenusTable")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch, LIMITS) as ready:
        monkeypatch.setattr(ready.module, "datetime", SimpleNamespace(now=lambda _: NOW))
        yield ready


def a_basket(**changes: Any) -> dict[str, Any]:
    return {name: an_order()[name] for name in ("restaurant_id", "lines")} | changes


def ask(api: Api, **changes: Any) -> tuple[int, dict[str, Any]]:
    return api.call("POST", "/quotes", a_basket(**changes))


def slug(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    status, problem = answer
    return status, str(problem["type"]).removeprefix(PROBLEM)


def give_code(code: str = CODE, discount: Discount | None = None, minimum: int = 0, days: float = 1) -> None:
    least = Money(amount=minimum, currency="EUR")
    offer = Offer(discount or FreeDelivery(type="free_delivery"), least, NOW + timedelta(days=days))
    PromoCodeStore(table("PromoCodesTable")).add(PromoCode(CUSTOMER, code, offer))


def table(name: str) -> Any:
    return clients.table(name)


def everything() -> dict[str, Any]:
    return {name: sorted(table(name).scan()["Items"], key=str) for name in TABLES}


class TestWhatItSays:
    def test_lines_fee_and_total_by_the_menu_and_its_version(self, api: Api) -> None:
        table("MenusTable").put_item(Item=MENU_ITEM | {"menu_version": "menu_1"})
        euros = {"currency": "EUR"}
        status, quoted = ask(api, menu_version="menu_1")
        line = {
            "dish_id": "margherita",
            "name": "Pizza Margherita",
            "quantity": 2,
            "unit_price": euros | {"amount": 950},
            "price": euros | {"amount": 1900},
        }
        assert (status, quoted) == (
            200,
            {
                "restaurant_id": "bella",
                "restaurant_name": "Bella",
                "menu_version": "menu_1",
                "currency": "EUR",
                "lines": [line],
                "subtotal": euros | {"amount": 1900},
                "delivery_fee": euros | {"amount": 250},
                "discount": euros | {"amount": 0},
                "total": euros | {"amount": 2150},
                "promo_code": None,
            },
        )

    def test_the_code_as_it_is_stored_and_what_it_takes_off(self, api: Api) -> None:
        give_code()
        status, quoted = ask(api, promo_code=f" {CODE.lower()} ")
        assert (status, quoted["promo_code"]) == (200, CODE)
        assert (quoted["discount"]["amount"], quoted["total"]["amount"]) == (250, 1900)

    def test_the_order_that_is_then_placed_costs_that(self, api: Api) -> None:
        give_code()
        _, quoted = ask(api, promo_code=CODE)
        _, order = api.place(promo_code=CODE)
        assert {name: order[name] for name in quoted.keys() - {"currency"}} == {
            name: value for name, value in quoted.items() if name != "currency"
        }


class TestWhatItLeaves:
    def test_nothing_is_placed_reserved_taken_or_counted(self, api: Api) -> None:
        give_code()
        before = everything()
        for _ in range(5):
            assert ask(api, promo_code=CODE)[0] == ask(api)[0] == 200
        assert everything() == before
        assert not api.workflow.started
        assert api.place(promo_code=CODE)[0] == 201

    def test_whoever_may_place_no_more_may_ask(self, api: Api) -> None:
        give_code()
        for key in ("key-1", "key-2"):
            api.place(key)
        assert slug(api.place("key-3")) == (429, "too-many-open-orders")
        assert ask(api, promo_code=CODE)[0] == 200


class TestRefusals:
    """Each as it is refused when ordered."""

    @pytest.mark.parametrize(
        ("changes", "refused"),
        [
            ({"restaurant_id": "nowhere"}, (422, "unknown-restaurant")),
            ({"lines": [{"dish_id": "sushi", "quantity": 1}]}, (422, "unknown-dish")),
            ({"menu_version": "menu_of-yesterday"}, (409, "menu-changed")),
            ({"promo_code": "NOBODYS-1"}, (422, "unknown-promo-code")),
            ({"promo_code": "EXPIRED-1"}, (422, "promo-code-expired")),
            ({"promo_code": "LARGE-1"}, (422, "promo-code-minimum-not-met")),
            ({"promo_code": "TAKEN-1"}, (409, "promo-code-already-used")),
            ({"promo_code": "FREE-1", "restaurant_id": "free"}, (422, "promo-code-not-applicable")),
            ({"restaurant_id": "cheap"}, (422, "order-total-too-small")),
            ({"restaurant_id": "dear"}, (422, "order-total-too-large")),
            ({"restaurant_id": "strange"}, (422, "order-not-payable")),
            ({"restaurant_id": "broken"}, (500, "unreadable-record")),
            ({"lines": []}, (422, "invalid-request")),
            ({"total": 1}, (422, "invalid-request")),
            ({"menu_version": "4242424242424242"}, (422, "card-number-refused")),
        ],
        ids=lambda value: value[1] if isinstance(value, tuple) else "",
    )
    def test_by_the_same_problem_and_nothing_changes(
        self, api: Api, changes: dict[str, Any], refused: tuple[int, str]
    ) -> None:
        for restaurant_id, price, currency in (("free", 950, "EUR"), ("cheap", 10, "EUR"), ("dear", 10**9, "EUR")):
            self.menu(restaurant_id, price, currency)
        self.menu("strange", 950, "XYZ")
        table("MenusTable").put_item(Item=MENU_ITEM | {"restaurant_id": "broken", "dishes": "none"})
        give_code("EXPIRED-1", days=-1)
        give_code("LARGE-1", minimum=10_000)
        give_code("FREE-1")
        give_code("TAKEN-1")
        table("PromoCodesTable").update_item(
            Key={"customer_id": CUSTOMER, "code": "TAKEN-1"},
            UpdateExpression="SET reserved_by = :o",
            ExpressionAttributeValues={":o": "ord_other"},
        )
        before = {name: rows for name, rows in everything().items() if name != "CustomersTable"}
        answer = ask(api, **changes)
        ordered = api.place(**changes)
        assert slug(answer) == refused
        assert answer == ordered or refused[1] in ("invalid-request", "card-number-refused")
        assert slug(ordered) == refused
        assert {name: rows for name, rows in everything().items() if name != "CustomersTable"} == before

    def menu(self, restaurant_id: str, price: int, currency: str) -> None:
        dish = {"dish_id": "margherita", "name": "Pizza Margherita", "price": price}
        item = MENU_ITEM | {"restaurant_id": restaurant_id, "currency": currency, "delivery_fee": 0, "dishes": [dish]}
        table("MenusTable").put_item(Item=item)

    @pytest.mark.parametrize("member", ["payment_method", "delivery", "note"])
    def test_what_does_not_decide_a_price_is_not_taken(self, api: Api, member: str) -> None:
        """Nobody should send an address where none is needed."""
        body: Any = {"note": "Ring twice."} | an_order()
        assert slug(ask(api, **{member: body[member]})) == (422, "invalid-request")

    def test_who_saw_the_menu_of_now_is_not_refused_by_the_one_that_is_remembered(self, api: Api) -> None:
        assert ask(api)[1]["total"]["amount"] == 2150
        dearer = [dish | {"price": 1000} for dish in MENU_ITEM["dishes"]]
        table("MenusTable").put_item(Item=MENU_ITEM | {"menu_version": "menu_2", "dishes": dearer})
        status, quoted = ask(api, menu_version="menu_2")
        assert (status, quoted["total"]["amount"]) == (200, 2250)


class TestGuessingCodes:
    def test_by_quotes_and_by_orders_is_one_count(self, api: Api) -> None:
        give_code()
        assert slug(ask(api, promo_code="GUESS-1")) == (422, "unknown-promo-code")
        assert slug(api.place("key-1", promo_code="GUESS-2")) == (422, "unknown-promo-code")
        assert slug(ask(api, promo_code="GUESS-3")) == (422, "unknown-promo-code")
        for code in ("GUESS-4", CODE):
            assert slug(ask(api, promo_code=code)) == (429, "too-many-codes")
            assert slug(api.place("key-2", promo_code=code)) == (429, "too-many-codes")
        assert ask(api)[0] == 200

    def test_it_is_said_when_to_ask_again(self, api: Api) -> None:
        table("CustomersTable").put_item(
            Item={"customer_id": CUSTOMER, "record": "hour#2026-05-04T18", "refused_codes": 3}
        )
        headers = {"Content-Type": "application/json"}
        request = event("POST", "/quotes", headers=headers, body=json.dumps(a_basket(promo_code=CODE)))
        answer = gateway.ask(api.module.handler, request)
        assert (answer.status, answer.headers["retry-after"]) == (429, "900")

    def test_one_customers_guesses_are_not_anothers(self, api: Api) -> None:
        for number in range(4):
            ask(api, promo_code=f"GUESS-{number}")
        other = api.call("POST", "/quotes", a_basket(promo_code="GUESS-1"), claims=claims_of("cust-2"))
        assert slug(other) == (422, "unknown-promo-code")

    def test_of_many_at_once_a_right_one_is_not_told_once_the_others_have_reached_the_limit(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All have read the code, and the count of before: as for an order, it is looked at once more."""
        give_code()
        customers: CustomerStore = api.module.customers()
        must_allow_code = customers.must_allow_code

        def others_are_counted(hour: Any, now: datetime) -> None:
            must_allow_code(hour, now)
            for _ in range(LIMITS.refused_codes):
                customers.count_refused_code(CUSTOMER, now)

        calls = iter([others_are_counted])
        monkeypatch.setattr(customers, "must_allow_code", lambda *row: next(calls, must_allow_code)(*row))
        assert slug(ask(api, promo_code=CODE)) == (429, "too-many-codes")


def discounts(currency: str) -> st.SearchStrategy[Discount]:
    amounts = st.integers(1, 100_000).map(lambda amount: Money(amount=amount, currency=currency))
    return st.one_of(
        st.just(FreeDelivery(type="free_delivery")),
        st.builds(FixedAmount, amount=amounts),
        st.builds(Percentage, percent=st.integers(1, 100), cap=st.none() | amounts),
    )


@st.composite
def asked(draw: st.DrawFn) -> tuple[dict[str, Any], Restaurant, PromoCode | None]:
    """A body that orders, a menu for it, and a code, if it has one: some of them no order can be."""
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD", "UGX"]))
    prices = st.integers(1, 100_000)
    dishes = [{"dish_id": f"dish-{n}", "name": "Dish", "price": draw(prices)} for n in range(3)]
    menu = MENU_ITEM | {"currency": currency, "delivery_fee": draw(st.integers(0, 10_000)), "dishes": dishes}
    lines = st.fixed_dictionaries({"dish_id": st.sampled_from([f"dish-{n}" for n in range(4)])}).flatmap(
        lambda line: st.integers(1, 99).map(lambda quantity: line | {"quantity": quantity})
    )
    body = an_order() | {"lines": draw(st.lists(lines, min_size=1, max_size=MAX_LINES))}
    offer = st.builds(
        Offer,
        discounts(draw(st.sampled_from([currency, currency, "EUR"]))),
        st.integers(0, 200_000).map(lambda amount: Money(amount=amount, currency=currency)),
        st.sampled_from([NOW + timedelta(days=1), NOW]),
    )
    code = draw(st.none() | st.builds(PromoCode, st.just(CUSTOMER), st.just(CODE), offer))
    return body, Restaurant.model_validate(menu), code


@given(asked())
def test_whatever_is_asked_a_quote_is_what_the_order_costs_and_both_are_refused_alike(
    question: tuple[dict[str, Any], Restaurant, PromoCode | None],
) -> None:
    body, menu, code = question
    basket = Basket.model_validate({name: body[name] for name in ("restaurant_id", "lines")})

    def outcome(priced: Callable[[], Any]) -> Any:
        try:
            return priced()
        except (UnknownDish, OrderNotPayable, NotApplicable) as refused:
            return type(refused), str(refused)

    order = PlaceOrder.model_validate(body)
    quoted = outcome(lambda: quote(basket, menu, now=NOW, promo_code=code))
    placed = outcome(lambda: place(order, menu, customer_id=CUSTOMER, order_id="ord_1", now=NOW, promo_code=code))
    if isinstance(quoted, tuple):
        assert placed == quoted
    else:
        prices = ("lines", "subtotal", "delivery_fee", "discount", "total", "promo_code", "menu_version")
        assert {name: getattr(placed, name) for name in prices} == {name: getattr(quoted, name) for name in prices}
        assert quoted.total + quoted.discount == quoted.subtotal + quoted.delivery_fee
