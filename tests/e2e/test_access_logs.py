"""Access logs: a line for each request to an API, and in it nothing of a person and nothing of what was sent."""

import json
import time
from typing import Any

import httpx
import pytest
from laptop import Stack
from laptop.pace import eventually, patience

pytestmark = pytest.mark.laptop("inside")

KEYS = {
    "request_id",
    "method",
    "resource",
    "status",
    "latency_ms",
    "refused_as",
    "authorizer_error",
    "integration_error",
    "sub",
    "groups",
}
APIS = {
    "ApiUrl": "orders",
    "PromotionsApiUrl": "promotions",
    "SupportApiUrl": "support",
    "EstimatesApiUrl": "estimates",
}


def lines(stack: Stack, api: str, since: int) -> list[dict[str, Any]]:
    """What an API logged from a moment on."""
    api_id = stack.outputs[api].split("/execute-api/")[1].split("/")[0]
    stage = stack.client("apigateway").get_stage(restApiId=api_id, stageName="v1")
    group = stage["accessLogSettings"]["destinationArn"].split(":log-group:")[1]
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
    return [json.loads(event["message"]) for page in pages for event in page["events"]]


@pytest.mark.parametrize("api", APIS)
def test_a_request_is_a_line_with_its_route_and_nothing_of_what_was_in_it(stack: Stack, api: str) -> None:
    since = int(time.time() * 1000)
    url = stack.outputs[api]
    paths = {"ApiUrl": "/orders/{order_id}", "PromotionsApiUrl": "/promo-codes", "SupportApiUrl": "/orders/{order_id}"}
    resource = paths.get(api, "/orders/{order_id}/estimate")
    secrets = {
        "path": "ord_accesslogsaccesslogsaccess",
        "query": "seven-harbour-street",
        "agent": "Adas-own-browser",
        "address": "198.51.100.77",
    }
    answer = httpx.get(
        url + resource.replace("{order_id}", secrets["path"]),
        params={"customer_id": secrets["query"]},
        headers={"User-Agent": secrets["agent"], "X-Forwarded-For": secrets["address"]},
        timeout=patience(30),
    )

    def found() -> dict[str, Any] | None:
        return next((line for line in lines(stack, api, since) if line["resource"] == resource), None)

    line = eventually(found, what="the request's line")
    assert line.keys() == KEYS
    assert (line["method"], line["status"]) == ("GET", str(answer.status_code))
    assert int(line["latency_ms"]) >= 0
    written = json.dumps(lines(stack, api, since))
    assert not [name for name, secret in secrets.items() if secret in written]


def test_a_refusal_of_api_gateways_own_is_a_line_that_says_why(stack: Stack) -> None:
    since = int(time.time() * 1000)
    answer = httpx.delete(f"{stack.outputs['ApiUrl']}/nothing/there", timeout=patience(30))

    def found() -> dict[str, Any] | None:
        wanted = answer.json()["request_id"]
        return next((line for line in lines(stack, "ApiUrl", since) if line["request_id"] == wanted), None)

    line = eventually(found, what="the refusal's line")
    assert (line["status"], line["refused_as"], line["sub"]) == ("404", "MISSING_AUTHENTICATION_TOKEN", "-")
    assert "nothing" not in json.dumps(line)
