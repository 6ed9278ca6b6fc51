"""The emulator's door: no request reaches MiniStack that a web page may have sent, or that bears no good signature.

This is no behaviour of AWS: on AWS nobody needs it, as nothing listens on a developer's own machine. Two questions are
asked of each request. Who sent it: `callers` says, by the headers that no page can change. And whose it is: everything
needs credentials (`credentials`), but for what needs none on AWS: the REST APIs, which have authorizers of their own,
and what Cognito serves to browsers. Whether a caller may do what it asks is for IAM to say, behind the door.
"""

import os
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any

from ministack import app as ministack
from ministack.core.iam_actions import unsigned_operations
from ministack.core.iam_evaluator import AuthError
from ministack.core.router import detect_service

from .. import callers
from . import credentials

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# A stage of an API. `@connections` is not of it: that is an API of AWS's own (API Gateway developer guide, "Use
# @connections commands in your backend service").
_API = re.compile(r"/_aws/execute-api/[^/]+/[^/]*(?!/@connections/)(/|$)")
# Cognito user pools: "User pool endpoints and managed login reference", and "Verifying JSON web tokens".
_COGNITO = re.compile(
    r"GET /oauth2/authorize|(GET|POST) /oauth2/user[Ii]nfo|POST /oauth2/(token|revoke)|POST (/oauth2)?/login"
    r"|GET /logout|GET /favicon\.ico|GET /[a-z0-9-]+_[A-Za-z0-9]+/\.well-known/(jwks\.json|openid-configuration)"
)
_HEALTH = "GET /_ministack/health"
# Where CloudFormation hears from custom resources; on AWS a presigned URL, here one with a random token.
_ANSWERS = re.compile(r"PUT /_ministack/cfn-(response|signal)/.+")


def fill() -> None:
    """Hang the door before MiniStack's application."""
    credentials.fill()
    port, lets_in = int(os.environ["GATEWAY_PORT"]), callers.named(os.environ.get(callers.LETS_IN, ""))
    ministack.app = door(ministack.app, callers.Callers(port, lets_in))


def door(app: App, known: callers.Callers) -> App:
    """An application that lets in whom it should, and answers the others.

    Args:
        app: an ASGI application, version 3.
        known: whom it lets in.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await app(scope, receive, send)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        if refusal := known.refusal(scope["raw_path"].decode("latin-1"), headers):
            ministack.logger.warning("Refused: %s %.200r", refusal.header, refusal.value)
            return await _answer(scope, send, 403, {"Content-Type": callers.CONTENT_TYPE}, refusal.document())
        request = credentials.Request.of(scope)
        if request.claims or not needs_no_credentials(scope, request):
            body, receive = await _read(scope, receive)
            if failure := credentials.failure(request, body):
                return await _answer(scope, send, *_unauthenticated(request, scope["path"], failure))
        return await app(scope, receive, send)

    return guarded


def needs_no_credentials(scope: Scope, request: credentials.Request) -> bool:
    """Whether AWS, too, would serve this to anybody, or it says nothing but that the emulator is there.

    Args:
        scope: of the request; its path is the one that MiniStack goes by.
        request: the same.
    """
    method, path = request.method, scope["path"]
    line = f"{method} {path}"
    if _API.match(path):
        return True
    if scope["type"] == "websocket":
        return False
    if method == "OPTIONS":
        # A browser asks whether a page may ask, never with credentials. The page is let in, or we were not here.
        return "origin" in request.headers and "access-control-request-method" in request.headers
    if line == "POST /" and not request.query:
        prefix, _, operation = request.headers.get("x-amz-target", "").partition(".")
        return (
            prefix == "AWSCognitoIdentityProviderService"
            and operation in unsigned_operations("cognito-idp")
            and detect_service(method, path, request.headers, {}) == "cognito-idp"
        )
    return line == _HEALTH or bool(_COGNITO.fullmatch(line) or _ANSWERS.fullmatch(line))


def _unauthenticated(
    request: credentials.Request, path: str, failure: credentials.Failure
) -> tuple[int, dict[str, str], bytes]:
    """A failure as the service that was asked says it, so that its clients understand."""
    # SES's second API has paths of its own, and another protocol than its first.
    known = detect_service(request.method, path, request.headers, request.query)
    service = "sesv2" if path.startswith("/v2/email") else known
    status, headers, body = ministack._credential_failure(
        service, "", str(uuid.uuid4()), AuthError(*failure), request.headers
    )
    return status, headers, body


async def _read(scope: Scope, receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, which the signature is over, and what hands it over once more."""
    if scope["type"] == "websocket":
        return b"", receive
    body, messages, more = b"", list[dict[str, Any]](), True
    while more:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)

    async def again() -> dict[str, Any]:
        return messages.pop(0) if messages else await receive()

    return body, again


async def _answer(scope: Scope, send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    # No CORS header: what pages may read of this is nothing. And no guessing by the browser what it might be.
    told = {
        **headers,
        "X-Content-Type-Options": "nosniff",
        "Content-Length": str(len(body)),
        # MiniStack tells its server not to add it.
        "Date": formatdate(usegmt=True),
    }
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    pairs = [(name.lower().encode(), value.encode()) for name, value in told.items()]
    await send({"type": f"{kind}.start", "status": status, "headers": pairs})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})
