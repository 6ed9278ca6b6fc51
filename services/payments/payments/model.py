"""The domain: one payment per order, its states, and the legal moves between them. Pure: imports no AWS, no gateway."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tiffin.money import Money
from tiffin.text import is_sentence


class Status(StrEnum):
    """Where a payment stands."""

    AUTHORIZING = "AUTHORIZING"
    """The gateway may hold the money, or may be about to."""
    AUTHORIZED = "AUTHORIZED"
    """The money is held."""
    DECLINED = "DECLINED"
    """The card was refused; nothing is held."""
    CAPTURING = "CAPTURING"
    """The gateway may have taken the money, or may be about to."""
    CAPTURED = "CAPTURED"
    """The money is taken: the point of no return."""
    RELEASED = "RELEASED"
    """Nothing is held, and nothing ever will be for this order."""


# CAPTURED and RELEASED can be reached from every open state: the gateway says what is so, and may say it to a call that
# read the payment before the others moved it.
LEGAL_MOVES: Mapping[Status, frozenset[Status]] = {
    Status.AUTHORIZING: frozenset({Status.AUTHORIZED, Status.DECLINED, Status.CAPTURED, Status.RELEASED}),
    Status.AUTHORIZED: frozenset({Status.CAPTURING, Status.CAPTURED, Status.RELEASED}),
    Status.CAPTURING: frozenset({Status.CAPTURED, Status.RELEASED}),
    Status.DECLINED: frozenset(),
    Status.CAPTURED: frozenset(),
    Status.RELEASED: frozenset(),
}


class PaymentError(Exception):
    """Base of what this service raises. The class name is part of the contract: the workflow retries by it."""


class InvalidPaymentRequest(PaymentError):
    """The request does not fit the contract. Permanent."""


class PaymentMismatch(PaymentError):
    """The order already has a payment over another amount, or by another method. Permanent."""


class CaptureRefused(PaymentError):
    """There is no hold to capture: it was released, declined or never made. Permanent."""


class PaymentContended(PaymentError):
    """Other calls for the same order kept getting in between. Transient: nothing was decided."""


class HeldElsewhere(PaymentError):
    """Another provider holds this payment than the one that is configured. Permanent until that one is back."""


class IllegalMove(PaymentError):
    """A defect: the code tried to move a payment against `LEGAL_MOVES`. Permanent."""


# Whoever holds a stolen card must not learn that it is known to be stolen. Of the first four Stripe asks that the
# customer hear no more than of a generic decline; of the other two it says that the card may have been reported lost or
# stolen. Source: docs.stripe.com/declines/codes, columns "Next steps" and "Description".
UNDISCLOSED_CODES = frozenset(
    {"fraudulent", "lost_card", "merchant_blacklist", "stolen_card", "pickup_card", "restricted_card"}
)
GENERIC_DECLINE = ("generic_decline", "Your card was declined.")
# The longest sentence that the contracts let through (`events/schemas/common.json`, message).
MESSAGE_LIMIT = 1024


@dataclass(frozen=True)
class Decline:
    """Why a card was refused.

    Attributes:
        network: card network, such as `visa`; `unknown` if the gateway did not say.
        code: Stripe's decline code, such as `insufficient_funds`.
        message: one sentence for the customer.
    """

    network: str
    code: str
    message: str

    @classmethod
    def told(cls, network: str, code: str, message: str) -> "Decline":
        """A decline in a gateway's words, spelled as the event contracts promise, whatever a gateway thinks of.

        Args:
            network: the gateway's name of the card network.
            code: its reason.
            message: its sentence; the generic one stands in for none, and for one that is no plain sentence.
        """
        sentence = " ".join(message.split())[:MESSAGE_LIMIT].strip()
        # It is repeated in mails: without one that can be, the generic one has to do.
        told = sentence if is_sentence(sentence) else GENERIC_DECLINE[1]
        return cls(spelled_network(network), reason_code(code), told)

    def disclosed(self) -> "Decline":
        """The decline as the customer may see it."""
        if self.code in UNDISCLOSED_CODES:
            return Decline(self.network, *GENERIC_DECLINE)
        return self


# What a gateway refuses before it asks any card network, over something that the customer sent or chose. Codes:
# docs.stripe.com/error-codes. Sentences: ours, as Stripe's are for whoever programs, and may repeat what was sent.
REFUSALS: Mapping[str, str] = {
    "amount_too_large": "The amount is more than can be paid by card at once.",
    "amount_too_small": "The amount is less than can be paid by card.",
    "payment_intent_incompatible_payment_method": "This kind of payment method is not taken.",
    "payment_method_currency_mismatch": "This payment method cannot pay in the order's currency.",
    "payment_method_invalid_parameter": "This payment method is not complete.",
    "payment_method_restricted": "This payment method cannot be used here.",
    "payment_method_unexpected_state": "This payment method was used before, and cannot be used again.",
    "payment_method_unsupported_type": "This kind of payment method is not taken.",
    "resource_missing": "There is no such payment method.",
}


def refused(code: str) -> Decline:
    """The decline of a gateway that asked no card network; `code` is one of `REFUSALS`."""
    return Decline("unknown", code, REFUSALS[code])


@dataclass(frozen=True)
class Payment:
    """The payment of one order, as read or as about to be written.

    Attributes:
        order_id: the order, and the payment's only identity.
        status: where it stands.
        version: number of writes so far; a write names the version that it read.
        customer_id: whose order it is; None on a tombstone.
        amount: what is to be paid; None on a tombstone.
        fingerprint: hash of amount and method, to recognise a repeated request without keeping the method.
        reference: the gateway's name for this payment; None until it has one.
        provider: whose reference it is; None until there is one.
        network: card network, once known.
        decline: why it was declined.
        release_code: why it was released.
    """

    order_id: str
    status: Status
    version: int = 0
    customer_id: str | None = None
    amount: Money | None = None
    fingerprint: str | None = None
    reference: str | None = None
    provider: str | None = None
    network: str | None = None
    decline: Decline | None = None
    release_code: str | None = None

    @classmethod
    def requested(cls, order_id: str, customer_id: str, amount: Money, payment_method: str) -> "Payment":
        """A payment of which the gateway has not heard yet."""
        return cls(
            order_id=order_id,
            status=Status.AUTHORIZING,
            customer_id=customer_id,
            amount=amount,
            fingerprint=_fingerprint(customer_id, amount, payment_method),
        )

    @classmethod
    def tombstone(cls, order_id: str, reason: str) -> "Payment":
        """The release of a payment that was not requested yet: whoever requests it later finds it released."""
        return cls(order_id=order_id, status=Status.RELEASED, release_code=reason_code(reason))

    @property
    def is_tombstone(self) -> bool:
        """Whether this was released before anything was known of it."""
        return self.fingerprint is None

    @property
    def held_as(self) -> str:
        """The gateway's reference, where the status says that there is one."""
        if self.reference is None:
            raise IllegalMove(f"order {self.order_id} is {self.status} without a reference")
        return self.reference

    def must_match(self, requested: "Payment") -> None:
        """Refuse another payment for the same order.

        Raises:
            PaymentMismatch: amount, customer or method differ.
        """
        if not self.is_tombstone and self.fingerprint != requested.fingerprint:
            raise PaymentMismatch(f"order {self.order_id} already has a payment over another amount or method")

    def opened(self, reference: str, provider: str) -> "Payment":
        """Remember the gateway's reference, and whose it is, before any money moves under it."""
        return replace(self, reference=reference, provider=provider)

    def authorized(self, network: str) -> "Payment":
        """The gateway holds the money."""
        return self._to(Status.AUTHORIZED, network=spelled_network(network))

    def declined(self, decline: Decline) -> "Payment":
        """The gateway refused the card."""
        told = Decline.told(decline.network, decline.code, decline.message).disclosed()
        return self._to(Status.DECLINED, network=told.network, decline=told)

    def capturing(self) -> "Payment":
        """From here on the money may be gone, whatever the answer."""
        return self._to(Status.CAPTURING)

    def captured(self) -> "Payment":
        """The gateway took the money."""
        return self._to(Status.CAPTURED)

    def released(self, reason: str) -> "Payment":
        """The gateway holds nothing any more."""
        return self._to(Status.RELEASED, release_code=reason_code(reason))

    def _to(self, status: Status, **changes: Any) -> "Payment":
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalMove(f"{self.status} to {status}, order {self.order_id}")
        return replace(self, status=status, **changes)


