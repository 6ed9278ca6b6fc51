"""API Gateway as a function sees it: requests as events of a REST API's Lambda proxy integration, answers read back."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from worlds.runtime import context

RESTAURANT = "bella"
CUSTOMER = "cust-1"
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
STAGE = "v1"


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status.
        headers: by their names in small letters.
        text: the body.
    """

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The body's JSON."""
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """Last part of the problem's type; empty if it is none."""
        is_one = self.headers.get("content-type") == "application/problem+json"
        return str(self.body["type"]).removeprefix("https://tiffin.example/problems/") if is_one else ""


def event(
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    base_path: str | None = None,
    claims: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A request as the function gets it.

    Args:
        method: of HTTP.
        path: below the stage, or below the base path.
        query: the query string.
        headers: as the client wrote them.
        body: text, or octets, which come encoded in base64.
        base_path: of the custom domain's mapping; by default the request comes by the API's own URL.
        claims: of the token; by default of whose the path is, and with none at all, nobody signed in.
    """
    claims = whose(path) if claims is None else claims
    pairs = parse_qsl(query, keep_blank_values=True)
    whole = path if base_path is None else f"/{base_path}{path}" if base_path else path
    asked = f"/{STAGE}{path}" if base_path is None else whole
    return {
        "resource": "/{proxy+}",
        "path": whole,
        "httpMethod": method,
        "headers": dict(headers or {}),
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": {
            name: [value for other, value in pairs if other == name] for name, _ in pairs
        }
        or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"requestId": "r-1", "stage": STAGE, "path": asked, "httpMethod": method} | signed_in(claims),
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def claims_of(subject: str, *groups: str, **more: str) -> dict[str, str]:
    """An ID token's claims, as API Gateway hands them on; of a customer, if no group is named."""
    return {"sub": subject, "token_use": "id", "cognito:groups": ",".join(groups or ("customer",))} | more


def whose(path: str, customer_id: str = CUSTOMER) -> dict[str, str]:
    """Claims of a person who has business at a path: the customer, the restaurant, a courier, or support."""
    match path.rstrip("/").split("/")[1:]:
        case [*_, "accept" | "reject"] | ["kitchen", *_]:
            return restaurant()
        case [*_, "dispatch" | "deliver"] | ["courier", *_]:
            return courier()
        case ["support", *_]:
            return support()
    return claims_of(customer_id)


def restaurant(restaurant_id: str = RESTAURANT) -> dict[str, str]:
    """Claims of somebody who answers for a restaurant."""
    return claims_of(f"owner-of-{restaurant_id}", "restaurant", **{"custom:restaurant_id": restaurant_id})


def courier(name: str = "1") -> dict[str, str]:
    """Claims of a courier."""
    return claims_of(f"courier-{name}", "courier")


def support() -> dict[str, str]:
    """Claims of somebody of support."""
    return claims_of("support-1", "support")


def signed_in(claims: Mapping[str, str]) -> dict[str, Any]:
    """What a Cognito authorizer adds to a request's context."""
    return {"authorizer": {"claims": dict(claims)}} if claims else {}


def ask(handler: Handler, request: dict[str, Any]) -> Answer:
    """Have a request answered."""
    result = handler(request, context("api"))
    headers = result.get("headers", {}) | {
        name: values if isinstance(values, str) else values[-1]
        for name, values in result.get("multiValueHeaders", {}).items()
    }
    return Answer(result["statusCode"], {name.lower(): value for name, value in headers.items()}, result["body"])


def wsgi(
    handler: Handler, token: str, claims: Mapping[str, str] | None
) -> Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """A function behind API Gateway, as a WSGI application.

    Args:
        handler: the function.
        token: the only one that the authorizer lets through.
        claims: in it, see `event`.
    """

    def application(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").title(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
        }
        octets = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        request = event(
            environ["REQUEST_METHOD"],
            # As the client wrote it: what WSGI calls the path is decoded.
            environ["REQUEST_URI"].partition("?")[0],
            query=environ.get("QUERY_STRING", ""),
            headers=headers,
            # As API Gateway does with a body of no binary media type.
            body=octets.decode(errors="replace") if octets else None,
            claims=claims if environ.get("HTTP_AUTHORIZATION") == f"Bearer {token}" else {},
        )
        answer = ask(handler, request)
        start_response(
            f"{answer.status} {HTTPStatus(answer.status).phrase}",
            [(name.title(), value) for name, value in answer.headers.items()],
        )
        return [answer.text.encode()]

    return application
