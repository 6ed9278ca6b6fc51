"""Who calls, by the claims that API Gateway hands on: one account has one role, and a route is for its roles alone."""

import json
from typing import Any

import pytest
from orders import api as orders_api
from tiffin.callers import Caller, Role, caller_of
from tiffin.problems import Problem
from worlds.gateway import ask, claims_of, event
from worlds.orders import Api, an_order, orders_world

SUB = "5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Any:
    with orders_world(monkeypatch) as ready:
        yield ready


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ("customer", Role.CUSTOMER),
        ("[customer]", Role.CUSTOMER),
        ("courier", Role.COURIER),
        ("support", Role.SUPPORT),
        # Other groups say nothing here, such as the one that the pool adds for each other place to sign in.
        ("eu-central-1_abc_Google,customer", Role.CUSTOMER),
        ("[eu-central-1_abc_Google customer]", Role.CUSTOMER),
        ("customers support", Role.SUPPORT),
        (["customer", "staff"], Role.CUSTOMER),
    ],
)
def test_one_role_is_told_from_the_groups(groups: Any, role: Role) -> None:
    claims = claims_of(SUB) | {"cognito:groups": groups}
    assert caller_of({"requestContext": {"authorizer": {"claims": claims}}}) == Caller(SUB, role)


def test_a_restaurant_is_told_by_its_attribute() -> None:
    claims = claims_of(SUB, "restaurant", **{"custom:restaurant_id": "r-bella"})
    caller = caller_of({"requestContext": {"authorizer": {"claims": claims}}})
    assert caller == Caller(SUB, Role.RESTAURANT, "r-bella")


def test_the_attribute_counts_for_nobody_else() -> None:
    claims = claims_of(SUB, "customer", **{"custom:restaurant_id": "r-bella"})
    assert caller_of({"requestContext": {"authorizer": {"claims": claims}}}).restaurant_id is None


@pytest.mark.parametrize(
    ("context", "status", "slug"),
    [
        ({}, 401, "sign-in-needed"),
        ({"authorizer": None}, 401, "sign-in-needed"),
        ({"authorizer": {}}, 401, "sign-in-needed"),
        ({"authorizer": {"claims": {}}}, 401, "sign-in-needed"),
        ({"authorizer": {"claims": claims_of(SUB) | {"token_use": "access"}}}, 401, "sign-in-needed"),
        ({"authorizer": {"claims": claims_of("")}}, 401, "sign-in-needed"),
        ({"authorizer": {"claims": claims_of("CAMPAIGN#tiny")}}, 401, "sign-in-needed"),
        ({"authorizer": {"claims": claims_of(SUB) | {"cognito:groups": ""}}}, 403, "no-role"),
        ({"authorizer": {"claims": claims_of(SUB) | {"cognito:groups": "Customer"}}}, 403, "no-role"),
        ({"authorizer": {"claims": claims_of(SUB) | {"cognito:groups": "customers"}}}, 403, "no-role"),
        ({"authorizer": {"claims": claims_of(SUB, "customer", "support")}}, 403, "no-role"),
        ({"authorizer": {"claims": claims_of(SUB) | {"cognito:groups": "[customer courier]"}}}, 403, "no-role"),
        ({"authorizer": {"claims": claims_of(SUB, "restaurant")}}, 403, "no-role"),
        ({"authorizer": {"claims": claims_of(SUB, "restaurant", **{"custom:restaurant_id": "R B"})}}, 403, "no-role"),
    ],
)
def test_whoever_is_not_told_is_refused(context: Any, status: int, slug: str) -> None:
    with pytest.raises(Problem) as refused:
        caller_of({"requestContext": context})
    assert (refused.value.status, refused.value.slug) == (status, slug)


@pytest.mark.parametrize("role", ["restaurant", "courier", "support"])
def test_who_a_route_is_for_is_judged_before_anything_is_read(api: Api, role: str) -> None:
    claims = claims_of("someone", role, **{"custom:restaurant_id": "bella"})
    for body in ("{", json.dumps(an_order()), "x" * 70_000):
        sent = event("POST", "/orders", body=body, headers={"Content-Type": "application/json"}, claims=claims)
        answer = ask(orders_api.handler, sent)
        assert answer.problem in ("not-your-role", "body-too-large")
    assert api.rows() == []
    assert not api.workflow.started


def test_nobody_hears_of_an_order_without_signing_in(api: Api) -> None:
    _, order = api.place()
    there, not_there = (
        ask(orders_api.handler, event("GET", f"/orders/{order_id}", claims={}))
        for order_id in (order["order_id"], "ord_none")
    )
    assert (there.status, there.headers["www-authenticate"]) == (401, "Bearer")
    assert there == not_there


def test_a_route_that_no_row_names_is_nobodys(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(getattr(orders_api.app, "access"), "GET /restaurants")  # noqa: B009 - of our own resolver
    assert ask(orders_api.handler, event("GET", "/restaurants")).problem == "not-your-role"


def test_every_route_has_a_row() -> None:
    for module in (orders_api,):
        routes = [*module.app._static_routes, *module.app._dynamic_routes]
        assert {f"{route.method} {route.openapi_path}" for route in routes} == set(module.ACCESS) | {
            "GET /openapi.json"
        }


@pytest.mark.parametrize("path", ["/orders", "/orders/ord_none", "/nothing", "/restaurants"])
def test_every_answer_is_protected(api: Api, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("CONSOLE_ORIGIN", "https://console.example")
    headers = ask(orders_api.handler, event("GET", path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert (headers["access-control-allow-origin"], headers["vary"]) == ("https://console.example", "Origin")
    assert "access-control-allow-credentials" not in headers
    assert headers["cache-control"] == "no-store"


def test_what_is_nobodys_secret_may_be_kept(api: Api) -> None:
    assert "cache-control" not in ask(orders_api.handler, event("GET", "/restaurants", claims={})).headers
