"""API Gateway as a function sees it: requests as events of a REST API's Lambda proxy integration, answers read back."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from worlds.runtime import context

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
        is_one = self.headers["content-type"] == "application/problem+json"
        return str(self.body["type"]).removeprefix("https://tiffin.example/problems/") if is_one else ""


def event(
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    base_path: str | None = None,
) -> dict[str, Any]:
    """A request as the function gets it.

    Args:
        method: of HTTP.
        path: below the stage, or below the base path.
        query: the query string.
        headers: as the client wrote them.
        body: text, or octets, which come encoded in base64.
        base_path: of the custom domain's mapping; by default the request comes by the API's own URL.
    """
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
        "requestContext": {"requestId": "r-1", "stage": STAGE, "path": asked, "httpMethod": method},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def ask(handler: Handler, request: dict[str, Any]) -> Answer:
    """Have a request answered."""
    result = handler(request, context("api"))
    headers = result.get("headers", {}) | {
        name: values if isinstance(values, str) else values[-1]
        for name, values in result.get("multiValueHeaders", {}).items()
    }
    return Answer(result["statusCode"], {name.lower(): value for name, value in headers.items()}, result["body"])


def wsgi(handler: Handler) -> Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """A function behind API Gateway, as a WSGI application."""

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
        )
        answer = ask(handler, request)
        start_response(
            f"{answer.status} {HTTPStatus(answer.status).phrase}",
            [(name.title(), value) for name, value in answer.headers.items()],
        )
        return [answer.text.encode()]

    return application
