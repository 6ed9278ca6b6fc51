"""What AWS is asked for one request of a warm function: at most these calls."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import estimates.api
import promotions.api
import pytest
from estimates.store import EstimateStore
from moto import mock_aws
from orders.customers import CustomerStore
from orders.limits import Limits
from orders.model import PromoCode
from orders.promo_codes import PromoCodeStore
from orders.workflow import OrderWorkflow
from tiffin import clients
from tiffin.discounts import FreeDelivery, Offer
from tiffin.money import Money
from worlds.aws import before_each_call
from worlds.gateway import ask, claims_of, courier, event, restaurant, support
from worlds.orders import MENU_ITEM, Api, an_order, orders_world
from worlds.promotions import ANNA, TRACE, RecordingStore, delivered
from worlds.templates import create_table

CODE, VERSION = "WELCOME-7Q2M4KXC", "menu_1"
READ, WRITE, START = "BatchGetItem", "TransactWriteItems", "StartExecution"
MOVE = [READ, "UpdateItem", "SendTaskSuccess"]


class Calls(list[str]):
    """What AWS was asked since the last look, operation by operation. Step Functions answers, and executes nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def noted(service: str, operation: str, _: Mapping[str, Any]) -> Any:
            self.append(operation)
            return {"startDate": datetime.now(UTC)} if service == "stepfunctions" else None

        before_each_call(monkeypatch, noted)

    def since(self) -> list[str]:
        made = [*self]
        self.clear()
        return made


class Warm:
    """The orders API, which has placed an order from the restaurant before."""

    def __init__(self, api: Api, calls: Calls) -> None:
        self.api, self.calls = api, calls
        table("MenusTable").put_item(Item=MENU_ITEM | {"menu_version": VERSION})
        self.earlier = self.place("before")
        self.calls.clear()

    def place(self, key: str = "key", status: int = 201, **changes: Any) -> str:
        answered, body = self.api.place(key, **changes)
        assert answered == status, body
        return str(body.get("order_id"))

    def quote(self, status: int = 200, **changes: Any) -> None:
        basket = {name: an_order()[name] for name in ("restaurant_id", "lines")}
        answered, body = self.api.call("POST", "/quotes", basket | changes)
        assert answered == status, body

    def get(self, path: str, claims: dict[str, str] | None = None, answer: int = 200, **query: str) -> None:
        answered, body = self.api.call("GET", path, claims=claims, query=query)
        assert answered == answer, body

    def earlier_is(self, status: str) -> str:
        self.api.put(self.earlier, status)
        self.calls.clear()
        return f"/orders/{self.earlier}"

    def move(self, move: str, status: str) -> None:
        path = self.earlier_is(status)
        answered, body = self.api.call("POST", f"{path}/{move}")
        assert answered == 202, body

    def give_code(self) -> None:
        offer = Offer(FreeDelivery(type="free_delivery"), Money(amount=0, currency="EUR"), later())
        PromoCodeStore(table("PromoCodesTable")).add(PromoCode("cust-1", CODE, offer))
        self.calls.clear()

    # Scenarios of more than one step.

    def place_with_a_code(self) -> None:
        self.give_code()
        self.place(promo_code=CODE)

    def place_from_another_restaurant(self, status: int = 201, dish_id: str = "margherita") -> None:
        table("MenusTable").put_item(Item=MENU_ITEM | {"restaurant_id": "sakura"})
        self.calls.clear()
        self.place(status=status, restaurant_id="sakura", lines=[{"dish_id": dish_id, "quantity": 1}])

    def quote_with_a_code(self) -> None:
        self.give_code()
        self.quote(promo_code=CODE)

    def quote_from_another_restaurant(self) -> None:
        table("MenusTable").put_item(Item=MENU_ITEM | {"restaurant_id": "sakura"})
        self.calls.clear()
        self.quote(restaurant_id="sakura")

    def repeat_what_goes_on(self) -> None:
        self.earlier_is("PREPARING")
        self.place("before", 200)

    def repeat_with_the_code_that_it_spent(self) -> None:
        self.give_code()
        order_id = self.place(promo_code=CODE)
        self.calls.clear()
        assert self.place(status=200, promo_code=CODE) == order_id


