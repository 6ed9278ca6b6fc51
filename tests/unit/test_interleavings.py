"""Orders, payments and promo codes under random interleavings, with the real state machines stepped by hand.

Whatever the order of placing, moves, deaths, losses and repetitions, the invariants hold after every single step, and
once everything has been heard and swept, every order has ended well.
"""

import importlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from asl import Execution, TaskFailed, machine
from botocore.exceptions import ClientError
from contracts import schemas
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from orders.workflow import CallbackRefused
from payments import commands
from payments.model import PaymentError
from payments.operations import Payments
from payments.sandbox import SandboxGateway
from payments.store import PaymentStore
from tiffin.events import rfc3339
from worlds import feed
from worlds.orders import orders_world
from worlds.payments import Boundary
from worlds.runtime import context
from worlds.templates import create_table

ENDS = {"DELIVERED", "DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED"}
ANNOUNCED_AS = {
    "PLACED": "OrderPlaced",
    "PREPARING": "OrderAccepted",
    "OUT_FOR_DELIVERY": "OrderDispatched",
    **{end: f"Order{end.capitalize()}" for end in ENDS},
}
MOVES = {"AwaitRestaurant": "accept", "AwaitDispatch": "dispatch", "AwaitDelivery": "deliver"}
METHODS = [
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_mastercard_chargeDeclinedInsufficientFunds",
    "pm_card_visa_gatewayUnavailableTwice",
]
some = st.integers(min_value=0, max_value=999)


class Ports:
    """Step Functions as the orders service sees it, kept by hand."""

    def __init__(self, world: "Tiffin") -> None:
        self._world, self.deaf = world, False

    def start(self, order_id: str, given: dict[str, Any]) -> str:
        self._reachable()
        known = self._world.lives.get(order_id)
        if known:
            return "running" if known.status == "RUNNING" else "ended"
        self._world.lives[order_id] = Execution(self._world.order_machine, order_id, given, self._world.perform)
        return "started"

    def call_back(self, token: str, output: dict[str, Any]) -> None:
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
    def __init__(self, world: "Tiffin") -> None:
        self._world = world

    def start(self, order_id: str, attempt: int) -> None:
        name = f"{order_id}-repair-{attempt}"
        if name not in {u.name for u in self._world.unwinds}:
            self._world.unwind(order_id, "UNREPORTED", name)


