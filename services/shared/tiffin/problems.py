"""RFC 9457 problem details: every refused request gets a typed answer that a program can act upon."""

import json
from http import HTTPStatus
from typing import Any, NoReturn

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from tiffin.models import why

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "https://tiffin.example/problems/"


class Problem(Exception):
    """A request that cannot be done, with what its sender needs in order to do better.

    Args:
        status: HTTP status.
        slug: stable last part of the problem's `type` URI; clients switch on it.
        detail: one sentence for the person who reads it. Nothing personal: it is logged.
        headers: of the answer, besides its content type.
        extensions: further members of the document, by their names.
    """

    def __init__(
        self, status: HTTPStatus, slug: str, detail: str, headers: dict[str, str] | None = None, **extensions: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.slug, self.detail, self.extensions = status, slug, detail, extensions
        self.headers = headers or {}

    def document(self) -> str:
        """The problem document (RFC 9457, section 3) as JSON."""
        members = {
            "type": TYPE_BASE + self.slug,
            "title": self.slug.replace("-", " ").capitalize(),
            "status": int(self.status),
            "detail": self.detail,
            **self.extensions,
        }
        return json.dumps(members, ensure_ascii=False)

    def response(self) -> "Response[str]":
        """The problem as a route's answer."""
        return Response(
            status_code=int(self.status), content_type=CONTENT_TYPE, headers=self.headers, body=self.document()
        )

    def proxy_result(self) -> dict[str, Any]:
        """The problem as a Lambda proxy integration's answer, for refusals made before routing."""
        return {
            "statusCode": int(self.status),
            "headers": {"Content-Type": CONTENT_TYPE} | self.headers,
            "body": self.document(),
            "isBase64Encoded": False,
        }


# How deep a body may nest: a rule of ours, as an interpreter's own limit differs from version to version.
DEEPEST = 64


def strict_json(text: str) -> Any:
    """Parse a request's body: JSON as RFC 8259 has it, each name once in an object, and no list in place of an object.

    Raises:
        json.JSONDecodeError: it is no JSON, or more than a parser takes: NaN, a lone surrogate, thousands of digits,
            nesting deeper than `DEEPEST`.
        Problem: it is JSON, but a misunderstanding.
    """

    def not_json(constant: str) -> NoReturn:
        raise json.JSONDecodeError(f"{constant} is not JSON", text, 0)

    if _depth(text) > DEEPEST:
        raise json.JSONDecodeError("nested too deeply", text, 0)
    try:
        value = json.loads(text, parse_float=_number, parse_constant=not_json, object_pairs_hook=_each_name_once)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise json.JSONDecodeError("a lone surrogate is not a character", text, 0) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # Python makes no integer of more than 4,300 digits (library reference, "sys.int_info")
        raise json.JSONDecodeError("a number has too many digits", text, 0) from error
    if isinstance(value, list):
        # The framework would take the list's first member for the body.
        raise invalid_request([{"pointer": "/body", "reason": "Input should be an object"}])
    return value


def _depth(text: str) -> int:
    """How deeply the brackets of a text nest, those within its strings left out."""
    if text.count("{") + text.count("[") <= DEEPEST:
        return 0
    depth = deepest = 0
    quoted = escaped = False
    for character in text:
        if escaped or not quoted:
            escaped = False
            if not quoted:
                depth += (character in "{[") - (character in "}]")
                deepest = max(deepest, depth)
                quoted = character == '"'
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = False
    return deepest


def invalid_request(errors: list[dict[str, str]]) -> Problem:
    """What a request gets that does not fit the schema.

    Args:
        errors: where and why, each with `pointer` and `reason`; nothing of what the client sent as a value.
    """
    detail = "The request does not fit the schema."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, errors=errors)


def _number(text: str) -> int | float:
    # 2.0 is 2: JSON has no integers, and for JSON Schema one is any number without a fraction (validation, "type").
    value = float(text)
    return int(value) if value.is_integer() else value


def _each_name_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    # Parsers disagree on which of two values counts (RFC 8259, section 4): what was looked at may not be what is done.
    value = dict(members)
    if len(value) < len(members):
        raise invalid_request([{"pointer": "/body", "reason": "A name stands twice in one object"}])
    return value


def install(app: APIGatewayRestResolver) -> None:
    """Make `app` answer every refusal, its own and the framework's, with a problem document."""

    @app.exception_handler(Problem)
    def refused(problem: Problem) -> "Response[str]":
        return problem.response()

    @app.exception_handler(RequestValidationError)
    def invalid(error: RequestValidationError) -> "Response[str]":
        # `input` and `ctx` repeat what the client sent, personal data included: only place and reason go back.
        errors = [{"pointer": _pointer(e["loc"]), "reason": why(e)} for e in error.errors()]
        malformed = any(e["type"] == "json_invalid" for e in error.errors())
        if malformed:
            return malformed_json().response()
        return invalid_request(errors).response()

    @app.not_found
    def not_found(_: NotFoundError) -> "Response[str]":
        path = app.current_event.path
        # Powertools has no name for the routes that it holds, nor an answer for a method that a path has not.
        routes = [*app._static_routes, *app._dynamic_routes]
        if allowed := ", ".join(sorted({route.method for route in routes if route.rule.match(path)})):
            detail = f"Here the methods are: {allowed}."
            return Problem(
                HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", detail, headers={"Allow": allowed}
            ).response()
        return Problem(HTTPStatus.NOT_FOUND, "no-such-resource", "There is nothing at this path.").response()


def malformed_json() -> Problem:
    """What a body gets that is no JSON, or no text."""
    return Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON.")


def _pointer(location: Any) -> str:
    """Where in a request: a JSON pointer (RFC 6901) that begins with the part, `/body` or `/query`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
