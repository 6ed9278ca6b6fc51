"""What stands for API Gateway before functions in containers: events of requests, and responses of answers."""

import base64
import json
from typing import Any

import httpx
import pytest
from operations.proxied import Proxied, proxy_event
from orders import api as orders_api
from tiffin.callers import Caller, Role, caller_of
from worlds.gateway import event
from worlds.runtime import context


def token(**said: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"token_use": "id", "sub": "s-1"} | said).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


def request(method: str = "GET", url: str = "http://orders/v1/orders?limit=2", **more: Any) -> httpx.Request:
    return httpx.Request(method, url, **more)


def test_an_event_has_what_the_tests_gateway_has() -> None:
    made = proxy_event(request(headers={"Authorization": f"Bearer {token()}"}))
    usual = event("GET", "/orders", query="limit=2")
    assert made.keys() == usual.keys()
    assert made["requestContext"].keys() >= usual["requestContext"].keys()
    same = ("path", "httpMethod", "queryStringParameters", "multiValueQueryStringParameters", "body")
    assert [made[name] for name in same] == [usual[name] for name in same]


@pytest.mark.parametrize("groups", [["restaurant"], ["restaurant", "of-another-system"]])
def test_a_token_says_who_is_calling(groups: list[str]) -> None:
    said = token(exp=1795691794, **{"cognito:groups": groups, "custom:restaurant_id": "r-mia"})
    assert caller_of(proxy_event(request(headers={"Authorization": f"Bearer {said}"}))) == Caller(
        "s-1", Role.RESTAURANT, "r-mia"
    )


def test_without_a_token_nobody_is_calling() -> None:
    assert "authorizer" not in proxy_event(request())["requestContext"]


def test_a_function_is_asked_and_its_answer_is_the_response() -> None:
    asked = []

    def ask(function: str, event: dict[str, Any]) -> Any:
        asked.append(function)
        return orders_api.handler(event, context("api"))

    took = []
    hooks = {"response": [httpx.Response.read, lambda answer: took.append(answer.elapsed.total_seconds())]}
    with httpx.Client(transport=Proxied({"orders": "Orders/ApiFunction"}, ask), event_hooks=hooks) as http:
        answer = http.post("http://orders/v1/orders", json={})

    assert asked == ["Orders/ApiFunction"]
    assert took[0] > 0
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["type"].endswith("/sign-in-needed")
