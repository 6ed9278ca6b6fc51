"""What the card gateway's own books say, as against what the services believe: the sandbox's ledger, or Stripe."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from payments.sandbox import Balance, SandboxGateway
from payments.stripe_amounts import from_stripe

from .environment import ROOT
from .pace import patience

if TYPE_CHECKING:
    from .stack import Stack

# Not a key to anything: localstripe takes whatever begins like one.
LOCAL_KEY = "sk_test_tiffin"


class Books(Protocol):
    """A gateway's books."""

    def balance(self, order_id: str) -> Balance:
        """The money of one order at the gateway: held, captured, voided, in minor units."""


class StripeBooks:
    """Stripe's, or a stand-in's: each PaymentIntent of an order, summed.

    Args:
        api_base: where Stripe's API answers.
        key: an API key.
    """

    def __init__(self, api_base: str, key: str) -> None:
        import stripe  # a large library that the sandbox does not need

        self._client = stripe.StripeClient(key, base_addresses={"api": api_base})

    def balance(self, order_id: str) -> Balance:
        """See `Books.balance`."""
        held = captured = voided = 0
        for each in self._client.v1.payment_intents.list({"limit": 100}).auto_paging_iter():
            intent = each.to_dict()
            if intent["metadata"].get("order_id") != order_id:
                continue
            # A canceled intent held money only if a charge was ever made; the stand-in lists charges the older way.
            charged = intent.get("latest_charge") or intent.get("charges", {}).get("data")
            was_held = intent["status"] in {"requires_capture", "succeeded"} or (
                intent["status"] == "canceled" and charged
            )
            amount = from_stripe(intent["amount"], intent["currency"]).amount
            held += amount if was_held else 0
            captured += amount if intent["status"] == "succeeded" else 0
            voided += amount if was_held and intent["status"] == "canceled" else 0
        return Balance(held=held, captured=captured, voided=voided)


class Provider:
    """A payment provider to run the laptop's stack with.

    Attributes:
        parameters: the template parameters that choose it.
        declined_method: a payment method that it declines.
    """

    def __init__(self, name: str, parameters: Mapping[str, str], declined_method: str) -> None:
        self.name, self.parameters, self.declined_method = name, parameters, declined_method

    def books(self, stack: "Stack") -> Books:
        """The provider's books, once the stack is up; for Stripe, the secret with the key is put there first."""
        if self.name == "sandbox":
            return SandboxGateway(stack.client("dynamodb"), stack.outputs["SandboxLedgerTableName"])
        stack.client("secretsmanager").create_secret(Name="tiffin/stripe", SecretString=LOCAL_KEY)
        return StripeBooks(self.parameters["StripeApiBase"], LOCAL_KEY)


@contextmanager
def provider(name: str) -> Iterator[Provider]:
    """The sandbox, or Stripe's stand-in as a process of its own for as long as the context lasts.

    Args:
        name: `sandbox` or `stripe`.

    Raises:
        ValueError: another name.
    """
    if name == "sandbox":
        yield Provider(name, {}, "pm_card_mastercard_chargeDeclinedInsufficientFunds")
    elif name == "stripe":
        command = [sys.executable, str(ROOT / "scripts" / "localstripe_server.py"), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ)
        try:
            base = server.stdout.readline().strip() if server.stdout else ""
            yield Provider(name, {"PaymentProvider": "stripe", "StripeApiBase": base}, "pm_card_chargeCustomerFail")
        finally:
            server.terminate()
            server.wait(timeout=patience(10))
            if server.stdout:
                server.stdout.close()
    else:
        raise ValueError(f"{name} is no payment provider: sandbox or stripe")