def announcement(payment: Payment) -> tuple[str, dict[str, Any]] | None:
    """The event that tells the world of the state a payment has just moved into.

    Returns:
        Name and data of the event; None where there is nothing to tell: the states in between, and a tombstone, under
        which no money ever was.
    """
    if payment.amount is None:
        return None
    data: dict[str, Any] = {"customer_id": payment.customer_id, "amount": payment.amount.model_dump()}
    match payment.status:
        case Status.AUTHORIZED:
            return "PaymentAuthorized", {**data, "network": payment.network}
        case Status.DECLINED if payment.decline:
            reason = {"network": payment.decline.network, "code": payment.decline.code}
            return "PaymentDeclined", {**data, "reason": {**reason, "message": payment.decline.message}}
        case Status.CAPTURED:
            return "PaymentCaptured", data
        case Status.RELEASED:
            reason = {"code": payment.release_code or "unspecified", "message": "The order ended without delivery."}
            return "PaymentReleased", {**data, "reason": reason}
        case _:
            return None


def answer(payment: Payment) -> dict[str, str]:
    """What the caller learns of a payment, by the payment contract (`events/commands/payments.json`)."""
    match payment.status:
        case Status.AUTHORIZED:
            return {"status": payment.status.value, "network": payment.network or "unknown"}
        case Status.DECLINED if payment.decline:
            decline = payment.decline
            return {
                "status": payment.status.value,
                "network": decline.network,
                "code": decline.code,
                "message": decline.message,
            }
        case _:
            return {"status": payment.status.value}


def reason_code(reason: str) -> str:
    """Make a code of a caller's reason: events are kept and copied, so no free text of anybody's gets into one."""
    return re.sub(r"[^a-z0-9]+", "_", reason.lower()).strip("_")[:64] or "unspecified"


def spelled_network(network: str) -> str:
    """A card network's name as `events/schemas/common.json` spells them: lower-case letters and underscores."""
    return re.sub(r"[^a-z]+", "_", network.lower()).strip("_")[:32] or "unknown"


def _fingerprint(customer_id: str, amount: Money, payment_method: str) -> str:
    parts = "\n".join((customer_id, str(amount.amount), amount.currency, payment_method))
    return hashlib.sha256(parts.encode()).hexdigest()
