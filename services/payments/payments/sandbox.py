"""A card gateway that needs no account anywhere: a stateful stand-in with a ledger of its own.

It stands for the remote side, so it shares nothing with the payments table. It answers by the names of Stripe's test
payment methods (docs.stripe.com/testing), keeps Stripe's promises on idempotency keys (docs.stripe.com/api/
idempotent_requests), and books each movement of money in a ledger that can be summed.

Ledger: PK `intent_id`, SK `entry`. Under a payment's reference, `INTENT` holds its state, and `HOLD#…`, `CAPTURE#…`
and `VOID#…` are one movement each, never overwritten. Under `key:<idempotency key>`, `KEY` holds what was asked with
that key, and the answer.
"""

import hashlib
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiffin import events
from tiffin.charges import NotChargeable, chargeable
from tiffin.dynamodb import CONDITION_FAILED, deserialize, refusals, serialize
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
from payments.model import GENERIC_DECLINE, Decline, PaymentMismatch, refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


# Stripe forgets a key after a day at the earliest.
KEY_RETENTION_SECONDS = 24 * 3600
SLOW_SECONDS = 2.0

NETWORKS = ("visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay")
# Suffix of the payment method's name: decline code, and Stripe's sentence for it.
DECLINES: Mapping[str, tuple[str, str]] = {
    "chargeDeclined": GENERIC_DECLINE,
    "chargeCustomerFail": GENERIC_DECLINE,
    "chargeDeclinedInsufficientFunds": ("insufficient_funds", "Your card has insufficient funds."),
    "chargeDeclinedLostCard": ("lost_card", "Your card was declined."),
    "chargeDeclinedStolenCard": ("stolen_card", "Your card was declined."),
    "chargeDeclinedFraudulent": ("fraudulent", "Your card was declined."),
    "chargeDeclinedExpiredCard": ("expired_card", "Your card has expired."),
    "chargeDeclinedIncorrectCvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "chargeDeclinedProcessingError": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "chargeDeclinedVelocityLimitExceeded": (
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "authenticationRequired": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}
APPROVALS = frozenset({"", "debit", "prepaid"})
UNAVAILABLE_TWICE, SLOW, LOSES_ANSWER = "gatewayUnavailableTwice", "gatewaySlow", "gatewayLosesAnswer"
TROUBLES = frozenset({UNAVAILABLE_TWICE, SLOW, LOSES_ANSWER})
# Stripe's own test methods can be used as often as one likes, so this name is ours.
USED_BEFORE = "usedBefore"
_METHOD = re.compile(rf"pm_card(?:_(?P<network>{'|'.join(NETWORKS)}))?(?:_(?P<suffix>\w+))?")


@dataclass(frozen=True)
class _Card:
    network: str
    suffix: str


def _card(payment_method: str) -> _Card | None:
    """Read a test payment method's name; None if it names no card that exists."""
    found = _METHOD.fullmatch(payment_method)
    if not found or payment_method == "pm_card":
        return None
    card = _Card(found["network"] or "visa", found["suffix"] or "")
    return card if card.suffix in APPROVALS | TROUBLES | {USED_BEFORE} | DECLINES.keys() else None


def _looked_at(amount: Money, payment_method: str) -> _Card | Decline:
    """The card that is to pay, or what Stripe would refuse before it knew of any payment.

    Raises:
        GatewayRefused: no card could pay this, and it is not the customer's doing.
    """
    card = _card(payment_method)
    if card is None:
        return refused("resource_missing")
    if card.suffix == USED_BEFORE:
        return refused("payment_method_unexpected_state")
    try:
        charge = chargeable(amount.currency)
    except NotChargeable as error:
        raise GatewayRefused(str(error)) from error
    if amount.amount < charge.smallest:
        return refused("amount_too_small")
    if amount.amount > charge.largest:
        return refused("amount_too_large")
    if amount.amount % charge.step:
        raise GatewayRefused(f"a card cannot be charged {amount} exactly")
    return card


@dataclass(frozen=True)
class Balance:
    """The money of one order at the gateway, in minor units."""

    held: int
    captured: int
    voided: int

    @property
    def open(self) -> int:
        """What is still held."""
        return self.held - self.captured - self.voided


