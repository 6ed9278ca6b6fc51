"""RFC 9457 problem details: every refused request gets a typed answer that a program can act upon."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError, ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "https://tiffin.example/problems/"


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

    def response(self) -> "Response[str]":
        """The problem as an HTTP response (RFC 9457, section 3)."""
        document = {
            "type": TYPE_BASE + self.slug,
            "title": self.slug.replace("-", " ").capitalize(),
            "status": int(self.status),
            "detail": self.detail,
            **self.extensions,
        }
        return Response(
            status_code=int(self.status), content_type=CONTENT_TYPE, body=json.dumps(document, ensure_ascii=False)
        )


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


def header(headers: Mapping[str, str] | None, name: str) -> str | None:
    """Look a request header up without regard to case (RFC 9110, section 5.1)."""
    wanted = name.lower()
    return next((value for key, value in (headers or {}).items() if key.lower() == wanted), None)


def _pointer(location: Any) -> str:
    return "/" + "/".join(str(part) for part in location)