def later() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def table(name: str) -> Any:
    return clients.table(name)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> Iterator[Warm]:
    with orders_world(monkeypatch) as api:
        machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:order"
        workflow = OrderWorkflow(boto3.client("stepfunctions"), machine)
        monkeypatch.setattr(api.module, "workflow", lambda: workflow)
        yield Warm(api, calls)


PLACING: dict[str, tuple[Callable[[Warm], object], list[str]]] = {
    "an order": (Warm.place, [WRITE, START]),
    "with the version of the menu": (lambda warm: warm.place(menu_version=VERSION), [WRITE, START]),
    "with a promo code": (Warm.place_with_a_code, [READ, WRITE, START]),
    "the first one of a restaurant": (Warm.place_from_another_restaurant, ["GetItem", WRITE, START]),
    "once more, before it has begun": (lambda warm: warm.place("before", 200), [WRITE, START]),
    "once more, later": (Warm.repeat_what_goes_on, [WRITE, READ]),
    "once more, with its code": (Warm.repeat_with_the_code_that_it_spent, [READ, WRITE, START]),
    "another one by the same key": (lambda warm: warm.place("before", 409, note="Another."), [WRITE]),
    # Refused: only what is wrong costs more, as it is looked at again before it is said.
    "of an unknown dish": (
        lambda warm: warm.place(status=422, lines=[{"dish_id": "none", "quantity": 1}]),
        ["GetItem", READ],
    ),
    "of an unknown dish, the first one of a restaurant": (
        lambda warm: warm.place_from_another_restaurant(422, "none"),
        ["GetItem", READ],
    ),
    "with a wrong code": (lambda warm: warm.place(status=422, promo_code="GUESS-1"), [READ, READ, "UpdateItem"]),
}


@pytest.mark.parametrize(("act", "most"), PLACING.values(), ids=PLACING)
def test_to_place_an_order_takes_these_calls_at_most(
    warm: Warm, calls: Calls, act: Callable[[Warm], object], most: list[str]
) -> None:
    act(warm)
    assert Counter(calls.since()) <= Counter(most)


OTHERS: dict[str, dict[str, tuple[Callable[[Warm], object], list[str]]]] = {
    "POST /quotes": {
        "": (Warm.quote, []),
        "of a restaurant that is not remembered": (Warm.quote_from_another_restaurant, ["GetItem"]),
        "with a promo code": (Warm.quote_with_a_code, [READ, READ]),
        "with a wrong code": (lambda warm: warm.quote(422, promo_code="GUESS-1"), [READ, "UpdateItem"]),
    },
    "GET /orders": {"": (lambda warm: warm.get("/orders"), ["Query"])},
    "GET /orders/{order_id}": {
        "by its customer": (lambda warm: warm.get(warm.earlier_is("PREPARING")), [READ]),
        "by its restaurant": (lambda warm: warm.get(warm.earlier_is("PREPARING"), restaurant()), [READ]),
        "by a courier": (lambda warm: warm.get(warm.earlier_is("PREPARING"), courier()), [READ]),
        "by support": (lambda warm: warm.get(warm.earlier_is("PREPARING"), support()), [READ]),
        "by a stranger": (lambda warm: warm.get(f"/orders/{warm.earlier}", claims_of("cust-2"), 404), [READ]),
        "by anybody, of none": (lambda warm: warm.get("/orders/ord_none", answer=404), [READ]),
    },
    "POST /orders/{order_id}/accept": {"": (lambda warm: warm.move("accept", "AWAITING_RESTAURANT"), MOVE)},
    "POST /orders/{order_id}/reject": {"": (lambda warm: warm.move("reject", "AWAITING_RESTAURANT"), MOVE)},
    "POST /orders/{order_id}/dispatch": {"": (lambda warm: warm.move("dispatch", "PREPARING"), MOVE)},
    "POST /orders/{order_id}/deliver": {"": (lambda warm: warm.move("deliver", "OUT_FOR_DELIVERY"), MOVE)},
    "POST /orders/{order_id}/cancel": {
        "": (lambda warm: warm.move("cancel", "AWAITING_RESTAURANT"), [READ, "UpdateItem", "StopExecution"])
    },
    "GET /kitchen/orders": {"": (lambda warm: warm.get("/kitchen/orders"), ["Query"])},
    "GET /courier/orders": {
        "to be fetched": (lambda warm: warm.get("/courier/orders"), ["Query"]),
        "on the road": (lambda warm: warm.get("/courier/orders", which="mine"), ["Query"]),
    },
    "GET /support/orders": {
        "of a status": (lambda warm: warm.get("/support/orders", status="PLACED"), ["Query"]),
        "of a customer": (lambda warm: warm.get("/support/orders", customer="cust-1"), ["Query"]),
        "of a customer in a status": (
            lambda warm: warm.get("/support/orders", customer="cust-1", status="PLACED"),
            ["Query"],
        ),
        "all open ones, of four statuses": (lambda warm: warm.get("/support/orders"), ["Query"] * 4),
    },
    "GET /restaurants": {"": (lambda warm: warm.get("/restaurants"), ["Query"])},
    "GET /restaurants/{restaurant_id}/menu": {"": (lambda warm: warm.get("/restaurants/bella/menu"), ["GetItem"])},
    "GET /openapi.json": {"": (lambda warm: warm.get("/openapi.json"), [])},
}
CASES = [
    pytest.param(act, most, id=f"{route} {how}") for route, ways in OTHERS.items() for how, (act, most) in ways.items()
]


