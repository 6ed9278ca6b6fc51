"""The whole application in one process: real tables, real handlers, real state machines, real sandbox gateway.

Executions are stepped by hand (`asl.Execution`), so a test decides who goes next, what gets lost and who dies. Time is
the world's own: it passes by a second with everything that happens, and otherwise as a test says.
"""

import copy
import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import RLock
from types import SimpleNamespace
from typing import Any

import asl
import pytest
from asl import Execution, TaskFailed
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError
from contracts import schemas
from orders.workflow import CallbackRefused
from payments import commands
from payments.model import PaymentError
from payments.operations import Payments
from payments.sandbox import SandboxGateway
from payments.store import PaymentStore
from tiffin.events import ORDER_ENDS, rfc3339

from worlds import feed
from worlds.orders import Api, orders_world
from worlds.payments import Boundary
from worlds.quick import contents, put_back, quick_expressions, tables
from worlds.runtime import ENVIRONMENT, context
from worlds.templates import create_table, dynamodb
from worlds.workflows import MACHINES, ask_the_table

ENDS = frozenset(ORDER_ENDS.values())
BEGIN = datetime(2026, 11, 26, 12, tzinfo=UTC)
THREE_HOURS = timedelta(hours=3)
# Far more rounds than any world needs to come to rest.
MANY = 60
Item = dict[str, Any]
plain = TypeDeserializer().deserialize


class Ports:
    """Step Functions as the orders service sees it, kept by hand.

    Attributes:
        deaf: whether it cannot be asked at all.
    """

    def __init__(self, world: "Tiffin") -> None:
        self._world, self.deaf = world, False

    def start(self, order_id: str, given: Item) -> str:
        self._reachable()
        known = self._world.lives.get(order_id)
        if known:
            return "running" if known.status == "RUNNING" else "ended"
        self._world.lives[order_id] = Execution(MACHINES["order"], order_id, given, self._world.perform)
        return "started"

    def call_back(self, token: str, output: Item) -> None:
        self._reachable()
        for life in self._world.lives.values():
            if token and life.token == token:
                life.call_back(output)
                return
        raise CallbackRefused("TaskTimedOut")

    def stop(self, order_id: str, error: str, cause: str) -> bool:
        self._reachable()
        life = self._world.lives.get(order_id)
        if life is None or life.status != "RUNNING":
            return False
        life.die("ABORTED")
        return True

    def _reachable(self) -> None:
        if self.deaf:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "any")


class Unwinds:
    """The unwind workflow as the reconciler sees it."""

    def __init__(self, world: "Tiffin") -> None:
        self._world = world

    def start(self, order_id: str, attempt: int) -> None:
        name = f"{order_id}-repair-{attempt}"
        if name not in {unwind.name for unwind in self._world.unwinds}:
            self._world.unwind(order_id, "UNREPORTED", name=name)


@dataclass(frozen=True)
class Moment:
    """A moment of a world, to come back to."""

    tables: bytes
    lives: dict[str, Execution]
    unwinds: list[Execution]
    rest: dict[str, Any]


