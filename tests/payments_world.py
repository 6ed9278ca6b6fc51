"""A whole payment service in one process: its tables in moto, the real sandbox behind a gateway that can misbehave."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from payments import commands, sandbox
from payments.gateway import Authorized, Captured, GatewayTimeout, Opened, PaymentGateway, Voided
from payments.model import Decline, Payment
from payments.operations import Payments
from payments.store import PaymentStore
from support import resources
from tiffin.money import Money

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ORDER = "ord_vc72z45425iwi2mntvykvtjm4w"
OTHER_ORDER = "ord_rndqixvxxdfefkuwp4z64hibjo"
CUSTOMER = "5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11"
TRACE = "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5;Parent=6b221d5bc9e6496c;Sampled=1"
AMOUNT = 2350

Hook = Callable[[], object]


def authorize(method: str = "pm_card_visa", amount: int = AMOUNT, order: str = ORDER) -> dict[str, Any]:
    """A request to hold the order's money."""
    return {
        "operation": "authorize",
        "order_id": order,
        "customer_id": CUSTOMER,
        "amount": {"amount": amount, "currency": "EUR"},
        "payment_method": method,
        "trace_header": TRACE,
    }


def capture(order: str = ORDER) -> dict[str, Any]:
    """A request to take the held money."""
    return {"operation": "capture", "order_id": order, "trace_header": TRACE}


def release(order: str = ORDER, reason: str = "order_unwound") -> dict[str, Any]:
    """A request to let the money go."""
    return {"operation": "release", "order_id": order, "reason": reason, "trace_header": TRACE}


@dataclass
class Boundary:
    """A gateway behind a network: something may happen before a call arrives, or before its answer does.

    Hooks are used once, by the first call of their operation.
    """

    inner: PaymentGateway
    before: dict[str, Hook] = field(default_factory=dict)
    after: dict[str, Hook] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def lose_answer(self, operation: str) -> None:
        """Let the next call do its work and its answer never arrive."""

        def lost() -> None:
            raise GatewayTimeout("lost")

        self.after[operation] = lost

    def open(self, order_id: str, amount: Money, payment_method: str) -> Opened | Decline:
        with self._crossed("open"):
            return self.inner.open(order_id, amount, payment_method)

    def authorize(self, reference: str) -> Authorized | Decline | Voided:
        with self._crossed("authorize"):
            return self.inner.authorize(reference)

    def capture(self, reference: str) -> Captured | Voided:
        with self._crossed("capture"):
            return self.inner.capture(reference)

    def void(self, reference: str) -> Voided | Captured:
        with self._crossed("void"):
            return self.inner.void(reference)

    def _crossed(self, operation: str) -> "_Crossing":
        return _Crossing(self, operation)


@dataclass
class _Crossing:
    boundary: Boundary
    operation: str

    def __enter__(self) -> None:
        self.boundary.calls.append(self.operation)
        self.boundary.before.pop(self.operation, _nothing)()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.boundary.after.pop(self.operation, _nothing)()


def _nothing() -> None:
    pass


@cache
def _client() -> "DynamoDBClient":
    # A client takes longer to make than most tests take; moto answers any that was made after its own import.
    return boto3.client("dynamodb", region_name="eu-central-1")


def _table(client: "DynamoDBClient", name: str) -> str:
    wanted = resources("payments")[name]["Properties"]
    shape = {key: wanted[key] for key in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    client.create_table(TableName=name, **shape)
    return name


class World:
    """Made inside `mock_aws`, and gone with it."""

    def __init__(self) -> None:
        self.client = _client()
        self.table, ledger = (_table(self.client, name) for name in ("PaymentsTable", "SandboxLedgerTable"))
        self.naps: list[float] = []
        self.sandbox = sandbox.SandboxGateway(self.client, ledger, sleep=self.naps.append)
        self.gateway = Boundary(self.sandbox)
        self.store = PaymentStore(self.client, self.table)
        self.payments = Payments(self.store, self.gateway)

    def ask(self, request: dict[str, Any]) -> dict[str, str]:
        """Perform a request, as the handler does."""
        return self.payments.perform(commands.parse(request))

    def payment(self, order: str = ORDER) -> Payment:
        """The payment on record."""
        found = self.store.load(order)
        assert found, f"{order} has no payment"
        return found

    def balance(self, order: str = ORDER) -> sandbox.Balance:
        """The money at the gateway."""
        return self.sandbox.balance(order)

    def events(self, order: str = ORDER) -> dict[str, dict[str, Any]]:
        """Details of the order's events in the outbox, by name."""
        rows = self.client.query(
            TableName=self.table,
            KeyConditionExpression="order_id = :order AND begins_with(#record, :event)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":order": {"S": order}, ":event": {"S": "EVENT#"}},
        )["Items"]
        return {row["detail_type"]["S"]: json.loads(row["detail"]["S"]) for row in rows}
