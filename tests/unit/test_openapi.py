"""The OpenAPI documents tell the truth: each answer that they know is given, and each kind of refusal is in them."""

import ast
import importlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from estimates import api as estimates_api
from estimates.store import Estimate, EstimateStore
from live import api as live_api
from live.connections import Connections
from live.tickets import Tickets
from moto import mock_aws
from orders import api as orders_api
from orders.menus import MenuStore
from orders.promo_codes import PromoCodeStore
from promotions import api as promotions_api
from promotions.store import PromotionsStore
from support import api as support_api
from tiffin.callers import Role
from tiffin.rest import ANYWHERE
from worlds import ROOT
from worlds.described import NOWHERE, described
from worlds.gateway import CUSTOMER, Answer, Handler, ask, claims_of, event, support
from worlds.orders import MENU_ITEM, Api, an_order, orders_world
from worlds.support import ORDER
from worlds.support import World as Support
from worlds.templates import create_table, resources

JSON = {"Content-Type": "application/json"}
DOCUMENTS = [described(api.handler) for api in (orders_api, promotions_api, support_api, estimates_api, live_api)]
PROBLEMS = "https://tiffin.example/problems/"
GATEWAY = {
    service: resources(service)["Api"]["Properties"]["GatewayResponses"]
    for service in ("orders", "promotions", "support", "estimates", "live")
}


