"""Tiffin's world (`worlds.tiffin`) with AWS's test runner of durable functions in the place of Step Functions.

The runner's timers stand still until a test lets time pass. All else is as it is deployed: the function and its
adapters, the port to the executions, the unwind.
"""

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from asl import TaskFailed
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from aws_durable_execution_sdk_python_testing.exceptions import ResourceNotFoundException
from botocore.exceptions import ClientError
from durable.announcements import Bus
from durable.executions import OrderExecutions, Unwinds
from durable.order import life as as_deployed
from durable.payments import Payments
from durable.records import OrderRecords
from durable.steps import Order, Steps, Tools
from durable.unwind import unwind
from laptop.pace import patience

from worlds.polling import eventually
from worlds.templates import table
from worlds.tiffin import THREE_HOURS, Tiffin, tiffin_world

Item = dict[str, Any]
Life = Callable[[Order, Steps], str]
SILENCE = timedelta(minutes=15)
A_LIFE = [
    "announce OrderPlaced",
    "authorize payment",
    "enter AWAITING_RESTAURANT",
    "announce OrderAccepted",
    "enter PREPARING",
    "announce OrderDispatched",
    "enter OUT_FOR_DELIVERY",
    "capture payment",
    "record DELIVERED",
    "announce OrderDelivered",
    "close",
]
"""Steps of an order that is delivered, in their sequence."""
DEAD = {"FAILED", "TIMED_OUT", "STOPPED"}
ORDER_FUNCTION, UNWIND_FUNCTION, PAYMENTS_FUNCTION = "order:live", "unwind:live", "payments:live"


class Killed(BaseException):
    """The execution environment is gone, in the middle of its work."""


@dataclass
class Timer:
    """Something that is to happen later."""

    due: timedelta
    act: Callable[[], Any]
    over: bool = False

    def cancel(self) -> None:
        """Let it not happen."""
        self.over = True


@dataclass
class Execution:
    """One order's durable execution.

    Attributes:
        name: the order's id.
        given: what it began with.
        life: its code; another one in its place is what a deployment over `$LATEST` would be.
        deeds: the steps that were done, each as often as it was.
    """

    world: "DurableWorld"
    name: str
    given: Item
    life: Life = as_deployed
    deeds: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._now, self._timers, self._work = timedelta(), list[Timer](), list[Future[Any]]()
        self._runner = DurableFunctionTestRunner(self._invoke)
        scheduler: Any = self._runner._scheduler
        begin = scheduler.call_later

        def at_once(act: Any, **how: Any) -> Future[Any]:
            self._work.append(begin(act, **how))
            return self._work[-1]

        def call_later(act: Any, delay: float = 0, **how: Any) -> Any:
            if not delay:
                return at_once(act, **how)
            self._timers.append(Timer(self._now + timedelta(seconds=delay), partial(at_once, act, **how)))
            return self._timers[-1]

        scheduler.call_later = call_later
        self._begun = datetime.now(UTC)
        seconds = int(THREE_HOURS.total_seconds())
        self._arn = self._runner.run_async(json.dumps(self.given), seconds, "order", self.name)

    def close(self) -> None:
        """Give its threads back, and the loop that the runner leaves behind."""
        runner: Any = self._runner
        runner.close()
        runner._scheduler._loop.close()

    @property
    def status(self) -> str:
        """As `GetDurableExecution` says it."""
        return str(self._execution.current_status().value)

    @property
    def operations(self) -> list[tuple[str, str, str]]:
        """Type, name and status of each operation, in the history's order."""
        found = self._execution.operations
        return [(each.operation_type.value, each.name or "", each.status.value) for each in found]

    @property
    def callback(self) -> str | None:
        """Id of the callback that it waits with, if it does."""
        for each in self._execution.operations:
            if each.callback_details and each.status.value == "STARTED":
                return str(each.callback_details.callback_id)
        return None

    def rests(self) -> str:
        """Wait until it waits for somebody, for another attempt, or for nothing any more; its status."""

        def at_rest() -> bool:
            # Whoever called back may have begun what nobody sees yet: a timer of the callback's is still there then.
            if not all(work.done() for work in self._work):
                return False
            # The first timer is that of the three hours.
            return self.status != "RUNNING" or bool(self.callback) or not all(t.over for t in self._timers[1:])

        eventually(at_rest, what=f"{self.name} coming to rest")
        return self.status

    def call_back(self, callback_id: str, result: str) -> None:
        """Complete a callback.

        Raises:
            ResourceNotFoundException: it is completed, or over.
        """
        if self.status != "RUNNING":
            raise ResourceNotFoundException("over")
        self._runner.send_callback_success(callback_id, result.encode())

    def let_pass(self, span: timedelta) -> None:
        """Let time pass, and happen what is due."""
        until = self._now + span
        while due := [timer for timer in self._timers if not timer.over and timer.due <= until]:
            timer = min(due, key=lambda each: each.due)
            self._now, timer.over = timer.due, True
            timer.act().result(patience(30))
            self.rests()
        self._now = until

    def stop(self) -> None:
        """As somebody does by `StopDurableExecution`, which the runner has only half of."""
        self._runner._executor.stop_execution(self._arn)

    @property
    def _execution(self) -> Any:
        return self._runner._store.load(self._arn)

    def _invoke(self, event: Any, context: Any) -> Any:
        try:
            return durable_execution(self._live)(event, context)
        except Killed:
            raise RuntimeError("Runtime exited without providing a reason") from None

    def _live(self, order: Order, context: Any) -> str:
        steps = Steps(context, order, self.world.tools)
        steps._do = partial(self._done, steps._do)  # type: ignore[method-assign]
        return self.life(order, steps)

    def _done(self, do: Any, name: str, attempts: int, deed: Callable[[], Any]) -> Any:
        def deed_of_a_mortal() -> Any:
            self.world.meanwhile(self, name, "before")
            self.deeds.append(name)
            done = deed()
            self.world.meanwhile(self, name, "after")
            return done

        return do(name, attempts, deed_of_a_mortal)


