"""A REST API behind API Gateway: what each does alike in front of its routes, after a failure, and for its document.

API Gateway hands on what a client sent, and Powertools reads it more narrowly than HTTP means it. So a request is put
into one shape first. What then goes wrong, wherever it does, is answered with a problem document (`tiffin.problems`).
"""

import base64
import hashlib
import json
import os
import re
import string
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from tiffin import problems
from tiffin.callers import Access, Caller, Role, let_in
from tiffin.problems import CONTENT_TYPE, TYPE_BASE, Problem
from tiffin.stored import UnreadableRow
from tiffin.telemetry import came_to, logger

BODY_LIMIT = 64 * 1024
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_CALLS = 8  # enough to lead out of botocore
_TAKES_A_BODY = frozenset({"post", "put", "patch"})


# Of every answer. No page may frame, run or keep it; and a browser that came by https comes so again (RFC 6797).
PROTECTION = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class _Resolver(APIGatewayRestResolver):
    """Judges who may ask for a route before anything of the request is read.

    Attributes:
        access: whose each route is. One that is not there is nobody's.
    """

    access: Access

    def _call_route(self, route: Any, route_arguments: dict[str, str]) -> Any:
        # A path that there is not is answered by a route of the framework's own, which is nobody's secret.
        if route in [*self._static_routes, *self._dynamic_routes]:
            roles = self.access.get(f"{route.method} {route.openapi_path}", frozenset())
            if roles is not None:
                self.context["caller"] = let_in(self.current_event.raw_event, roles)
        return super()._call_route(route, route_arguments)

    def _add_resolver_response_validation_error_response_to_route(self, route_openapi_path: Any) -> Any:
        """Powertools would write its own answer to a defect over the one that each route documents."""
        return route_openapi_path


def rest_api(title: str, access: Access) -> APIGatewayRestResolver:
    """A resolver whose every answer is either a route's own or a problem document, and which serves `/openapi.json`.

    Args:
        title: of the API, in that document.
        access: whose each route is. The document is everybody's.
    """
    app = _Resolver(
        enable_validation=True,
        # Otherwise an answer of ours that breaks its own schema would be called the client's mistake.
        response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        json_body_deserializer=problems.strict_json,
    )
    app.access = {"GET /openapi.json": None, **access}
    problems.install(app)

    @app.exception_handler(Exception)
    def defect(error: Exception) -> "Response[str]":
        return internal_error(error, app.lambda_context).response()

    @app.exception_handler(UnreadableRow)
    def unreadable(error: UnreadableRow) -> "Response[str]":
        detail = "It is stored, and cannot be read just now. Support finds it by its id; nothing has changed."
        return Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "unreadable-record", detail, kind=error.kind, id=error.row_id
        ).response()

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> "Response[str]":
        return Response(status_code=HTTPStatus.OK, content_type="application/json", body=_document(app, title))

    return app


def caller(app: APIGatewayRestResolver) -> Caller:
    """Who asks, in a route that is not everybody's."""
    who: Caller = app.context["caller"]
    return who


def answer(
    app: APIGatewayRestResolver,
    event: dict[str, Any],
    context: LambdaContext,
    refuse: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Answer a request, whatever it holds and whatever becomes of it.

    Args:
        app: see `rest_api`.
        event: an API Gateway REST proxy event.
        context: the Lambda context.
        refuse: called with the event in one shape (headers in lower case, the body as text) before any route; raises a
            `Problem` to refuse it.

    Returns:
        A Lambda proxy integration response.
    """
    app.context.pop("caller", None)  # of the request before, should that have ended early
    try:
        event = _in_one_shape(event)
        if refuse:
            refuse(event)
        result: dict[str, Any] = app.resolve(event, context)
    except Problem as refused:
        result = refused.proxy_result()
    except Exception as error:  # whoever called gets an answer; API Gateway counts the 500, and the alarm sees it
        result = internal_error(error, context).proxy_result()
    result["headers"] = result.get("headers", {}) | PROTECTION | _for_whom(event)
    if (event["httpMethod"], result["statusCode"]) == ("GET", HTTPStatus.OK):
        return _tagged(result, event)
    return result


def _tagged(result: dict[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with a tag of its very bytes, and without them if the client has them (RFC 9110, section 13.1.2)."""
    tag = f'"{hashlib.sha256(result["body"].encode()).hexdigest()[:32]}"'
    headers = result["headers"] | {"ETag": tag}
    known = _sent(event, "if-none-match")
    # Compared weakly: what a tag is prefixed by counts for nothing. Of what is no tag, nothing is understood.
    if known.strip() == "*" or tag in re.findall(r'"[^"]*"', known):
        return {"statusCode": HTTPStatus.NOT_MODIFIED, "headers": headers, "body": "", "isBase64Encoded": False}
    return result | {"headers": headers}


def _for_whom(event: Mapping[str, Any]) -> dict[str, str]:
    """Who may read an answer besides its caller: the console's page, and of what is not personal, a cache."""
    headers = {"Cache-Control": "no-store"} if event["requestContext"].get("authorizer") else {}
    if origin := os.environ.get("CONSOLE_ORIGIN"):
        headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        headers |= {"Access-Control-Expose-Headers": "ETag, Location, Retry-After"}
    return headers


def internal_error(error: Exception, context: LambdaContext) -> Problem:
    """What is answered to a defect of ours, and all that is logged of it: its type, where it was, an id to find it by.

    A message may repeat what a client sent, and so may the values in a stack trace.
    """
    request_id = getattr(context, "aws_request_id", None) or str(uuid.uuid4())
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    came_to("internal-error")
    logger.error("Internal error", error_type=kind, error_at=_places(error), problem_id=request_id)
    detail = "Something is wrong here, and it is not the request."
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail, request_id=request_id)


