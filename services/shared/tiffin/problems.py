"""RFC 9457 problem details: every refused request gets a typed answer that a program can act upon."""

import json
from http import HTTPStatus
from typing import Any, NoReturn

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError, ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "https://tiffin.example/problems/"
BODY_LIMIT = 64 * 1024


class Problem(Exception):
    """A request that cannot be done, with what its sender needs in order to do better.

    Args:
        status: HTTP status.
        slug: stable last part of the problem's `type` URI; clients switch on it.
        detail: one sentence for the person who reads it. Nothing personal: it is logged.
        extensions: further members of the document, by their names.
    """

    def __init__(self, status: HTTPStatus, slug: str, detail: str, **extensions: Any) -> None:
        super().__init__(detail)
        self.status, self.slug, self.detail, self.extensions = status, slug, detail, extensions

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
        return Response(status_code=int(self.status), content_type=CONTENT_TYPE, body=self.document())

    def proxy_result(self) -> dict[str, Any]:
        """The problem as a Lambda proxy integration's answer, for refusals made before routing."""
        return {
            "statusCode": int(self.status),
            "headers": {"Content-Type": CONTENT_TYPE},
            "body": self.document(),
            "isBase64Encoded": False,
        }


def refuse_body(event: dict[str, Any]) -> Problem | None:
    """What is wrong with a request's body before anybody parses it, if anything.

    Args:
        event: an API Gateway REST proxy event.

    Returns:
        413 for a body over the limit, 415 for one that does not say it is JSON, None otherwise. The framework itself
        would read a form where JSON is meant.
    """
    body = event.get("body")
    if not body:
        return None
    if len(body.encode("utf-8", "surrogatepass")) > BODY_LIMIT:
        return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", f"The limit is {BODY_LIMIT} bytes.")
    content_type = (header(event.get("headers"), "content-type") or "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        return Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Send the body as application/json."
        )
    return None


def strict_json(text: str) -> Any:
    """Parse JSON as RFC 8259 has it: no NaN, no lone surrogates, and no nesting that exhausts the parser.

    Raises:
        json.JSONDecodeError: for all of these alike.
    """

    def not_json(constant: str) -> NoReturn:
        raise json.JSONDecodeError(f"{constant} is not JSON", text, 0)

    try:
        value = json.loads(text, parse_constant=not_json)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", text, 0) from error
    except UnicodeEncodeError as error:
        raise json.JSONDecodeError("a lone surrogate is not a character", text, 0) from error
    return value


def install(app: APIGatewayRestResolver) -> None:
    """Make `app` answer every refusal, its own and the framework's, with a problem document."""

    @app.exception_handler(Problem)
    def refused(problem: Problem) -> "Response[str]":
        return problem.response()

    @app.exception_handler(RequestValidationError)
    def invalid(error: RequestValidationError) -> "Response[str]":
        # `input` and `ctx` repeat what the client sent, personal data included: only place and reason go back.
        errors = [{"pointer": _pointer(e["loc"]), "reason": e["msg"]} for e in error.errors()]
        malformed = any(e["type"] == "json_invalid" for e in error.errors())
        if malformed:
            return Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON.").response()
        return Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request does not fit the schema.", errors=errors
        ).response()

    @app.not_found
    def not_found(_: NotFoundError) -> "Response[str]":
        return Problem(HTTPStatus.NOT_FOUND, "no-such-resource", "There is nothing at this path.").response()

    @app.exception_handler(ServiceError)
    def service_error(error: ServiceError) -> "Response[str]":
        status = HTTPStatus(error.status_code)
        return Problem(status, status.phrase.lower().replace(" ", "-"), str(error.msg)).response()


def header(headers: dict[str, str] | None, name: str) -> str | None:
    """Look a request header up without regard to case (RFC 9110, section 5.1)."""
    wanted = name.lower()
    return next((value for key, value in (headers or {}).items() if key.lower() == wanted), None)


def _pointer(location: Any) -> str:
    return "/" + "/".join(str(part) for part in location)