class Aws:
    """Lambda and EventBridge, as the adapters ask them.

    Attributes:
        deaf: whether they cannot be asked at all.
    """

    def __init__(self, world: "DurableWorld") -> None:
        self._world, self.deaf = world, False

    def invoke(self, FunctionName: str, Payload: str, **how: Any) -> Item:  # noqa: N803
        self._reachable("Invoke")
        given = json.loads(Payload)
        if FunctionName == PAYMENTS_FUNCTION:
            try:
                said = self._world.tiffin.perform("arn:aws:states:::lambda:invoke", {"Payload": given})["Payload"]
            except TaskFailed as failed:
                said = {"errorType": str(failed), "errorMessage": ""}
                return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(said).encode())}
            return {"Payload": io.BytesIO(json.dumps(said).encode())}
        if FunctionName == UNWIND_FUNCTION:
            self._world.unwind(given["detail"]["durableExecutionName"], given["detail"]["status"])
            return {}
        known = self._world.lives.get(how["DurableExecutionName"])
        if known is None:
            known = self._world.begin(how["DurableExecutionName"], given)
        assert known.given == given, "DurableExecutionAlreadyStartedException"
        return {"DurableExecutionArn": known.name}

    def get_durable_execution(self, DurableExecutionArn: str) -> Item:  # noqa: N803
        known = self._world.lives[DurableExecutionArn]
        return {"Status": known.status, "StartTimestamp": known._begun}

    def send_durable_execution_callback_success(self, CallbackId: str, Result: str) -> None:  # noqa: N803
        self._reachable("SendDurableExecutionCallbackSuccess")
        for known in self._world.lives.values():
            with suppress(ResourceNotFoundException):
                return known.call_back(CallbackId, Result)
        raise ClientError({"Error": {"Code": "CallbackTimeoutException", "Message": ""}}, "any")

    def put_events(self, Entries: list[Item]) -> Item:  # noqa: N803
        entries = [{**entry, "Detail": json.loads(entry["Detail"])} for entry in Entries]
        answer: Item = self._world.tiffin.perform("arn:aws:states:::events:putEvents", {"Entries": entries})
        return answer

    def _reachable(self, operation: str) -> None:
        if self.deaf:
            raise ClientError({"Error": {"Code": "ServiceException", "Message": ""}}, operation)