def _places(error: BaseException) -> list[str]:
    """The last calls that led to an error, as modules and lines: a stack trace without anybody's words in it."""
    calls = list(traceback.walk_tb(error.__traceback__))[-_CALLS:]
    return [f"{frame.f_globals.get('__name__')}:{line}" for frame, line in calls]


# What a client sends, put into the one shape that the framework reads rightly.


def _in_one_shape(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its path as routes have it, and its body as JSON text.

    Raises:
        Problem: there is a body that no route would read.
    """
    headers = {name.lower(): value for name, value in _headers(event).items()}
    body = _body(event, headers) if event["httpMethod"].lower() in _TAKES_A_BODY else None
    # For the framework a media type is another one in capitals, and a form is a body too, be it empty.
    headers["content-type"] = "application/json"
    return {**event, "path": _path(event), "headers": headers, "body": body, "isBase64Encoded": False}


def _headers(event: dict[str, Any]) -> dict[str, str]:
    many = event.get("multiValueHeaders") or {}
    return {name: values[-1] for name, values in many.items() if values} | (event.get("headers") or {})


def _sent(event: Mapping[str, Any], name: str) -> str:
    """A header that holds a list, all its lines as one (RFC 9110, section 5.3); empty if it was not sent."""
    many = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    return ", ".join(value for sent, values in many.items() if sent.lower() == name for value in values or [])


def _path(event: dict[str, Any]) -> str:
    """The path below the stage or the base path, with what need not be percent-encoded decoded.

    Behind a custom domain, `path` begins with the base path of the mapping, `BASE_PATH`. Behind the API's own URL it
    does not, and there `requestContext.path` is the stage and the path: a base path may be named as a route is.
    """
    path, base = str(event["path"]), os.environ.get("BASE_PATH", "").strip("/")
    asked = event["requestContext"]
    if base and asked.get("path") != f"/{asked.get('stage')}{path}":
        path = re.sub(rf"^/{re.escape(base)}(?=/|$)", "", path) or "/"
    # RFC 3986, section 6.2.2.2: `%61` is `a`, wherever it stands. What separates (`%2F`) stays as it is.
    return re.sub(
        r"%[0-7][0-9A-Fa-f]", lambda hit: c if (c := chr(int(hit[0][1:], 16))) in _UNRESERVED else hit[0], path
    )


def _body(event: dict[str, Any], headers: Mapping[str, str]) -> str | None:
    body = event.get("body")
    if not body:
        return None
    try:
        octets = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        text = octets.decode()
    except ValueError as error:  # no base64, or no text
        raise problems.malformed_json() from error
    if len(octets) > BODY_LIMIT:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", f"The limit is {BODY_LIMIT} bytes.")
    # Media types compare without regard to case (RFC 9110, section 8.3.1). JSON has no parameter that counts.
    if (headers.get("content-type") or "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Send the body as application/json.")
    return text


# How an API describes itself.

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457). Switch on `type`.",
    "required": ["type", "title", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "What kind of refusal it is; stable."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "One sentence for a person."},
        "request_id": {"type": "string", "description": "Of a defect: what to look for in the logs."},
        "errors": {
            "type": "array",
            "description": "Of a request that does not fit the schema.",
            "items": {
                "type": "object",
                "required": ["pointer", "reason"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where in the request, as a JSON pointer (RFC 6901)."},
                    "reason": {"type": "string"},
                },
            },
        },
    },
}
# Whatever the route: API Gateway's own answers (`GatewayResponses` in the templates).
ANYWHERE = {
    HTTPStatus.TOO_MANY_REQUESTS: ["throttled"],
    HTTPStatus.BAD_GATEWAY: ["internal-error"],
    HTTPStatus.GATEWAY_TIMEOUT: ["timed-out"],
}
WITH_A_BODY = {
    HTTPStatus.BAD_REQUEST: ["malformed-json"],
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ["body-too-large"],
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ["unsupported-media-type"],
}


_TAG = {"description": "Of these very bytes.", "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}}


def _signed_in(roles: frozenset[Role] | None) -> dict[HTTPStatus, list[str]]:
    """What those get who are not let in."""
    others = ["not-your-role"] if roles and roles < frozenset(Role) else []
    return {HTTPStatus.UNAUTHORIZED: ["sign-in-needed"], HTTPStatus.FORBIDDEN: ["no-role", *others]} if roles else {}


def answers(
    success: Mapping[HTTPStatus, str], refused: Mapping[HTTPStatus, Iterable[str]] | None = None
) -> dict[int, Any]:
    """What a route may answer, for its place in the OpenAPI document: to be handed to its decorator as `responses`.

    Args:
        success: what each status means; the body is what the route's function returns.
        refused: last parts of the problem types, by status. What holds for every route comes by itself.
    """
    refusals = {
        HTTPStatus.UNPROCESSABLE_ENTITY: ["invalid-request"],
        HTTPStatus.INTERNAL_SERVER_ERROR: ["internal-error"],
    }
    for status, slugs in (refused or {}).items():
        refusals[status] = [*refusals.get(status, ANYWHERE.get(status, [])), *slugs]
    return {
        **{int(status): {"description": text} | _location(status) for status, text in success.items()},
        **{int(status): _refusal(status, slugs) for status, slugs in refusals.items()},
    }


def _location(status: HTTPStatus) -> dict[str, Any]:
    where = {
        "description": "Where it is, relative to the request.",
        "schema": {"type": "string", "format": "uri-reference"},
    }
    return {"headers": {"Location": where}} if status is HTTPStatus.CREATED else {}


def _refusal(status: HTTPStatus, slugs: Iterable[str]) -> dict[str, Any]:
    kind = {"type": {"enum": [TYPE_BASE + slug for slug in slugs]}, "status": {"const": int(status)}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": kind}]}
    return {"description": status.phrase, "content": {CONTENT_TYPE: {"schema": schema}}}


@cache
def _document(app: "_Resolver", title: str) -> str:
    from aws_lambda_powertools.event_handler.openapi.models import Server  # whoever asks for no document waits for none

    # Its URLs are relative to its own, wherever that is: behind a stage, a base path, an emulator.
    document = json.loads(app.get_openapi_json_schema(title=title, version="1.0.0", servers=[Server(url=".")]))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            roles = app.access[f"{method.upper()} {path}"]
            everywhere = ANYWHERE | (WITH_A_BODY if method in _TAKES_A_BODY else {}) | _signed_in(roles)
            if roles:
                operation["security"] = [{"idToken": []}]
                operation["description"] = (
                    f"{operation.get('description', '')} For: {', '.join(sorted(roles))}.".strip()
                )
            refusals = {str(int(status)): _refusal(status, slugs) for status, slugs in everywhere.items()}
            # A route that reads nothing has the framework's own refusal of what it reads; it is never given.
            own = {
                s: said for s, said in operation["responses"].items() if "HTTPValidationError" not in json.dumps(said)
            }
            operation["responses"] = refusals | own
            if method == "get":
                operation["responses"]["200"]["headers"] = {"ETag": _TAG}
                operation["responses"]["304"] = {
                    "description": "As `If-None-Match` says that the client has it.",
                    "headers": {"ETag": _TAG},
                }
    schemas = document["components"]["schemas"]
    # The framework's own errors, which no route answers any more, refer to each other.
    for theirs in ("HTTPValidationError", "ResponseValidationError"):
        schemas.pop(theirs, None)
    text = json.dumps(document)
    for name in [name for name in schemas if f'#/components/schemas/{name}"' not in text]:
        del schemas[name]
    schemas["Problem"] = PROBLEM_SCHEMA
    document["components"]["securitySchemes"] = {
        "idToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The user pool's ID token.",
        }
    }
    return json.dumps(document)
