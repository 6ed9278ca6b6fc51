"""localstripe, a stateful Stripe server in Python, brought up to what Tiffin relies on. As a program, it serves.

    python scripts/localstripe_server.py --port 8420

Filled in here, each as Stripe documents it: idempotency keys (docs.stripe.com/api/idempotent_requests), the parameter
`allowed_payment_method_types` (API version 2026-07-29), and that only a held PaymentIntent can be captured
(docs.stripe.com/payments/paymentintents/lifecycle). It listens on the loopback interface alone, and writes no file.
`POST /_config/fail_next` lets the next call to the API do its work and then answer 500.
"""

import argparse
import hashlib
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from localstripe import resources, server

Handler = Callable[[web.Request], Awaitable[web.Response]]
CAPTURE = re.compile(r"/v1/payment_intents/(\w+)/capture")


@dataclass
class State:
    """What the server has been asked under which key, and its answers."""

    asked: dict[str, str] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    fail_next: bool = False


state = State()


@web.middleware
async def idempotency(request: web.Request, handler: Handler) -> web.Response:
    """Answer a repeated key with the first answer, errors included, and refuse it with other parameters."""
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or key is None:
        return await handler(request)
    asked = hashlib.sha256(request.path.encode() + await request.read()).hexdigest()
    if state.asked.setdefault(key, asked) != asked:
        return _error(400, "idempotency_error", "Keys can only be used with the same parameters.")
    if key in state.answers:
        status, body = state.answers[key]
        headers = {"Idempotent-Replayed": "true"}
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)
    answer = await handler(request)
    state.answers[key] = (answer.status, bytes(answer.body))  # type: ignore[arg-type]
    return answer


@web.middleware
async def failures(request: web.Request, handler: Handler) -> web.Response:
    """Hide what was done behind a 500, if that was ordered."""
    answer = await handler(request)
    if state.fail_next and request.path.startswith("/v1/"):
        state.fail_next = False
        return _error(500, "api_error", "An error occurred.")
    return answer


@web.middleware
async def lifecycle(request: web.Request, handler: Handler) -> web.Response:
    """Refuse to capture what is not held; localstripe itself would take the money of a canceled PaymentIntent."""
    if found := CAPTURE.fullmatch(request.path):
        intent = resources.store.get(f"payment_intent:{found[1]}")
        if intent is not None and intent.status != "requires_capture":
            return _error(400, "invalid_request_error", f"It is {intent.status}.", "payment_intent_unexpected_state")
    return await handler(request)


async def fail_next(_: web.Request) -> web.Response:
    """Order a failure."""
    state.fail_next = True
    return web.Response()


def _error(status: int, kind: str, message: str, code: str | None = None) -> web.Response:
    return web.json_response({"error": {"type": kind, "message": message, "code": code}}, status=status)


def _create(cls: Any, /, allowed_payment_method_types: Any = None, **data: Any) -> Any:
    return _create_as_localstripe_does(cls, payment_method_types=allowed_payment_method_types, **data)


_create_as_localstripe_does = resources.PaymentIntent._api_create.__func__


def serve(port: int) -> None:
    """Serve until stopped, and say where, in one line on standard output.

    Args:
        port: TCP port; 0 takes a free one.
    """
    resources.store.dump_to_disk = lambda: None
    resources.PaymentIntent._api_create = classmethod(_create)
    # Outermost first: a replayed answer is the answer that the client got, failure and all.
    server.app.middlewares[:0] = [idempotency, failures]
    server.app.middlewares.append(lifecycle)
    server.app.router.add_post("/_config/fail_next", fail_next)
    listening = socket.create_server(("127.0.0.1", port))
    web.run_app(
        server.app,
        sock=listening,
        print=lambda _: print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve Stripe's API on the loopback interface.")
    parser.add_argument("--port", type=int, default=8420)
    serve(parser.parse_args().port)