class Tiffin:
    """One world, from its first moment.

    Attributes:
        api: the orders API.
        lives: the order workflow's executions, by order.
        unwinds: the unwind workflow's.
        bus: every event so far, each valid against its contract.
        unheard: events that have not reached a consumer yet, each with that consumer.
        now: the moment.
        relayed: ids of the events that came from an outbox.
        as_placed: each order's row as it was first written: what an inconsistent read may still see.
    """

    def __init__(self, api: Api, patch: pytest.MonkeyPatch) -> None:
        self.api, self.now = api, BEGIN
        self.dynamodb = dynamodb()
        for service, table in (
            ("payments", "PaymentsTable"),
            ("payments", "SandboxLedgerTable"),
            ("promotions", "PromotionsTable"),
        ):
            create_table(service, table)
        self.ledger = SandboxGateway(self.dynamodb, "SandboxLedgerTable")
        self.gateway = Boundary(self.ledger)
        self.payments = Payments(PaymentStore(self.dynamodb, "PaymentsTable"), self.gateway)
        self.ports = Ports(self)
        self.lives: dict[str, Execution] = {}
        self.unwinds: list[Execution] = []
        self.bus: list[Item] = []
        self.unheard: list[tuple[Any, Item]] = []
        self.as_placed: dict[str, Item] = {}
        # An execution environment answers one request at a time, however many threads a world has.
        self._environment = RLock()
        self.relayed: set[str] = set()
        self._promotions = importlib.import_module("promotions.consumer")
        self._projection = importlib.import_module("orders.consumer")
        self._reconciler = importlib.import_module("orders.reconciler")
        for cached in (self._promotions.promotions, self._projection.promo_codes):
            cached.cache_clear()
        patch.setattr(api.module, "workflow", lambda: self.ports)
        patch.setattr(api.module, "datetime", SimpleNamespace(now=lambda _: self.moment()))
        patch.setattr(asl, "rfc3339", lambda: rfc3339(self.moment()))
        patch.setattr(self._reconciler, "workflow", lambda: self.ports)
        patch.setattr(self._reconciler, "unwind", lambda: Unwinds(self))
        patch.setattr(self._reconciler, "store", api.module.store)

    def remember(self) -> Moment:
        """This moment, to come back to."""
        return Moment(
            tables(),
            {order_id: life.twin() for order_id, life in self.lives.items()},
            [unwind.twin() for unwind in self.unwinds],
            {name: copy.copy(getattr(self, name)) for name in ("bus", "unheard", "relayed", "as_placed", "now")},
        )

    def looks(self) -> tuple[str, ...]:
        """All that anybody but a running execution could know of this world."""
        return contents(), *sorted({event["detail"]["metadata"]["event_id"] for event in self.bus})

    def go_back(self, moment: Moment) -> None:
        """Let everything be as it was at a moment of this world."""
        put_back(moment.tables)
        self.lives = {order_id: life.twin() for order_id, life in moment.lives.items()}
        self.unwinds = [unwind.twin() for unwind in moment.unwinds]
        for name, value in moment.rest.items():
            setattr(self, name, copy.copy(value))

    def moment(self) -> datetime:
        """The next moment: no two are the same."""
        self.now += timedelta(seconds=1)
        return self.now

    # What people do.

    def place(self, key: str = "key-1", **changes: Any) -> tuple[int, Item]:
        """Place an order; see `Api.place`."""
        with self._environment:
            status, answer = self.api.place(key, **changes)
            if status == 201:
                self.as_placed[answer["order_id"]] = self._row(answer["order_id"])
        return status, answer

    def move(self, order_id: str, move: str, *, told: bool = True) -> int:
        """Make a move.

        Args:
            order_id: the order.
            move: accept, reject, cancel, dispatch or deliver.
            told: whether the workflow can be told of it.

        Returns:
            The status that it is answered with: 202, 409, or 404 where the order is none of the mover's business.
        """
        body = {"reason": "too_busy"} if move == "reject" else None
        with self._environment:
            self.ports.deaf = not told
            status, answer = self.api.call("POST", f"/orders/{order_id}/{move}", body)
            self.ports.deaf = False
        assert status in {202, 404, 409}, answer
        return status

    def give_code(self, customer_id: str, code: str) -> None:
        """Let a customer have a promo code, as the orders service hears of it."""
        event = schemas.example("PromoCodeIssued")
        event["detail"]["data"] |= {"customer_id": customer_id, "code": code}
        self._heard(self._projection, event)

    # What machines do.

    def run(self, execution: Execution) -> None:
        """Let an execution go on until it ends or waits for somebody."""
        while execution.can_step:
            execution.step()

    def unwind(self, order_id: str, status: str, *, name: str = "", error: str | None = None) -> Execution:
        """Start the unwind workflow, as the rule and the reconciler do.

        Args:
            order_id: the order.
            status: of its execution.
            name: of the unwind; one of its own by default.
            error: why it failed, if it did.
        """
        given = {"detail": {"name": order_id, "status": status} | ({"error": error} if status == "FAILED" else {})}
        unwind = Execution(MACHINES["unwind"], name or f"event-{len(self.unwinds)}", given, self.perform)
        self.unwinds.append(unwind)
        return unwind

    def report(self, life: Execution) -> Execution:
        """Let the status event of a death start the unwind, and no more than that."""
        assert life.status in {"FAILED", "ABORTED", "TIMED_OUT"}
        return self.unwind(life.name, life.status, error=life.error)

    def hear(self, consumer: Any, event: Item) -> None:
        """Let a consumer have an event, and its relay send what follows."""
        self._heard(consumer, event)
        if consumer is self._promotions:
            self._relay("PromotionsTable", "customer_id", event["detail"]["data"]["customer_id"])

    def hear_all(self) -> None:
        """Let every event reach its consumers."""
        while self.unheard:
            self.hear(*self.unheard.pop(0))

    def sweep(self, later: timedelta = timedelta()) -> dict[str, int]:
        """Let the reconciler look at what is due, some time from now."""
        self.now += later
        found: dict[str, int] = self._reconciler.sweep(self.now)
        return found

    def settle(self) -> None:
        """Let every execution and the reconciler do what there is to do, until nothing is owed to any order."""
        for _ in range(MANY):
            for execution in [*self.lives.values(), *self.unwinds]:
                self.run(execution)
            self.hear_all()
            owed = [row for row in self.api.rows() if "open_shard" in row]
            if not owed:
                return
            self.now = max(self.now, datetime.fromisoformat(min(row["check_at"] for row in owed)))
            for row in owed:
                life = self.lives.get(row["order_id"])
                if life and life.status == "RUNNING" and rfc3339(self.now) >= row["deadline_at"]:
                    life.die("TIMED_OUT")
            self.sweep()
        raise AssertionError("it never comes to rest")

    # How a task is performed.

    def perform(self, resource: str, arguments: Item) -> Any:
        """What Step Functions would do for a task, with its names for what goes wrong."""
        resource = resource.removesuffix(asl.WAITS).partition(":states:::")[2]
        match resource:
            case "dynamodb:getItem" if not arguments.get("ConsistentRead"):
                return {"Item": self.as_placed[arguments["Key"]["order_id"]["S"]]}
            case _ if "dynamodb:" in resource:
                return ask_the_table(self.dynamodb, resource, arguments)
            case "events:putEvents":
                for entry in arguments["Entries"]:
                    self._publish(entry["Source"], entry["DetailType"], entry["Detail"])
                return {"FailedEntryCount": 0}
            case "lambda:invoke":
                command = commands.parse(json.loads(json.dumps(arguments["Payload"])))
                try:
                    return {"Payload": self.payments.perform(command)}
                except PaymentError as error:
                    raise TaskFailed(type(error).__name__) from error
                finally:
                    self._relay("PaymentsTable", "order_id", command.order_id)
        raise NotImplementedError(resource)

    def _row(self, order_id: str) -> Item:
        found = self.dynamodb.get_item(TableName="OrdersTable", Key={"order_id": {"S": order_id}}, ConsistentRead=True)
        return dict(found["Item"])

    def _publish(self, source: str, name: str, detail: Item) -> None:
        event = schemas.example(name) | {"source": source, "detail-type": name, "detail": detail}
        schemas.validate(event)
        self.bus.append(event)
        if name == "OrderPlaced" or name in ORDER_ENDS:
            self.unheard.append((self._promotions, event))
        if name in {"PromoCodeIssued", "PromoCodeRestored"}:
            self.unheard.append((self._projection, event))

    def _heard(self, consumer: Any, event: Item) -> None:
        assert consumer.handler(feed.batch(event), context()) == {"batchItemFailures": []}

    def _relay(self, table: str, key: str, value: str) -> None:
        """What a relay does: put every record of the outbox on the bus, once."""
        for item in self.outbox(table, key, value):
            detail = json.loads(item["detail"]["S"])
            if detail["metadata"]["event_id"] not in self.relayed:
                self.relayed.add(detail["metadata"]["event_id"])
                self._publish(item["source"]["S"], item["detail_type"]["S"], detail)

    def payment(self, order_id: str) -> Item:
        """An order's payment as its table has it; empty, if there is none."""
        key = {"order_id": {"S": order_id}, "record": {"S": "PAYMENT"}}
        found = self.dynamodb.get_item(TableName="PaymentsTable", Key=key, ConsistentRead=True)
        return {name: plain(value) for name, value in found.get("Item", {}).items()}

    def outbox(self, table: str, key: str, value: str) -> list[Item]:
        """The outbox items in a partition of a table."""
        items = self.dynamodb.query(
            TableName=table,
            KeyConditionExpression=f"{key} = :value AND begins_with(#record, :event)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":value": {"S": value}, ":event": {"S": "EVENT#"}},
        )["Items"]
        return [dict(item) for item in items]


@contextmanager
def tiffin_world() -> Iterator[Tiffin]:
    """A world of its own, in a process that can reach no account."""
    with pytest.MonkeyPatch.context() as patch:
        environment = {"PROMOTIONS_TABLE": "PromotionsTable", "UNWIND_WORKFLOW_ARN": "arn:unwind"}
        for name, value in (ENVIRONMENT | environment).items():
            patch.setenv(name, value)
        # One partition is enough for a few orders, and each sweep asks every one.
        patch.setattr("orders.store.OPEN_SHARDS", 1)
        with quick_expressions(), orders_world(patch) as api:
            yield Tiffin(api, patch)