@pytest.mark.parametrize(("act", "most"), CASES)
def test_whatever_else_is_asked_takes_these_calls_at_most(
    warm: Warm, calls: Calls, act: Callable[[Warm], object], most: list[str]
) -> None:
    act(warm)
    made = calls.since()
    assert Counter(made) <= Counter(most)
    assert made or not most  # what is counted is counted


def test_every_route_is_counted(warm: Warm) -> None:
    assert {*OTHERS, "POST /orders"} == {*warm.api.module.app.access}


def test_whoever_tried_too_many_codes_causes_the_same_calls_by_a_right_one_and_a_wrong_one(
    warm: Warm, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an answer nor the time that it takes says whether a code is right."""
    warm.give_code()
    limits = Limits(open_orders=1000, orders=1000, declines=1000, refused_codes=0)
    customers = CustomerStore(table("CustomersTable"), limits)
    monkeypatch.setattr(warm.api.module, "customers", lambda: customers)
    asked: list[Callable[[str], object]] = [
        lambda code: warm.place(code, 429, promo_code=code),
        lambda code: warm.quote(429, promo_code=code),
    ]
    for ask_for in asked:
        made = []
        for code in (CODE, "GUESS-1"):
            ask_for(code)
            made.append(calls.since())
        assert made[0] == made[1]
        assert made[0]


def test_a_customer_s_promo_codes_take_two_queries_at_most(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    with mock_aws():
        store = RecordingStore(create_table("promotions", "PromotionsTable"))
        monkeypatch.setattr(promotions.api, "store", lambda: store)
        store.record(delivered(1), TRACE)
        calls.clear()
        answer = ask(promotions.api.handler, event("GET", "/promo-codes", claims=claims_of(ANNA)))
        assert (answer.status, len(answer.body["promo_codes"])) == (200, 1)
        assert Counter(calls.since()) <= Counter(["Query"] * 2)


def test_an_estimate_takes_one_call(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    with mock_aws():
        store = EstimateStore(create_table("estimates", "EstimatesTable"))
        monkeypatch.setattr(estimates.api, "store", lambda: store)
        calls.clear()
        ask(estimates.api.handler, event("GET", "/orders/ord_none/estimate", claims=claims_of("cust-1")))
        assert calls.since() == ["GetItem"]
