"""Authorize, capture and release, such that any two of them may overlap, repeat, or die half-way.

Each step looks at the payment as it was read, does the one thing that its state calls for, and writes the outcome over
that version. If another call wrote first, the payment is read and judged again. The gateway is asked before the outcome
is written, and it is the arbiter where two operations race; so a crash in between loses nothing: a retry asks the
gateway again and hears the same answer.
"""

import random
import time

from tiffin.telemetry import count, logger

from payments.commands import Authorize, Capture, Command, Release
from payments.gateway import Authorized, Captured, FreeOfCharge, Opened, PaymentGateway, Voided
from payments.model import CaptureRefused, Decline, HeldElsewhere, Payment, PaymentContended, Status, answer
from payments.store import Overtaken, PaymentStore

Answer = dict[str, str]

# A payment takes five steps at most; what exceeds that is contention.
MAX_STEPS = 12
# The gateway closed a payment that we had not released: the hold ran out, a person voided it in the gateway's console,
# or a release got as far as the gateway and died before it could write.
VOIDED_AT_GATEWAY = "voided_at_gateway"


class Payments:
    """The service's use cases.

    Args:
        store: the payments table.
        gateway: the card gateway.
    """

    def __init__(self, store: PaymentStore, gateway: PaymentGateway) -> None:
        self._store, self._card_gateway = store, gateway

    def perform(self, command: Command) -> Answer:
        """Do what a command asks, once, however often it is asked.

        Returns:
            An answer of the payment contract.

        Raises:
            PaymentError: see its subclasses. `GatewayUnavailable`, `GatewayTimeout` and `PaymentContended` are worth
                another try, which is the caller's to make: the workflow has the one retry policy.
        """
        payment = self._store.load(command.order_id)
        for step in range(MAX_STEPS):
            try:
                outcome = self._step(payment, command)
            except Overtaken:
                # Callers in step with each other fall out of it: a third of a second, over all steps.
                time.sleep(random.uniform(0, 0.005 * step))  # noqa: S311 - jitter, not a secret
                payment = self._store.load(command.order_id)
                continue
            if isinstance(outcome, Payment):
                payment = outcome
            else:
                return outcome
        raise PaymentContended(f"order {command.order_id} kept changing while being read")

    def _step(self, payment: Payment | None, command: Command) -> Answer | Payment:
        """Do the next thing: the answer, if that was the last one, else the payment as it is now."""
        match command:
            case Authorize():
                return self._authorize(payment, command)
            case Capture():
                return self._capture(payment, command)
            case Release():
                return self._release(payment, command)

    def _authorize(self, payment: Payment | None, command: Authorize) -> Answer | Payment:
        requested = Payment.requested(command.order_id, command.customer_id, command.amount, command.payment_method)
        if payment is None:
            return self._store.save(requested, command.trace_header)
        payment.must_match(requested)
        match payment.status:
            case Status.AUTHORIZING if payment.reference is None:
                return self._open(payment, command)
            case Status.AUTHORIZING:
                match self._gateway(payment).authorize(payment.held_as):
                    case Authorized(network):
                        return answer(self._store.save(payment.authorized(network), command.trace_header))
                    case Decline() as decline:
                        return self._decline(payment, decline, command)
                    case Voided():
                        return answer(self._store.save(payment.released(VOIDED_AT_GATEWAY), command.trace_header))
            case Status.CAPTURING | Status.CAPTURED:
                # A repeated request, long after: authorized it was, and that is what was asked.
                return {"status": Status.AUTHORIZED.value, "network": payment.network or "unknown"}
            case _:
                return answer(payment)

    def _open(self, payment: Payment, command: Authorize) -> Answer | Payment:
        gateway = self._gateway(payment)
        match gateway.open(command.order_id, command.amount, command.payment_method):
            case Decline() as decline:
                return self._decline(payment, decline, command)
            case Opened(reference):
                try:
                    # Only with its reference on record may money move: from now on a release knows what to void.
                    return self._store.save(payment.opened(reference, gateway.provider), command.trace_header)
                except Overtaken:
                    current = self._store.load(command.order_id)
                    if current and current.status is Status.RELEASED and current.reference != reference:
                        gateway.void(reference)
                    raise

    def _decline(self, payment: Payment, decline: Decline, command: Authorize) -> Answer:
        declined = self._store.save(payment.declined(decline), command.trace_header)
        logger.info("Payment declined", extra={"network": decline.network, "code": decline.code})
        # The true code: the answer and the event hide some of them from whoever holds the card.
        count("PaymentDeclined", by={"network": decline.network, "code": decline.code})
        return answer(declined)

    def _capture(self, payment: Payment | None, command: Capture) -> Answer | Payment:
        if payment is None:
            raise CaptureRefused(f"order {command.order_id} has no payment")
        match payment.status:
            case Status.AUTHORIZED | Status.CAPTURING:
                # Asked for first, so that a payment which another provider holds stays as it is.
                gateway = self._gateway(payment)
                if payment.status is Status.AUTHORIZED:
                    return self._store.save(payment.capturing(), command.trace_header)
                match gateway.capture(payment.held_as):
                    case Captured():
                        return answer(self._store.save(payment.captured(), command.trace_header))
                    case Voided():
                        return self._store.save(payment.released(VOIDED_AT_GATEWAY), command.trace_header)
            case Status.CAPTURED:
                return answer(payment)
            case status:
                raise CaptureRefused(f"the payment of order {command.order_id} is {status.value}")

    def _release(self, payment: Payment | None, command: Release) -> Answer | Payment:
        if payment is None:
            tombstone = Payment.tombstone(command.order_id, command.reason)
            return answer(self._store.save(tombstone, command.trace_header))
        match payment.status:
            case Status.AUTHORIZING if payment.reference is None:
                # The gateway may know of it, but holds nothing and will not be asked to: see _open.
                return answer(self._store.save(payment.released(command.reason), command.trace_header))
            case Status.AUTHORIZING | Status.AUTHORIZED | Status.CAPTURING:
                match self._gateway(payment).void(payment.held_as):
                    case Voided():
                        return answer(self._store.save(payment.released(command.reason), command.trace_header))
                    case Captured():
                        # The capture's answer was lost, or is on its way: what it would write is written here.
                        return answer(self._store.save(payment.captured(), command.trace_header))
            case _:
                return answer(payment)

    def _gateway(self, payment: Payment) -> PaymentGateway:
        if payment.amount is not None and payment.amount.amount == 0:
            return FreeOfCharge()
        # A row with a reference and no provider is from before rows said so: it is taken to be the configured one's.
        if payment.provider not in (None, self._card_gateway.provider):
            raise HeldElsewhere(f"the payment of order {payment.order_id} is held by {payment.provider}")
        return self._card_gateway
