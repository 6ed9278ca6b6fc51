"""Stripe as the card gateway, by way of PaymentIntents with manual capture.

Only `open` needs an idempotency key. The later calls name the PaymentIntent, whose own state lets each of them happen
once; a key would make them worse, as Stripe answers a repeated key with the first answer again for a day: with a 500
that has long passed, or with a hold that was voided since (docs.stripe.com/api/idempotent_requests). So wherever a call
does not fit the PaymentIntent's state, the PaymentIntent is read, and its state is the answer.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import requests
import stripe
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from stripe import PaymentIntent, PaymentIntentService
from tiffin.clients import client
from tiffin.money import Money
from tiffin.telemetry import traced_call

from payments.gateway import (
    Authorized,
    Captured,
    GatewayRefused,
    GatewayTimeout,
    GatewayUnavailable,
    Opened,
    Voided,
)
from payments.model import GENERIC_DECLINE, REFUSALS, Decline, PaymentError, PaymentMismatch, refused
from payments.stripe_amounts import Inexact, to_stripe

Refusal = stripe.CardError | stripe.InvalidRequestError

# Connect and read, each call. `authorize` makes two at most, and they fit into the function's own timeout.
TIMEOUT_SECONDS = (2.0, 8.0)
# Matched whole, not parsed: parsers disagree on the host of an odd URL. The templates' parameter allows the same.
TRUSTED = re.compile(
    r"https://api[.]stripe[.]com|http://(?:127[.]0[.]0[.]1|localhost|\[::1\])(?::[0-9]{1,5})?", re.ASCII
)
# A key that was rolled in Stripe's dashboard keeps working for as long as one says there; let that be more than this.
KEY_CACHE_SECONDS = 300
# Where the card network stands: with the charge, or, where there is none, with the payment method.
EXPAND = ["latest_charge", "payment_method"]
AUTHENTICATION_REQUIRED = (
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)


def is_trusted(api_base: str) -> bool:
    """Whether an API key may be sent there: to Stripe, encrypted, or to a stand-in on this machine."""
    return TRUSTED.fullmatch(api_base) is not None


class UntrustedHost(Exception):
    """The API key would go to a host that is neither Stripe nor this machine."""


class StripeGateway:
    """Stripe, as a `PaymentGateway`.

    Args:
        secret_name: Secrets Manager secret whose string is Stripe's secret key.
        api_base: where Stripe's API answers.

    Raises:
        UntrustedHost: not there.
    """

    provider = "stripe"

    def __init__(self, secret_name: str, api_base: str) -> None:
        if not is_trusted(api_base):
            raise UntrustedHost(api_base)
        self._secret_name, self._api_base = secret_name, api_base

    @traced_call
    def open(self, order_id: str, amount: Money, payment_method: str) -> Opened | Decline:
        """Create an unconfirmed PaymentIntent; see `PaymentGateway.open`."""
        try:
            stripe_amount = to_stripe(amount)
        except Inexact as error:
            raise GatewayRefused(str(error)) from error
        for attempt in (1, 2, 3):
            try:
                intent = self._intents().create(
                    {
                        "amount": stripe_amount,
                        "currency": amount.currency.lower(),
                        "capture_method": "manual",
                        "payment_method": payment_method,
                        "allowed_payment_method_types": ["card"],
                        "metadata": {"order_id": order_id},
                    },
                    {"idempotency_key": f"{order_id}:open:{attempt}"},
                )
            except (stripe.CardError, stripe.InvalidRequestError) as error:
                return _for_the_customer(error)
            except stripe.APIError as error:
                # An old failure, kept under the key: no money moves here, so a new key is safe and is the way on.
                if (error.headers or {}).get("idempotent-replayed") != "true":
                    raise _translated(error) from None
            except stripe.StripeError as error:
                raise _translated(error) from None
            else:
                return Opened(intent.id)
        raise GatewayUnavailable("Stripe keeps answering with old failures")

    @traced_call
    def authorize(self, reference: str) -> Authorized | Decline | Voided:
        """Confirm the PaymentIntent; see `PaymentGateway.authorize`."""
        intent, error = self._settle(reference, lambda: self._intents().confirm(reference, {"expand": EXPAND}))
        match intent.status:
            case "requires_capture" | "succeeded":
                return Authorized(_network(intent))
            case "canceled":
                return Voided()
            case "requires_payment_method" | "requires_confirmation" if error and not intent.last_payment_error:
                # Refused before any card network was asked: another order has used the payment method meanwhile, say.
                return _for_the_customer(error)
            case "requires_payment_method":
                return _decline(intent)
            case "requires_action":
                # Nobody sits at the other end to pass the bank's challenge; without that, nothing is ever held.
                return Decline(_network(intent), *AUTHENTICATION_REQUIRED)
            case status:
                raise _unsettled(status)

    @traced_call
    def capture(self, reference: str) -> Captured | Voided:
        """Capture the PaymentIntent in full; see `PaymentGateway.capture`."""
        intent, _ = self._settle(reference, lambda: self._intents().capture(reference))
        match intent.status:
            case "succeeded":
                return Captured()
            case "canceled":
                return Voided()
            case status:
                raise _unsettled(status)

    @traced_call
    def void(self, reference: str) -> Voided | Captured:
        """Cancel the PaymentIntent; see `PaymentGateway.void`."""
        intent, _ = self._settle(reference, lambda: self._intents().cancel(reference))
        match intent.status:
            case "canceled":
                return Voided()
            case "succeeded":
                return Captured()
            case status:
                raise _unsettled(status)

    def _settle(self, reference: str, act: Callable[[], PaymentIntent]) -> tuple[PaymentIntent, Refusal | None]:
        """Act on a PaymentIntent: what became of it, now or by an earlier call, and why Stripe would not act."""
        try:
            return act(), None
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            # Declined, or in no state to do this, which is so after every call whose answer was lost.
            refusal = error
        except stripe.StripeError as error:
            raise _translated(error) from None
        try:
            return self._intents().retrieve(reference, {"expand": EXPAND}), refusal
        except stripe.StripeError as error:
            raise _translated(error) from None

    def _intents(self) -> PaymentIntentService:
        key = _secrets().get(self._secret_name, max_age=KEY_CACHE_SECONDS)
        return _client(str(key), self._api_base).v1.payment_intents


@cache
def _secrets() -> SecretsProvider:
    return SecretsProvider(boto3_client=client("secretsmanager"))


@cache
def _client(key: str, api_base: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": api_base},
        # The workflow retries, and nobody else: nested retries multiply.
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
    )


def _unsettled(status: str) -> PaymentError:
    if status == "processing":
        return GatewayUnavailable("the PaymentIntent is still processing")
    return GatewayRefused(f"Stripe left the PaymentIntent {status}")


def _translated(error: stripe.StripeError) -> PaymentError:
    """Say it in the port's terms. Stripe's own message may repeat what was sent, so it goes no further."""
    what = f"Stripe: {type(error).__name__}, code {error.code}, status {error.http_status}, request {error.request_id}"
    match error:
        case stripe.APIConnectionError() if isinstance(error.__cause__ or error.__context__, requests.ReadTimeout):
            return GatewayTimeout(what)
        # 409 and 429 are Stripe's ways to say that another call holds the object or the key; 5xx is any trouble there.
        case stripe.APIConnectionError() | stripe.RateLimitError() | stripe.APIError():
            return GatewayUnavailable(what)
        case stripe.IdempotencyError():
            return PaymentMismatch(what)
        case _:
            return GatewayRefused(what)


def _for_the_customer(error: Refusal) -> Decline:
    """What Stripe refused over something that the customer sent or chose.

    Raises:
        PaymentError: it was over anything else, so it is our doing.
    """
    if isinstance(error, stripe.CardError):
        return Decline("unknown", *_why(error.error))
    code = "resource_missing" if error.http_status == 404 else error.code or ""
    about_the_method = error.param in (None, "payment_method")
    if code in REFUSALS and (about_the_method or code != "resource_missing"):
        return refused(code)
    # Of a method that was used before Stripe says so in two wordings, at times with neither code nor parameter.
    if "may not be used again" in (error.user_message or ""):
        return refused("payment_method_unexpected_state")
    if error.param == "payment_method":
        return Decline("unknown", GENERIC_DECLINE[0], "This payment method cannot be used for this order.")
    raise _translated(error) from None


def _network(intent: PaymentIntent) -> str:
    card = _dig(intent, "latest_charge", "payment_method_details", "card")
    found = _dig(card, "network") or _dig(card, "brand") or _dig(intent, "payment_method", "card", "brand")
    return str(found or _dig(intent, "last_payment_error", "payment_method", "card", "brand") or "unknown")


def _decline(intent: PaymentIntent) -> Decline:
    return Decline(_network(intent), *_why(intent.last_payment_error))


def _why(error: Any) -> tuple[str, str]:
    code = _dig(error, "decline_code") or _dig(error, "code") or GENERIC_DECLINE[0]
    return str(code), str(_dig(error, "message") or GENERIC_DECLINE[1])


def _dig(found: Any, *path: str) -> Any:
    """Follow a path into an answer whose parts are missing, null or not expanded as Stripe sees fit."""
    for name in path:
        found = getattr(found, name, None)
    return found
