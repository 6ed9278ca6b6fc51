"""A whole payment service in one process: its tables, the real sandbox behind a gateway that can misbehave."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from payments import commands, sandbox
from payments.gateway import Authorized, Captured, GatewayTimeout, Opened, PaymentGateway, Voided
from payments.model import Decline, Payment
from payments.operations import Payments
from payments.store import PaymentStore
from tiffin.money import Money

from worlds.templates import create_table, dynamodb, resources

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
    provider: str = field(init=False)

    def __post_init__(self) -> None:
        self.provider = self.inner.provider

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


class MemoryDynamo:
    """As much of a DynamoDB client as the payment service needs, many times as fast as the emulator's.

    For tests that make many thousand calls; that it behaves as that does is for the same tests to show, on both.
    """

    class Canceled(ClientError):
        """TransactionCanceledException, with one reason for each action."""

    exceptions = SimpleNamespace(TransactionCanceledException=Canceled)

    def __init__(self) -> None:
        self._items: dict[tuple[str, ...], dict[str, Any]] = {}

    def get_item(self, TableName: str, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        found = self._items.get(self._key(TableName, Key))
        return {"Item": dict(found)} if found else {}

    def query(self, TableName: str, ExpressionAttributeValues: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        (partition,) = (value["S"] for value in ExpressionAttributeValues.values())
        return {"Items": [dict(item) for key, item in self._items.items() if key[:2] == (TableName, partition)]}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803
        actions = [(next(iter(action)), next(iter(action.values()))) for action in TransactItems]
        reasons = [{"Code": "None" if self._holds(action) else "ConditionalCheckFailed"} for _, action in actions]
        if any(reason["Code"] != "None" for reason in reasons):
            response: Any = {"CancellationReasons": reasons}
            raise self.Canceled(response, "TransactWriteItems")
        for kind, action in actions:
            if kind == "Put":
                self._items[self._key(action["TableName"], action["Item"])] = dict(action["Item"])
            else:
                assert action["UpdateExpression"] == "SET #status = :to"
                item = self._items[self._key(action["TableName"], action["Key"])]
                item["status"] = action["ExpressionAttributeValues"][":to"]

    def _holds(self, action: dict[str, Any]) -> bool:
        there = self._items.get(self._key(action["TableName"], action.get("Item") or action["Key"]), {})
        match action.get("ConditionExpression", "").replace("(", " ").replace(")", " ").split():
            case []:
                return True
            case ["attribute_not_exists", name]:
                return name not in there
            case [name, "=", value]:
                name = action.get("ExpressionAttributeNames", {}).get(name, name)
                return bool(there.get(name) == action["ExpressionAttributeValues"][value])
            case other:
                raise NotImplementedError(other)

    def _key(self, table: str, item: dict[str, Any]) -> tuple[str, ...]:
        schema = resources("payments")[table]["Properties"]["KeySchema"]
        return (table, *(item[key["AttributeName"]]["S"] for key in schema))


class World:
    """Tables, gateway and service.

    Args:
        client: DynamoDB client; the emulator's by default, and then this is to be made inside `mock_aws`.
    """

    def __init__(self, client: Any = None) -> None:
        self.table, self.ledger = "PaymentsTable", "SandboxLedgerTable"
        if client is None:
            for table in (self.table, self.ledger):
                create_table("payments", table)
            client = dynamodb()
        self.client: DynamoDBClient = client
        self.naps: list[float] = []
        self.sandbox = sandbox.SandboxGateway(self.client, self.ledger, sleep=self.naps.append)
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
            KeyConditionExpression="order_id = :order",
            ExpressionAttributeValues={":order": {"S": order}},
        )["Items"]
        return {row["detail_type"]["S"]: json.loads(row["detail"]["S"]) for row in rows if "detail" in row}