class _Port(OrderExecutions):
    """The port, which a world may cut off."""

    @property
    def deaf(self) -> bool:
        return bool(self._lambda.deaf)  # type: ignore[attr-defined]

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        self._lambda.deaf = deaf  # type: ignore[attr-defined]


class DurableWorld:
    """One world, from its first moment.

    Args:
        tiffin: tables, API, payments, promotions, bus, reconciler.
        patch: of the modules.

    Attributes:
        lives: the durable executions, by order.
        tools: what their steps work with.
        meanwhile: called before and after each deed with its execution, its step's name, and `before` or `after`; it
            may do anything, or raise `Killed`.
    """

    meanwhile: Callable[[Execution, str, str], object]

    def __init__(self, tiffin: Tiffin, patch: pytest.MonkeyPatch) -> None:
        self.tiffin, self.lives = tiffin, dict[str, Execution]()
        self.meanwhile = lambda life, step, when: None
        self._dawn = tiffin.remember()
        aws: Any = Aws(self)
        self.store = tiffin.api.module.store()
        tiffin.ports = _Port(aws, ORDER_FUNCTION, self.store, looks=True)  # type: ignore[assignment]
        patch.setattr(tiffin._reconciler, "unwind", lambda: Unwinds(aws, UNWIND_FUNCTION))
        self.tools = Tools(
            OrderRecords(table("OrdersTable"), "CustomersTable"),
            Payments(aws, PAYMENTS_FUNCTION),
            Bus(aws, "bus"),
            tiffin.moment,
        )

    def begin_anew(self) -> None:
        """Let everything be as it was at first: a new world costs more than what happens in it."""
        for begun in self.lives.values():
            begun.close()
        self.lives.clear()
        self.meanwhile = lambda life, step, when: None
        self.tiffin.go_back(self._dawn)

    def begin(self, order_id: str, given: Item) -> Execution:
        """Start an order's execution."""
        self.lives[order_id] = Execution(self, order_id, given)
        return self.lives[order_id]

    def place(self, **changes: Any) -> Execution:
        """Place an order; its execution, at rest."""
        number = len(self.lives) + 1
        status, order = self.tiffin.place(f"key-{number}", customer_id=f"cust-{number}", **changes)
        assert status == 201, order
        life = self.lives[order["order_id"]]
        life.rests()
        return life

    def move(self, life: Execution, *moves: str, told: bool = True) -> int:
        """Make moves, one after the other, each when the order is at rest; the last answer."""
        status = 0
        for move in moves:
            waited = life.callback
            status = self.tiffin.move(life.name, move, told=told)
            if waited and told and status == 202:
                eventually(lambda: life.callback != waited or life.status != "RUNNING")  # noqa: B023
                life.rests()
        return status

    def let_pass(self, span: timedelta, life: Execution) -> None:
        """Let time pass, for an execution and for everybody."""
        self.tiffin.now += span
        life.let_pass(span)
        life.rests()

    def unwind(self, order_id: str, status: str) -> str:
        """Let the unwind function run."""
        return unwind(order_id, status, self.store, self.tools)

    def report(self, life: Execution) -> str:
        """Let the status event of a death reach the unwind."""
        assert life.status in DEAD
        return self.unwind(life.name, life.status)

    def row(self, life: Execution) -> Item:
        """The order as its table has it."""
        return next(row for row in self.tiffin.api.rows() if row["order_id"] == life.name)

    def told(self, life: Execution) -> list[str]:
        """The orders' own events of an order, in sequence."""
        ours = [event for event in self.tiffin.bus if event["source"] == "tiffin.orders"]
        return [event["detail-type"] for event in ours if event["detail"]["metadata"]["order_id"] == life.name]


@contextmanager
def durable_world() -> Iterator[DurableWorld]:
    """A world of its own, in a process that can reach no account."""
    with tiffin_world() as tiffin, pytest.MonkeyPatch.context() as patch:
        world = DurableWorld(tiffin, patch)
        try:
            yield world
        finally:
            world.begin_anew()
