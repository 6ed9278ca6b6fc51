"""API Gateway for functions that `sam local start-lambda` serves: SAM's own, `start-api`, knows no user pool.

A request becomes the event that API Gateway would make of it (API Gateway developer guide, "Set up Lambda proxy
integrations in API Gateway"), with the claims of its token where a Cognito authorizer puts them. The token is believed
as it is: whoever sends it here has just been given it by the pool.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from laptop.code_flow import claims

STAGE = "v1"
Ask = Callable[[str, dict[str, Any]], Any]
"""Calls a function, by its path, with an event; returns its answer."""


class Proxied(httpx.BaseTransport):
    """Hands requests to functions.

    Args:
        functions: their paths, such as `Orders/ApiFunction`, by the host that is asked for.
        ask: calls them.
    """

    def __init__(self, functions: Mapping[str, str], ask: Ask) -> None:
        self._functions, self._ask = functions, ask

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Have a request answered."""
        answer = self._ask(self._functions[request.url.host], proxy_event(request))
        headers = dict(answer.get("headers") or {})
        headers |= {name: values[-1] for name, values in (answer.get("multiValueHeaders") or {}).items()}
        body = httpx.ByteStream((answer.get("body") or "").encode())
        # As a stream, which the client reads: so it knows how long that took.
        return httpx.Response(answer["statusCode"], headers=headers, stream=body, request=request)


def proxy_event(request: httpx.Request) -> dict[str, Any]:
    """What API Gateway calls a function with, for a request to one of its stages."""
    path = request.url.path.removeprefix(f"/{STAGE}")
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    headers = {name: request.headers[name] for name in request.headers}
    asked = dict(request.url.params)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: request.headers.get_list(name) for name in headers},
        "queryStringParameters": asked or None,
        "multiValueQueryStringParameters": {name: request.url.params.get_list(name) for name in asked} or None,
        "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "stage": STAGE,
            "resourcePath": "/{proxy+}",
            "path": request.url.path,
            "httpMethod": request.method,
            "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "127.0.0.1", "userAgent": request.headers.get("User-Agent")},
        }
        | ({"authorizer": {"claims": _as_strings(claims(token))}} if token else {}),
        "body": request.content.decode() or None,
        "isBase64Encoded": False,
    }


def _as_strings(said: Mapping[str, Any]) -> dict[str, str]:
    """Claims as a REST API hands them on."""
    return {
        name: ",".join(value) if isinstance(value, list) else value if isinstance(value, str) else json.dumps(value)
        for name, value in said.items()
    }