class Tiffin(RuleBasedStateMachine):
    """The whole application in one process: real tables (moto), real handlers, real state machines, real sandbox."""

    @initialize()
    def begin(self) -> None:
        self._patch = pytest.MonkeyPatch()
        for name, value in {"PROMOTIONS_TABLE": "PromotionsTable", "UNWIND_WORKFLOW_ARN": "arn:unwind"}.items():
            self._patch.setenv(name, value)
        self._world = orders_world(self._patch)
        self.api = self._world.__enter__()
        create_table("payments", "PaymentsTable")
        create_table("payments", "SandboxLedgerTable")
        create_table("promotions", "PromotionsTable")
        self.dynamodb = boto3.client("dynamodb")
        self.ledger = SandboxGateway(self.dynamodb, "SandboxLedgerTable")
        self.gateway = Boundary(self.ledger)
        self.payments = Payments(PaymentStore(self.dynamodb, "PaymentsTable"), self.gateway)
        self.promotions = importlib.import_module("promotions.consumer")
        self.projection = importlib.import_module("orders.consumer")
        self.reconciler = importlib.import_module("orders.reconciler")
        for cached in (self.promotions.promotions, self.projection.promo_codes):
            cached.cache_clear()
        self.ports = Ports(self)
        self._patch.setattr(self.api.module, "workflow", lambda: self.ports)
        self._patch.setattr(self.reconciler, "workflow", lambda: self.ports)
        self._patch.setattr(self.reconciler, "unwind", lambda: Unwinds(self))
        self._patch.setattr(self.reconciler, "store", self.api.module.store)
        names = {"OrdersTableName": "OrdersTable", "EventBusName": "bus", "PaymentsFunctionArn": "payments"}
        self.order_machine, self.unwind_machine = machine("order", **names), machine("unwind", **names)
        self.lives: dict[str, Execution] = {}
        self.unwinds: list[Execution] = []
        self.reported: set[str] = set()
        self.bus: list[dict[str, Any]] = []
        self.unheard: list[tuple[Any, dict[str, Any]]] = []
        self.relayed: set[str] = set()
        self.ended: dict[str, str] = {}
        self.statuses: dict[str, set[str]] = {}
        self.now = datetime.now(UTC)

    # What people do.

    @rule(key=st.integers(0, 3), method=st.sampled_from(METHODS), with_code=st.booleans(), deaf=st.booleans())
    def place(self, key: int, method: str, with_code: bool, deaf: bool) -> None:
        codes = self.dynamodb.scan(TableName="PromoCodesTable")["Items"] if with_code else []
        more = {"promo_code": codes[key % len(codes)]["code"]["S"]} if codes else {}
        self.ports.deaf = deaf
        status, answer = self.api.place(f"key-{key}", payment_method=method, **more)
        self.ports.deaf = False
        assert status in {200, 201, 409, 422}, answer

    @precondition(lambda self: self.lives)
    @rule(
        which=some,
        move=st.sampled_from(["accept", "accept", "reject", "cancel", "dispatch", "deliver"]),
        deaf=st.booleans(),
    )
    def make_a_move(self, which: int, move: str, deaf: bool) -> None:
        order_id = sorted(self.lives)[which % len(self.lives)]
        self.ports.deaf = deaf and which % 3 == 0
        status, answer = self.api.call("POST", f"/orders/{order_id}/{move}")
        self.ports.deaf = False
        assert status in {202, 409}, answer

    @precondition(lambda self: self._alive())
    @rule(which=some, moves=st.integers(1, 3), steps=st.integers(0, 4))
    def all_goes_well_for_a_while(self, which: int, moves: int, steps: int) -> None:
        """Take an order some moves further, and leave it a few steps behind the last one."""
        alive = self._alive()
        life = alive[which % len(alive)]
        for _ in range(moves):
            while life.can_step:
                life.step()
            if life.token is None:
                return
            self.api.call("POST", f"/orders/{life.name}/{MOVES[life.at]}")
        for _ in range(steps):
            if life.can_step:
                life.step()

    # What machines do.

    @precondition(lambda self: self._running())
    @rule(which=some, steps=st.integers(1, 4), lost=st.sampled_from([False, False, False, True]))
    def go_on(self, which: int, steps: int, lost: bool) -> None:
        running = self._running()
        execution = running[which % len(running)]
        for n in range(steps):
            if execution.can_step:
                execution.step(answer_lost=lost and n == steps - 1)

    @precondition(lambda self: self.unheard)
    @rule(which=some, again=st.booleans())
    def hear(self, which: int, again: bool) -> None:
        consumer, event = self.unheard[which % len(self.unheard)]
        if not again:
            self.unheard.remove((consumer, event))
        assert consumer.handler(feed.batch(event), context()) == {"batchItemFailures": []}
        self._relay()

    @precondition(lambda self: self._unreported())
    @rule(which=some, times=st.integers(1, 3))
    def report_a_death(self, which: int, times: int) -> None:
        dead = self._unreported()
        life = dead[which % len(dead)]
        self.reported.add(life.name)
        for _ in range(times):
            self.unwind(life.name, life.status, f"event-{len(self.unwinds)}", life.error)

    @rule(minutes=st.sampled_from([1, 3, 10, 60]))
    def sweep(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.reconciler.sweep(self.now)

    # What goes wrong.

    @precondition(lambda self: any(life.token and life.at == "AwaitRestaurant" for life in self.lives.values()))
    @rule(which=some)
    def the_restaurant_is_silent(self, which: int) -> None:
        waiting = [life for life in self.lives.values() if life.token and life.at == "AwaitRestaurant"]
        waiting[which % len(waiting)].wait_is_over()

    @precondition(lambda self: self._alive())
    @rule(which=some, how=st.sampled_from(["TIMED_OUT", "TIMED_OUT", "ABORTED"]))
    def a_workflow_dies(self, which: int, how: str) -> None:
        alive = self._alive()
        alive[which % len(alive)].die(how)

    @precondition(lambda self: self._alive())
    @rule(which=some, steps=st.integers(0, 4), how=st.sampled_from(["TIMED_OUT", "ABORTED"]))
    def a_workflow_dies_around_the_capture(self, which: int, steps: int, how: str) -> None:
        """The moments around the point of no return are few among all; random search alone seldom meets them."""
        life = self._alive()[which % len(self._alive())]
        self.all_goes_well_for_a_while(which, moves=3, steps=steps)
        if life.status == "RUNNING":
            life.die(how)

    @precondition(lambda self: any(u.can_step for u in self.unwinds))
    @rule(which=some)
    def an_unwind_dies(self, which: int) -> None:
        alive = [u for u in self.unwinds if u.can_step]
        alive[which % len(alive)].die("ABORTED")

    @rule(operation=st.sampled_from(["open", "authorize", "capture", "void"]))
    def the_gateways_next_answer_is_lost(self, operation: str) -> None:
        self.gateway.lose_answer(operation)

    # What must hold after every step.

    @invariant()
    def an_end_is_an_end(self) -> None:
        if not hasattr(self, "ended"):
            return
        for row in self.api.rows():
            order_id, status = row["order_id"], row["status"]
            self.statuses.setdefault(order_id, set()).update(row["timeline"])
            if status in ENDS:
                assert self.ended.setdefault(order_id, status) == status

    @invariant()
    def captured_money_is_delivered_food(self) -> None:
        if not hasattr(self, "ended"):
            return
        for row in self.api.rows():
            order_id, total = row["order_id"], int(row["total"]["amount"])
            money = self.ledger.balance(order_id)
            assert money.captured in {0, total}
            assert money.held <= total
            assert not (money.captured and money.voided)
            if row["status"] == "DELIVERED":
                assert money.captured == total
            if money.captured:
                # Only a courier's word leads to a capture.
                assert row["claims"]["OUT_FOR_DELIVERY"]["move"] == "deliver"
                assert row["status"] in {"OUT_FOR_DELIVERY", "DELIVERED"}

    @invariant()
    def a_move_that_was_made_is_told_soon(self) -> None:
        if not hasattr(self, "ended"):
            return
        for row in self.api.rows():
            life = self.lives.get(row["order_id"])
            if life and life.token and row["status"] in row["claims"]:
                assert row["check_at"] <= rfc3339(self.now + timedelta(minutes=6))

    @invariant()
    def a_code_is_issued_once_and_discounts_one_order(self) -> None:
        if not hasattr(self, "ended"):
            return
        issued = Counter(
            e["detail"]["data"]["code"]
            for e in {e["detail"]["metadata"]["event_id"]: e for e in self.bus}.values()
            if e["detail-type"] == "PromoCodeIssued"
        )
        assert all(times == 1 for times in issued.values()), issued
        spent = Counter(
            row["promo_code"]
            for row in self.api.rows()
            if row.get("promo_code")
            and row["status"] in {"DELIVERED"} | (set(ANNOUNCED_AS) - ENDS) | {"AWAITING_RESTAURANT"}
        )
        assert all(times == 1 for times in spent.values()), spent

    def teardown(self) -> None:
        """Let everything be heard and swept, and see that every order ended well."""
        if not hasattr(self, "ended"):
            return
        try:
            self._settle()
            self.an_end_is_an_end()
            for row in self.api.rows():
                order_id = row["order_id"]
                assert row["status"] in ENDS
                assert "open_shard" not in row
                assert self.ledger.balance(order_id).open == 0
                announced = {e["detail-type"] for e in self.bus if e["detail"]["metadata"]["order_id"] == order_id}
                owed = {ANNOUNCED_AS[s] for s in row["timeline"] if s in ANNOUNCED_AS}
                assert owed <= announced
            for code in self.dynamodb.scan(TableName="PromoCodesTable")["Items"]:
                holder = code.get("reserved_by", {}).get("S")
                assert holder is None or self.ended[holder] == "DELIVERED"
            self.captured_money_is_delivered_food()
            self.a_code_is_issued_once_and_discounts_one_order()
        finally:
            self._world.__exit__(None, None, None)
            self._patch.undo()

    def _settle(self) -> None:
        for _ in range(30):
            for execution in self._running():
                while execution.can_step:
                    execution.step()
            for life in self.lives.values():
                if life.status == "RUNNING":
                    life.die("TIMED_OUT")
            for life in self._unreported():
                # Half of the deaths are never reported: the reconciler is there for them.
                self.reported.add(life.name)
                if len(self.reported) % 2:
                    self.unwind(life.name, life.status, f"settle-{life.name}", life.error)
            for execution in self._running():
                while execution.can_step:
                    execution.step()
            while self.unheard:
                consumer, event = self.unheard.pop()
                assert consumer.handler(feed.batch(event), context()) == {"batchItemFailures": []}
                self._relay()
            self.now += timedelta(hours=4)
            if not self.reconciler.sweep(self.now) and not self._running() and not self.unheard:
                return
        raise AssertionError("it never comes to rest")

    # How a task is performed.

    def perform(self, resource: str, arguments: dict[str, Any]) -> Any:
        """What Step Functions would do for a task, with its names for what goes wrong."""
        resource = resource.removesuffix(".waitForTaskToken").partition(":states:::")[2]
        try:
            match resource:
                case "dynamodb:updateItem" | "aws-sdk:dynamodb:updateItem":
                    return self.dynamodb.update_item(**arguments)
                case "dynamodb:getItem":
                    return self.dynamodb.get_item(**arguments)
                case "events:putEvents":
                    for entry in arguments["Entries"]:
                        self._publish(entry["Source"], entry["DetailType"], entry["Detail"])
                    return {"FailedEntryCount": 0}
                case "lambda:invoke":
                    answer = self.payments.perform(commands.parse(json.loads(json.dumps(arguments["Payload"]))))
                    return {"Payload": answer}
        except ClientError as error:
            prefix = "DynamoDb" if resource.startswith("aws-sdk") else "DynamoDB"
            raise TaskFailed(f"{prefix}.{error.response['Error']['Code']}") from error
        except PaymentError as error:
            raise TaskFailed(type(error).__name__) from error
        finally:
            self._relay()
        raise NotImplementedError(resource)

    def unwind(self, order_id: str, status: str, name: str, error: str | None = None) -> None:
        """Start the unwind workflow, as the rule and the reconciler do."""
        given = {"detail": {"name": order_id, "status": status} | ({"error": error} if status == "FAILED" else {})}
        self.unwinds.append(Execution(self.unwind_machine, name, given, self.perform))

    def _publish(self, source: str, name: str, detail: dict[str, Any]) -> None:
        event = schemas.example(name) | {"source": source, "detail-type": name, "detail": detail}
        schemas.validate(event)
        self.bus.append(event)
        if source == "tiffin.orders" and name in {
            "OrderPlaced",
            "OrderDelivered",
            *(f"Order{end.capitalize()}" for end in ENDS - {"DELIVERED"}),
        }:
            self.unheard.append((self.promotions, event))
        if name in {"PromoCodeIssued", "PromoCodeRestored"}:
            self.unheard.append((self.projection, event))

    def _relay(self) -> None:
        """What the relays do: put every record of both outboxes on the bus."""
        for table in ("PaymentsTable", "PromotionsTable"):
            for item in self.dynamodb.scan(TableName=table)["Items"]:
                if item["record"]["S"].startswith("EVENT#"):
                    detail = json.loads(item["detail"]["S"])
                    if detail["metadata"]["event_id"] not in self.relayed:
                        self.relayed.add(detail["metadata"]["event_id"])
                        self._publish(item["source"]["S"], item["detail_type"]["S"], detail)

    def _running(self) -> list[Execution]:
        return [e for e in [*self.lives.values(), *self.unwinds] if e.can_step]

    def _alive(self) -> list[Execution]:
        return [life for life in self.lives.values() if life.status == "RUNNING"]

    def _unreported(self) -> list[Execution]:
        deaths = {"FAILED", "ABORTED", "TIMED_OUT"}
        return [life for life in self.lives.values() if life.status in deaths and life.name not in self.reported]


TestTiffin = Tiffin.TestCase
TestTiffin.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestTiffin = pytest.mark.generated(TestTiffin)


class TestAMoveWhileTheWorkflowTriesAgain:
    """The order is recorded as waiting, the answer is lost, and somebody moves before the next attempt."""

    @pytest.fixture
    def tiffin(self) -> Iterator[Tiffin]:
        tiffin = Tiffin()
        tiffin.begin()
        yield tiffin
        tiffin.teardown()

    @pytest.mark.parametrize("state", list(MOVES))
    @pytest.mark.parametrize("swept", [False, True], ids=["unswept", "swept"])
    def test_it_is_told_to_the_next_attempt(self, tiffin: Tiffin, state: str, swept: bool) -> None:
        _, order = tiffin.api.place()
        order_id = order["order_id"]
        life = tiffin.lives[order_id]

        def make(move: str) -> None:
            assert tiffin.api.call("POST", f"/orders/{order_id}/{move}")[0] == 202

        def go_on() -> None:
            while life.can_step:
                life.step()

        while life.at != state:
            life.step()
            if life.token and life.at != state:
                make(MOVES[life.at])
        life.step(answer_lost=True)
        make(MOVES[state])
        if swept:
            tiffin.sweep(3)
        go_on()
        assert life.at == state
        tiffin.sweep(3)
        assert life.at != state

        go_on()
        while life.token:
            make(MOVES[life.at])
            go_on()
        assert life.status == "SUCCEEDED"
        [row] = tiffin.api.rows()
        assert row["status"] == "DELIVERED"
        assert tiffin.ledger.balance(order_id).captured == int(row["total"]["amount"])
