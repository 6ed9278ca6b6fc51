"""What an order may cost: from what a card is charged at least to what it is charged at most, or nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from orders.commands import MAX_LINES, MAX_QUANTITY, PlaceOrder
from orders.menu_rules import Menu
from orders.model import (
    Order,
    OrderNotPayable,
    OrderTotalTooLarge,
    OrderTotalTooSmall,
    PromoCode,
    Restaurant,
)
from orders.operations import place
from orders.workflow import workflow_input
from payments import commands
from payments.stripe_amounts import to_stripe
from tiffin import clients
from tiffin.charges import CURRENCIES, chargeable
from tiffin.discounts import FixedAmount, Offer, TakesNothingOff
from tiffin.money import Money
from worlds import ROOT
from worlds.orders import MENU_ITEM, PROBLEM, Api, an_order, orders_world
from worlds.payments import TRACE, authorize

NOW = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
ORDER = "ord_vc72z45425iwi2mntvykvtjm4w"
COMMON = json.loads((ROOT / "events" / "schemas" / "common.json").read_text("utf-8"))
MONEY = Draft202012Validator(COMMON["$defs"]["money"])


def a_menu(currency: str, price: int, fee: int) -> Restaurant:
    """A restaurant as it is read, which was let in as a file."""
    dish = {"dish_id": "dish", "name": "Dish", "description": "A dish", "category": "Dishes", "price": price}
    loaded = Menu.model_validate(
        {
            "restaurant_id": "r-1",
            "name": "One",
            "cuisine": "any",
            "city": "Port Tiffin",
            "address": "Quay 1",
            "currency": currency,
            "delivery_fee": fee,
            "dishes": [dish | {"vegetarian": False, "vegan": False, "allergens": []}],
        }
    )
    return Restaurant.model_validate(loaded.model_dump())


def a_request(lines: list[int]) -> PlaceOrder:
    wanted = [{"dish_id": "dish", "quantity": quantity} for quantity in lines]
    return PlaceOrder.model_validate(an_order() | {"restaurant_id": "r-1", "lines": wanted})


def a_code(off: int, currency: str = "EUR") -> PromoCode:
    discount = FixedAmount(amount=Money(amount=off, currency=currency))
    return PromoCode(
        "cust-1", "CODE-1234", Offer(discount, Money(amount=0, currency=currency), NOW + timedelta(days=1))
    )


def placed(menu: Restaurant, lines: list[int], code: PromoCode | None = None) -> Order:
    return place(a_request(lines), menu, customer_id="cust-1", order_id=ORDER, now=NOW, promo_code=code)


def dearest(currency: str) -> tuple[int, int]:
    """The largest price and fee that the loader lets in."""
    step = chargeable(currency).step
    return 100_000 // step * step, 10_000 // step * step


@st.composite
def requests(draw: st.DrawFn) -> tuple[Restaurant, list[int]]:
    """A menu that the loader lets in, and the lines of a request for it, leaning to the large."""
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    step = chargeable(currency).step
    price, fee = dearest(currency)
    chosen = draw(st.sampled_from([step, price]) | st.integers(1, price // step).map(lambda n: n * step))
    delivery = draw(st.sampled_from([0, fee]) | st.integers(0, fee // step).map(lambda n: n * step))
    quantities = st.sampled_from([1, MAX_QUANTITY]) | st.integers(1, MAX_QUANTITY)
    return a_menu(currency, chosen, delivery), draw(st.lists(quantities, min_size=1, max_size=MAX_LINES))


class TestRules:
    @given(requests(), st.none() | st.integers(1, 100_000_000))
    @example((a_menu("EUR", *dearest("EUR")), [MAX_QUANTITY] * MAX_LINES), None)
    @example((a_menu("UGX", *dearest("UGX")), [MAX_QUANTITY] * MAX_LINES), None)
    def test_what_is_placed_can_be_paid_announced_and_read_and_the_rest_is_refused(
        self, asked: tuple[Restaurant, list[int]], off: int | None
    ) -> None:
        menu, lines = asked
        gross = sum(lines) * menu.dishes[0].price + menu.delivery_fee
        charge = chargeable(menu.currency)
        try:
            order = placed(menu, lines, None if off is None else a_code(off, menu.currency))
        except OrderTotalTooLarge as refused:
            assert gross > charge.largest == refused.limit.amount
            return
        except TakesNothingOff:
            assert off is not None
            assert off < charge.step
            return
        except OrderTotalTooSmall as refused:
            assert off or gross < charge.smallest
            assert refused.limit.amount == charge.smallest
            return
        assert gross == order.total.amount + order.discount.amount <= charge.largest
        total = order.total
        assert total.amount == 0 or charge.smallest <= total.amount <= charge.largest
        assert to_stripe(total) <= 99_999_999
        told = workflow_input(order, TRACE)
        commands.parse(authorize(order=ORDER) | {"amount": told["total"]})
        for name in ("subtotal", "discount", "total"):
            assert MONEY.is_valid(told[name])
        assert Order.model_validate_json(order.model_dump_json()) == order

    def test_the_largest_order_is_one_cent_below_a_million(self) -> None:
        # 10 lines of 99 at 1000.00, one of 9, and the rest by the delivery.
        menu = a_menu("EUR", 100_000, 0)
        with pytest.raises(OrderTotalTooLarge, match=r"at most EUR 999999\.99"):
            placed(menu, [99] * 10 + [10])
        assert placed(menu, [99] * 10 + [9]).total == Money(amount=99_900_000, currency="EUR")

    @pytest.mark.parametrize(("price", "off"), [(30, 0), (520, 500), (49, 0)])
    def test_what_costs_less_than_a_card_is_charged_is_refused(self, price: int, off: int) -> None:
        with pytest.raises(OrderTotalTooSmall, match=r"at least EUR 0\.50"):
            placed(a_menu("EUR", price, 0), [1], a_code(off) if off else None)

    @pytest.mark.parametrize(("price", "off", "total"), [(50, 0, 50), (550, 500, 50), (500, 500, 0), (30, 30, 0)])
    def test_the_least_that_is_charged_and_nothing_are_taken(self, price: int, off: int, total: int) -> None:
        order = placed(a_menu("EUR", price, 0), [1], a_code(off) if off else None)
        assert order.total.amount == total

    @pytest.mark.parametrize(
        ("currency", "price", "says"), [("XYZ", 950, "XYZ"), ("IRR", 950, "IRR"), ("KWD", 5124, "steps of KWD 0.010")]
    )
    def test_what_a_menu_says_past_its_loader_is_refused(self, currency: str, price: int, says: str) -> None:
        menu = a_menu("EUR", price, 0).model_copy(update={"currency": currency})
        with pytest.raises(OrderNotPayable, match=says):
            placed(menu, [1])


class TestTheApi:
    @pytest.fixture
    def api(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
        with orders_world(monkeypatch) as ready:
            yield ready

    def menu(self, price: int, fee: int = 0, currency: str = "EUR") -> None:
        dish = {"dish_id": "margherita", "name": "Pizza Margherita", "price": price}
        item: dict[str, Any] = MENU_ITEM | {"currency": currency, "delivery_fee": fee, "dishes": [dish]}
        clients.table("MenusTable").put_item(Item=item)

    @pytest.mark.parametrize(
        ("menu", "lines", "slug", "limit"),
        [
            ((100_000,), [99] * 11, "order-total-too-large", {"amount": 99_999_999, "currency": "EUR"}),
            ((100_000, 0, "UGX"), [99], "order-total-too-large", {"amount": 999_999, "currency": "UGX"}),
            ((10**15,), [1], "order-total-too-large", {"amount": 99_999_999, "currency": "EUR"}),
            ((1, 10**15), [1], "order-total-too-large", {"amount": 99_999_999, "currency": "EUR"}),
            ((30,), [1], "order-total-too-small", {"amount": 50, "currency": "EUR"}),
            ((49, 0, "JPY"), [1], "order-total-too-small", {"amount": 50, "currency": "JPY"}),
            ((950, 0, "XYZ"), [1], "order-not-payable", None),
        ],
        ids=["eleven lines", "shillings", "dear dish", "dear delivery", "30 cents", "49 yen", "no currency"],
    )
    def test_a_total_that_no_card_is_charged_is_refused_and_changes_nothing(
        self, api: Api, menu: tuple[Any, ...], lines: list[int], slug: str, limit: dict[str, Any] | None
    ) -> None:
        self.menu(*menu)
        wanted = [{"dish_id": "margherita", "quantity": quantity} for quantity in lines]
        status, problem = api.place(lines=wanted)
        assert (status, problem["type"], problem.get("limit")) == (422, PROBLEM + slug, limit)
        assert api.rows() == []
        assert not api.workflow.started

    def test_a_code_that_leaves_twenty_cents_is_not_spent(self, api: Api) -> None:
        self.menu(520)
        codes = clients.table("PromoCodesTable")
        discount = {"type": "fixed", "amount": {"amount": 500, "currency": "EUR"}}
        codes.put_item(
            Item={
                "customer_id": "cust-1",
                "code": "SORRY-12345678",
                "discount": json.dumps(discount),
                "minimum_order": {"amount": 0, "currency": "EUR"},
                "valid_until": "2999-01-01T00:00:00.000Z",
            }
        )
        before = codes.scan()["Items"]
        one = [{"dish_id": "margherita", "quantity": 1}]
        status, problem = api.place(lines=one, promo_code="SORRY-12345678")
        assert (status, problem["type"]) == (422, PROBLEM + "order-total-too-small")
        assert (codes.scan()["Items"], api.rows()) == (before, [])
