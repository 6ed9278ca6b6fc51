"""localstripe, a stateful Stripe server in Python, brought up to what Tiffin relies on. As a program, it serves.

    python scripts/localstripe_server.py --port 8420

Filled in here, each as Stripe documents it: idempotency keys (docs.stripe.com/api/idempotent_requests), the parameter
`allowed_payment_method_types` (API version 2026-07-29), that only a held PaymentIntent can be captured
(docs.stripe.com/payments/paymentintents/lifecycle), which amounts are charged (docs.stripe.com/currencies), and that a
payment method which belongs to no customer is tried once (docs.stripe.com/error-codes,
`payment_method_unexpected_state`). It listens on the loopback interface alone, takes nothing that a web page may have
sent (localstripe itself asks no page to stay out), and writes no file.
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
from laptop import callers
from localstripe import resources, server

Handler = Callable[[web.Request], Awaitable[web.Response]]
CAPTURE = re.compile(r"/v1/payment_intents/(\w+)/capture")
CONFIRM = re.compile(r"/v1/payment_intents/(\w+)/confirm")

# In Stripe's own units. Of the currencies that stand here the page says what the least is; of others it depends.
LEAST = {"usd": 50, "eur": 50, "gbp": 30, "chf": 50, "jpy": 50, "krw": 50, "huf": 17500, "czk": 1500, "mxn": 1000}
MOST = 99_999_999
MULTIPLES = {"bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10, "isk": 100, "ugx": 100}


@dataclass
class State:
    """What the server has been asked under which key, and its answers."""

    asked: dict[str, str] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    fail_next: bool = False


state = State()


def from_this_machine(port: int) -> Any:
    """A middleware that lets nobody in whom a web page sent.

    Args:
        port: where the server listens.
    """
    known = callers.Callers(port)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = known.refusal(request.raw_path, request.headers.items())
        if refusal:
            return web.Response(status=403, body=refusal.document(), content_type=callers.CONTENT_TYPE)
        return await handler(request)

    return guard


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


@web.middleware
async def amounts(request: web.Request, handler: Handler) -> web.Response:
    """Refuse a PaymentIntent over what no card is charged."""
    if (request.method, request.path) == ("POST", "/v1/payment_intents"):
        asked = await request.post()
        amount, currency = int(str(asked["amount"])), str(asked["currency"])
        if amount < LEAST.get(currency, 1):
            return _error(400, "invalid_request_error", "Amount must be more.", "amount_too_small", "amount")
        if amount > MOST:
            return _error(400, "invalid_request_error", "Amount must be no more.", "amount_too_large", "amount")
        if amount % MULTIPLES.get(currency, 1):
            return _error(400, "invalid_request_error", "Invalid amount.", "parameter_invalid_integer", "amount")
    return await handler(request)


@web.middleware
async def used_once(request: web.Request, handler: Handler) -> web.Response:
    """Refuse a payment method that was tried before and is no customer's. Stripe's `pm_card_…` are new each time."""
    method = ""
    if (request.method, request.path) == ("POST", "/v1/payment_intents"):
        method = str((await request.post()).get("payment_method", ""))
    elif found := CONFIRM.fullmatch(request.path):
        intent = resources.store.get(f"payment_intent:{found[1]}")
        if intent is not None and intent.status == "requires_confirmation":
            method = intent.payment_method
    if method in state.used:
        # As Stripe has been seen to say it: without a code, and without naming the parameter.
        return _error(400, "invalid_request_error", "The provided PaymentMethod was used. It may not be used again.")
    kept = resources.store.get(f"payment_method:{method}")
    if CONFIRM.fullmatch(request.path) and kept is not None and kept.customer is None:
        state.used.add(method)
    return await handler(request)


async def fail_next(_: web.Request) -> web.Response:
    """Order a failure."""
    state.fail_next = True
    return web.Response()


def _error(status: int, kind: str, message: str, code: str | None = None, param: str | None = None) -> web.Response:
    said = {"type": kind, "message": message, "code": code, "param": param}
    return web.json_response({"error": {name: value for name, value in said.items() if value}}, status=status)


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
    listening = socket.create_server(("127.0.0.1", port))
    port = listening.getsockname()[1]
    # Outermost first: a replayed answer is the answer that the client got, failure and all.
    server.app.middlewares[:0] = [from_this_machine(port), idempotency, failures]
    # It has each answer say that any page may read it.
    server.app.on_response_prepare.clear()
    server.app.middlewares.extend([lifecycle, amounts, used_once])
    server.app.router.add_post("/_config/fail_next", fail_next)
    web.run_app(
        server.app,
        sock=listening,
        print=lambda _: print(f"http://127.0.0.1:{port}", flush=True),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve Stripe's API on the loopback interface.")
    parser.add_argument("--port", type=int, default=8420)
    serve(parser.parse_args().port)
