"""The card gateway as this service needs it: what may be asked, what may be answered, what may go wrong.

A payment is opened before it is authorized, so that its reference is on record before any money moves under it. Then a
release always knows what to void, and the gateway decides each race: a voided payment can never be authorized or
captured, a captured one never voided.
"""

from dataclasses import dataclass
from typing import Protocol

from tiffin.money import Money

from payments.model import Decline, PaymentError


class GatewayUnavailable(PaymentError):
    """The gateway could not be reached, or would not serve now. Transient."""


class GatewayTimeout(PaymentError):
    """The gateway's answer did not come in time, so the money may have moved. Transient: asking again tells."""


class GatewayRefused(PaymentError):
    """The gateway does not accept how we ask: our key, or our request. Permanent: a person has to look at it."""


@dataclass(frozen=True)
class Opened:
    """The gateway knows of the payment; no money has moved."""

    reference: str


@dataclass(frozen=True)
class Authorized:
    """The gateway holds the money."""

    network: str


@dataclass(frozen=True)
class Captured:
    """The gateway took the money."""


@dataclass(frozen=True)
class Voided:
    """The payment is closed for good without money taken; a hold, if there was one, is gone."""


class PaymentGateway(Protocol):
    """A card gateway. Every operation may be repeated, and then gives the first answer again.

    All of them raise `GatewayUnavailable` and `GatewayTimeout`, and `GatewayRefused` where we are at fault.

    Attributes:
        provider: the parameter `PaymentProvider` that chooses it; kept with each reference that it gives.
    """

    provider: str

    def open(self, order_id: str, amount: Money, payment_method: str) -> Opened | Decline:
        """Tell the gateway of a payment. Holds no money.

        Args:
            order_id: the order to be paid; one payment each.
            amount: what to hold later.
            payment_method: the gateway's token for the customer's card.

        Raises:
            PaymentMismatch: the order was opened before with another amount or method.
        """
        ...

    def authorize(self, reference: str) -> Authorized | Decline | Voided:
        """Hold the money."""
        ...

    def capture(self, reference: str) -> Captured | Voided:
        """Take the money that is held."""
        ...

    def void(self, reference: str) -> Voided | Captured:
        """Give up the payment and any hold. `Captured` if it is too late: the money stays taken."""
        ...


class FreeOfCharge:
    """Stands in for the gateway where there is nothing to pay: a discount may cover a whole order, and no card gateway
    holds an amount of zero. It has no state, so here the payments table alone decides the races."""

    provider = "none"

    def open(self, order_id: str, amount: Money, payment_method: str) -> Opened:
        """There is nothing to tell anybody."""
        return Opened(reference="free")

    def authorize(self, reference: str) -> Authorized:
        """Zero is always held."""
        return Authorized(network="none")

    def capture(self, reference: str) -> Captured:
        """Zero is always taken."""
        return Captured()

    def void(self, reference: str) -> Voided:
        """Zero is always given back."""
        return Voided()