def refused_in_code() -> set[str]:
    """The problem types that the services make: the word behind the status in each `Problem(...)`."""
    found = set()
    for path in (ROOT / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
                slug = node.args[1]
                assert isinstance(slug, ast.Constant), (
                    f"{path}:{node.lineno}: a problem type is written where it is made"
                )
                found.add(str(slug.value))
    return found


def refused_by_gateway() -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for responses in GATEWAY.values():
        for response in responses.values():
            problem = json.loads(response["ResponseTemplates"]["application/json"])
            found.setdefault(problem["type"].removeprefix(PROBLEMS), set()).update({problem.get("status", 0)} - {0})
    return found


def table() -> dict[str, set[str]]:
    """The page's table: problem types with their statuses."""
    rows = re.findall(r"^\| `([a-z-]+)` \| ([0-9x, ]+) \|", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)
    return {kind: set(statuses.split(", ")) for kind, statuses in rows}


class TestTheCatalogue:
    def test_every_refusal_is_documented(self) -> None:
        """A kind of refusal that is new belongs into the route's `answers` and into docs/api.md."""
        made = refused_in_code() | refused_by_gateway().keys()
        known = {kind for document in DOCUMENTS for *_, kind in document.refusals()}
        assert sorted(made - known - NOWHERE) == []
        assert sorted(made ^ table().keys()) == []

    def test_the_page_has_the_statuses_of_the_documents(self) -> None:
        statuses: dict[str, set[str]] = {}
        for _, _, status, kind in (refusal for document in DOCUMENTS for refusal in document.refusals()):
            statuses.setdefault(kind, set()).add(str(status))
        assert {kind: known for kind, known in table().items() if kind not in NOWHERE} == statuses

    def test_api_gateway_answers_alike_for_all(self) -> None:
        assert all(GATEWAY["orders"] == answers for answers in GATEWAY.values())

    @pytest.mark.parametrize(("kind", "response"), GATEWAY["orders"].items())
    def test_what_api_gateway_answers_is_a_problem_document(self, kind: str, response: dict[str, Any]) -> None:
        problem = json.loads(response["ResponseTemplates"]["application/json"])
        assert response["ResponseParameters"]["Headers"]["Content-Type"] == "'application/problem+json'"
        assert problem.keys() >= {"type", "title", "detail", "request_id"}
        # The default ones stand for several statuses, and name none.
        assert str(problem.get("status", "")) == response.get("StatusCode", "")
        assert table()[problem["type"].removeprefix(PROBLEMS)]

    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_every_parameter_says_what_it_is_and_what_fits(self, document: Any) -> None:
        for operations in document.document["paths"].values():
            for operation in operations.values():
                assert operation["summary"]
                for parameter in operation.get("parameters", []):
                    assert parameter["description"], parameter
                    limits = json.dumps(parameter["schema"])
                    named = re.findall(r"#/components/schemas/(\w+)", limits)
                    limits += json.dumps([document.document["components"]["schemas"][name] for name in named])
                    assert re.search("pattern|maxLength|maximum|enum", limits), parameter

    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_no_schema_is_left_over(self, document: Any) -> None:
        text = json.dumps(document.document)
        for name in document.document["components"]["schemas"]:
            assert f"#/components/schemas/{name}" in text


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as ready:
        promotions = create_table("promotions", "PromotionsTable")
        monkeypatch.setattr(promotions_api, "store", lambda: PromotionsStore(promotions))
        estimates = EstimateStore(create_table("estimates", "EstimatesTable"))
        monkeypatch.setattr(estimates_api, "store", lambda: estimates)
        tickets, listeners = create_table("live", "TicketsTable"), create_table("live", "ConnectionsTable")
        monkeypatch.setattr(live_api, "tickets", lambda: Tickets(tickets))
        monkeypatch.setattr(live_api, "connections", lambda: Connections(listeners))
        monkeypatch.setenv("LIVE_URL", "wss://live.example/v1")
        yield ready


class Tour:
    """Asks for each answer that the documents know, and notes which came."""

    def __init__(self, world: Api) -> None:
        self.world = world
        self.seen: set[tuple[str, str, int, str]] = set()

    def ask(self, method: str, path: str, handler: Handler = orders_api.handler, **request: Any) -> Answer:
        answer = ask(handler, event(method, path, **request))
        known = described(handler)
        known.must_know(method, path, answer.status, answer.headers.get("content-type", ""), answer.text)
        if route := known.route(method, path):
            self.seen.add((*route, answer.status, answer.problem))
            if method == "GET" and answer.status == 200:
                has = {"If-None-Match": answer.headers["etag"]}
                self.ask(method, path, handler, **request | {"headers": request.get("headers", {}) | has})
        return answer

    def place(self, key: str = "k", body: Any = None, **changes: Any) -> Answer:
        text = body if body is not None else json.dumps(an_order() | changes)
        return self.ask("POST", "/orders", body=text, headers=JSON | {"Idempotency-Key": key})

    def quote(self, **changes: Any) -> Answer:
        basket = {name: an_order()[name] for name in ("restaurant_id", "lines")}
        return self.ask("POST", "/quotes", body=json.dumps(basket | changes), headers=JSON)

    def promo_code(self, code: str, **item: Any) -> str:
        """A code as promotions announce it, for the customer of `an_order`."""
        codes = orders_api.promo_codes()
        assert isinstance(codes, PromoCodeStore)
        codes._table.put_item(
            Item={
                "customer_id": "cust-1",
                "code": code,
                "discount": json.dumps({"type": "free_delivery"}),
                "minimum_order": {"amount": 0, "currency": "EUR"},
                "valid_until": "2999-01-01T00:00:00.000Z",
            }
            | item
        )
        return code


def at_a_restaurant(tour: Tour, currency: str, price: int, **item: Any) -> str:
    """A restaurant whose one dish has this price, in minor units."""
    menus = orders_api.menus()
    assert isinstance(menus, MenuStore)
    dish = {"dish_id": "margherita", "name": "Pizza Margherita", "price": price}
    restaurant_id = f"r-{currency.lower()}-{price}"
    served = MENU_ITEM | {"restaurant_id": restaurant_id, "currency": currency, "delivery_fee": 0, "dishes": [dish]}
    menus._table.put_item(Item=served | item)
    return restaurant_id


def ask_with_a_card_number(tour: Tour) -> None:
    for path, operations in described(orders_api.handler).document["paths"].items():
        for method in operations:
            asked = path.replace("{order_id}", "ord_none").replace("{restaurant_id}", "bella")
            body: dict[str, Any] = {"body": "{}", "headers": JSON | {"Idempotency-Key": "k-4"}}
            tour.ask(method.upper(), asked, query="x=4242+4242+4242+4242", **(body if method == "post" else {}))


def ask_for_what_cannot_be_read(tour: Tour) -> None:
    order_id = tour.world.place("k-5")[1]["order_id"]
    tour.world.table.update_item(
        Key={"order_id": order_id}, UpdateExpression="SET deadline_at = :d", ExpressionAttributeValues={":d": "soon"}
    )
    tour.ask("GET", f"/orders/{order_id}")
    tour.world.put(order_id, "PREPARING")  # where it is every role's business
    for move in ("accept", "reject", "dispatch", "deliver", "cancel"):
        tour.ask("POST", f"/orders/{order_id}/{move}")
    broken = at_a_restaurant(tour, "EUR", 950, dishes="none")
    tour.ask("GET", f"/restaurants/{broken}/menu")
    tour.place("k-6", restaurant_id=broken)
    tour.quote(restaurant_id=broken)


def refuse_a_body(tour: Tour, path: str, headers: dict[str, str]) -> None:
    for body, content_type in [("{" * 70_000, "application/json"), (b"\xff", "application/json"), ("{}", "text/plain")]:
        tour.ask("POST", path, body=body, headers=headers | {"Content-Type": content_type})


def place_orders(tour: Tour) -> None:
    tour.place()
    tour.place()
    tour.place(note="another body")
    refuse_a_body(tour, "/orders", {"Idempotency-Key": "k-3"})
    tour.quote()
    refuse_a_body(tour, "/quotes", {})
    for ask_for in (partial(tour.place, "k-2"), tour.quote):
        ask_for(restaurant_id="nowhere")
        ask_for(menu_version="menu_of-yesterday")
        ask_for(lines=[{"dish_id": "sushi", "quantity": 1}])
        ask_for(promo_code="NOBODYS-1")
        ask_for(promo_code=tour.promo_code("EXPIRED-1", valid_until="2020-01-01T00:00:00.000Z"))
        ask_for(promo_code=tour.promo_code("LARGE-1", minimum_order={"amount": 10_000, "currency": "EUR"}))
        ask_for(promo_code=tour.promo_code("TAKEN-1", reserved_by="ord_other"))
        for currency, price in (("EUR", 10), ("EUR", 10**9), ("XYZ", 950)):
            ask_for(restaurant_id=at_a_restaurant(tour, currency, price))
        # Its delivery is free already.
        ask_for(restaurant_id=at_a_restaurant(tour, "EUR", 950), promo_code=tour.promo_code("FREE-1"))
        ask_for(quantity=1)


def read_orders(tour: Tour) -> None:
    order_id = tour.world.place()[1]["order_id"]
    for path in (f"/orders/{order_id}", "/orders/ord_none", "/orders/%00"):
        tour.ask("GET", path)
    tour.ask("GET", f"/orders/{order_id}", claims=claims_of("support-1", "support"))
    for path in ("/orders", "/kitchen/orders", "/courier/orders", "/support/orders"):
        for query in ("", "limit=0", "next=x"):
            tour.ask("GET", path, query=query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORDER_INDEXES", "2")
        for path in ("/kitchen/orders", "/courier/orders", "/support/orders"):
            tour.ask("GET", path)


def move_orders(tour: Tour) -> None:
    for move, status in {
        "accept": "AWAITING_RESTAURANT",
        "reject": "AWAITING_RESTAURANT",
        "cancel": "PLACED",
        "dispatch": "PREPARING",
        "deliver": "OUT_FOR_DELIVERY",
    }.items():
        order_id = tour.world.place(f"key-{move}")[1]["order_id"]
        tour.world.put(order_id, status)
        for path in (
            f"/orders/{order_id}/{move}",
            f"/orders/{order_id}/{move}",
            f"/orders/x/{move}",
            f"/orders/%00/{move}",
        ):
            tour.ask("POST", path)
        refuse_a_body(tour, f"/orders/{order_id}/{move}", {})


def read_menus(tour: Tour) -> None:
    for path in ("/restaurants/bella/menu", "/restaurants/nowhere/menu", "/restaurants/%00/menu"):
        tour.ask("GET", path)
    for query in ("", "limit=0", "next=x"):
        tour.ask("GET", "/restaurants", query=query)


def read_promo_codes(tour: Tour) -> None:
    for query in ("", "limit=0", "next=x"):
        tour.ask("GET", "/promo-codes", promotions_api.handler, query=query)


def read_estimates(tour: Tour) -> None:
    made = Estimate(
        order_id="ord_" + "a" * 26,
        customer_id=CUSTOMER,
        minutes=30,
        accepted_at=datetime(2026, 11, 26, tzinfo=UTC),
    )
    estimates_api.store().keep(made)
    estimates_api.store()._table.put_item(Item={"order_id": "ord_broken", "customer_id": CUSTOMER})
    for order_id in (made.order_id, "ord_none", "%00", "ord_broken"):
        tour.ask("GET", f"/orders/{order_id}/estimate", estimates_api.handler)


def read_stories(tour: Tour) -> None:
    """An order of every part that a story has; and one that is being read for somebody else."""
    world = Support()
    world.execution(status="ABORTED")
    world.unwind("by-chance")
    world.aws.failing["filter_log_events"] = "ThrottlingException"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(support_api, "stories", lambda: world.stories)
        for path in (f"/orders/{ORDER}", "/orders/ord_none", "/orders/%00", "/definitions"):
            tour.ask("GET", path, support_api.handler, claims=support())
        world.now += 1000
        for key, path in ((ORDER, f"/orders/{ORDER}"), ("#definitions", "/definitions")):
            world.store.begin(key, world.now, world.now + 28)
            tour.ask("GET", path, support_api.handler, claims=support())


def fetch_tickets(tour: Tour) -> None:
    who = claims_of("cust-1")
    for body, kind in (
        ("", "application/json"),
        ("[" * 99, "application/json"),
        ('{"topic": "support"}', "application/json"),
        ("x" * 70_000, "application/json"),
        ("a", "text/plain"),
    ):
        tour.ask("POST", "/tickets", live_api.handler, body=body, headers={"Content-Type": kind}, claims=who)


def let_nobody_in(tour: Tour) -> None:
    """Each route that is not everybody's, asked by whom it is not for."""
    for handler in (
        orders_api.handler,
        promotions_api.handler,
        support_api.handler,
        estimates_api.handler,
        live_api.handler,
    ):
        for route, roles in importlib.import_module(handler.__module__).ACCESS.items():
            method, path = route.replace("{order_id}", "ord_none").split()
            others = [claims_of("someone", role) for role in Role if role not in (roles or Role)]
            for claims in ({}, claims_of("someone", "visitor"), *others):
                tour.ask(method, path, handler, claims=claims)


def break_everything(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = tour.world.place()[1]["order_id"]

    def fail() -> Any:
        raise RuntimeError

    for module, adapters in (
        (orders_api, ("store", "menus", "workflow")),
        (promotions_api, ("store",)),
        (support_api, ("stories",)),
        (estimates_api, ("store",)),
        (live_api, ("connections",)),
    ):
        for adapter in adapters:
            monkeypatch.setattr(module, adapter, fail)
    tour.place()
    tour.quote()
    lists = ("/orders", "/kitchen/orders", "/courier/orders", "/support/orders")
    for path in (*lists, f"/orders/{order_id}", "/restaurants", "/restaurants/bella/menu"):
        tour.ask("GET", path)
    for move in ("accept", "reject", "cancel", "dispatch", "deliver"):
        tour.ask("POST", f"/orders/{order_id}/{move}")
    tour.ask("GET", "/promo-codes", promotions_api.handler)
    tour.ask("GET", "/orders/ord_none/estimate", estimates_api.handler)
    for path in ("/orders/ord_none", "/definitions"):
        tour.ask("GET", path, support_api.handler, claims=support())
    tour.ask("POST", "/tickets", live_api.handler, claims=claims_of("cust-1"))


def test_each_answer_of_the_documents_is_given(world: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is documented that nobody gets; each that is given is as its schema says."""
    tour = Tour(world)
    parts: list[Callable[[Tour], None]] = [
        *(
            place_orders,
            read_orders,
            move_orders,
            read_menus,
            read_promo_codes,
            read_stories,
            read_estimates,
            let_nobody_in,
        ),
        fetch_tickets,
        *(ask_with_a_card_number, ask_for_what_cannot_be_read),
    ]
    for part in parts:
        part(tour)
    break_everything(tour, monkeypatch)
    of_gateway = {int(status) for status in ANYWHERE}
    documented = {
        refusal for document in DOCUMENTS for refusal in document.refusals() if refusal[2] not in of_gateway
    } | {(*success, "") for document in DOCUMENTS for success in document.successes()}
    assert sorted(documented - tour.seen) == []
    assert sorted(tour.seen - documented) == []


def test_all_documents_are_found_by_who_knows_no_table() -> None:
    with mock_aws():
        for handler in (
            orders_api.handler,
            promotions_api.handler,
            support_api.handler,
            estimates_api.handler,
            live_api.handler,
        ):
            assert ask(handler, event("GET", "/openapi.json")).headers["content-type"] == "application/json"