class SandboxGateway:
    """The sandbox, as a `PaymentGateway`.

    Args:
        client: DynamoDB client.
        table: name of the ledger table.
        sleep: how a slow gateway passes its time; seconds.
    """

    provider = "sandbox"

    def __init__(self, client: "DynamoDBClient", table: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client, self._table, self._sleep = client, table, sleep

    @traced_call
    def open(self, order_id: str, amount: Money, payment_method: str) -> Opened | Decline:
        """Register a payment under the idempotency key `<order id>:open`; see `PaymentGateway.open`."""
        card = _looked_at(amount, payment_method)
        if isinstance(card, Decline):
            return card
        key, reference = f"{order_id}:open", _reference(order_id)
        asked = json.dumps([amount.amount, amount.currency, payment_method])
        opened = {"intent_id": f"key:{key}", "entry": "KEY", "asked": asked, "answer": reference}
        intent = {
            "intent_id": reference,
            "entry": "INTENT",
            "status": "requires_confirmation",
            "order_id": order_id,
            "amount": amount.model_dump(),
            **vars(card),
        }
        if self._write(
            _put(self._table, {**opened, "expires_at": int(time.time()) + KEY_RETENTION_SECONDS}, new=True),
            _put(self._table, intent, new=True),
        ):
            return Opened(reference)
        before = self._read(f"key:{key}", "KEY")
        if before["asked"] != asked:
            raise PaymentMismatch(f"idempotency key {key} was used with other parameters")
        return Opened(before["answer"])

    @traced_call
    def authorize(self, reference: str) -> Authorized | Decline | Voided:
        """Hold the money, or do what the payment method's name says; see `PaymentGateway.authorize`."""
        intent = self._read(reference, "INTENT")
        card = _Card(intent["network"], intent["suffix"])
        self._trouble(reference, card)
        status = intent["status"]
        if status == "requires_confirmation":
            declined = card.suffix in DECLINES
            status = "requires_payment_method" if declined else "requires_capture"
            if not self._move(intent, status, movement=None if declined else "HOLD"):
                status = self._read(reference, "INTENT")["status"]
            elif card.suffix == LOSES_ANSWER:
                raise GatewayTimeout("the money is held, and the answer was lost")
        match status:
            case "requires_payment_method":
                return Decline(card.network, *DECLINES[card.suffix])
            case "canceled":
                return Voided()
            case _:
                return Authorized(card.network)

    @traced_call
    def capture(self, reference: str) -> Captured | Voided:
        """Take the money; see `PaymentGateway.capture`."""
        intent = self._read(reference, "INTENT")
        match intent["status"]:
            case "succeeded":
                return Captured()
            case "canceled":
                return Voided()
            case "requires_capture":
                moved = self._move(intent, "succeeded", movement="CAPTURE")
                return Captured() if moved else self.capture(reference)
            case status:
                raise GatewayRefused(f"a payment that is {status} cannot be captured")

    @traced_call
    def void(self, reference: str) -> Voided | Captured:
        """Give the money back; see `PaymentGateway.void`."""
        intent = self._read(reference, "INTENT")
        match intent["status"]:
            case "succeeded":
                return Captured()
            case "canceled":
                return Voided()
            case status:
                moved = self._move(intent, "canceled", movement="VOID" if status == "requires_capture" else None)
                return Voided() if moved else self.void(reference)

    def balance(self, order_id: str) -> Balance:
        """Sum the ledger over one order."""
        entries = self._client.query(
            TableName=self._table,
            KeyConditionExpression="intent_id = :intent_id",
            ExpressionAttributeValues={":intent_id": {"S": _reference(order_id)}},
            ConsistentRead=True,
        )["Items"]
        sums: Counter[str] = Counter()
        for entry in entries:
            sums[entry["entry"]["S"].partition("#")[0]] += int(entry["amount"]["M"]["amount"]["N"])
        return Balance(sums["HOLD"], sums["CAPTURE"], sums["VOID"])

    def _trouble(self, reference: str, card: _Card) -> None:
        if card.suffix == SLOW:
            self._sleep(SLOW_SECONDS)
        if card.suffix == UNAVAILABLE_TWICE:
            counted = self._client.update_item(
                TableName=self._table,
                Key=_key(reference, "INTENT"),
                UpdateExpression="ADD attempts :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
            if int(counted["Attributes"]["attempts"]["N"]) <= 2:
                raise GatewayUnavailable("the gateway is down for maintenance")

    def _move(self, intent: dict[str, Any], status: str, movement: str | None = None) -> bool:
        """Change a payment's state and book the movement, unless another call changed it first: False."""
        change: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table,
                "Key": _key(intent["intent_id"], "INTENT"),
                "UpdateExpression": "SET #status = :to",
                "ConditionExpression": "#status = :from",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {":to": serialize(status), ":from": serialize(intent["status"])},
            }
        }
        if movement is None:
            return self._write(change)
        booked = {name: intent[name] for name in ("intent_id", "order_id", "amount")}
        entry = f"{movement}#{secrets.token_hex(8)}"
        return self._write(change, _put(self._table, {**booked, "entry": entry, "booked_at": events.rfc3339()}))

    def _write(self, *writes: "TransactWriteItemTypeDef") -> bool:
        try:
            self._client.transact_write_items(TransactItems=writes)
        except self._client.exceptions.TransactionCanceledException as error:
            if CONDITION_FAILED in refusals(error):
                return False
            # As Stripe answers 429, lock_timeout, while another call holds the same object.
            raise GatewayUnavailable("another call holds this payment") from error
        return True

    def _read(self, reference: str, entry: str) -> dict[str, Any]:
        found = self._client.get_item(TableName=self._table, Key=_key(reference, entry), ConsistentRead=True)
        if "Item" not in found:
            raise GatewayRefused("there is no such payment")
        return {name: deserialize(value) for name, value in found["Item"].items()}


def _reference(order_id: str) -> str:
    return "pi_sandbox_" + hashlib.sha256(order_id.encode()).hexdigest()[:24]


def _key(reference: str, entry: str) -> dict[str, Any]:
    return {"intent_id": {"S": reference}, "entry": {"S": entry}}


def _put(table: str, item: dict[str, Any], *, new: bool = False) -> "TransactWriteItemTypeDef":
    typed = {name: serialize(value) for name, value in item.items()}
    condition = {"ConditionExpression": "attribute_not_exists(intent_id)"} if new else {}
    return {"Put": {"TableName": table, "Item": typed, **condition}}  # type: ignore[typeddict-item]
