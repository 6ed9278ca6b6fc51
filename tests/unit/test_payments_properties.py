"""Whatever the interleaving: calls of one order run at once, and each of them can be overtaken or die at every step.

Hypothesis decides who runs next, up to which touch of a table, the service's own or the gateway's, and what goes wrong
with it. What must never happen is looked for after each step, in the gateway's own ledger.
"""

import contextlib
import functools
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from moto import mock_aws
from payments import commands
from payments.gateway import GatewayTimeout
from payments.model import CaptureRefused, Payment, Status
from payments.operations import Payments
from payments.sandbox import Balance, SandboxGateway
from payments.store import PaymentStore
from worlds.payments import AMOUNT, ORDER, MemoryDynamo, World, authorize, capture, release

GO, DIE_BEFORE, DIE_AFTER = "go", "die before", "die after"
REQUESTS: dict[str, Callable[[], dict[str, Any]]] = {"authorize": authorize, "capture": capture, "release": release}
OPEN = {Status.AUTHORIZING, Status.AUTHORIZED, Status.CAPTURING}


class Died(BaseException):
    """The function's environment is gone, in the middle of a call. Nothing catches it."""


@dataclass
class Call:
    """One invocation, which runs on its own thread, but only from one touch of a table to the next, and when told."""

    name: str
    outcome: "Future[dict[str, str]]" = field(default_factory=Future)
    fate: str = GO
    answer_lost: bool = False
    resumed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    paused: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def start(self, perform: Callable[[], dict[str, str]]) -> None:
        def run() -> None:
            self.resumed.acquire()
            try:
                self.outcome.set_result(perform())
            except BaseException as error:
                self.outcome.set_exception(error)
            self.paused.release()

        threading.Thread(target=run, daemon=True).start()
        self.advance(GO)

    def advance(self, fate: str) -> None:
        """Let the call make the touch that it stands before, with this fate, and run on to the next one."""
        self.fate = fate
        self.resumed.release()
        assert self.paused.acquire(timeout=30), f"{self.name} hangs"

    def touch(self, act: Callable[..., Any], **arguments: Any) -> Any:
        """Called on the call's own thread, in place of each call to DynamoDB."""
        self.paused.release()
        self.resumed.acquire()
        if self.fate == DIE_BEFORE:
            raise Died
        try:
            return act(**arguments)
        finally:
            if self.fate == DIE_AFTER:
                raise Died


@dataclass
class Touching:
    """A DynamoDB client as one call sees it."""

    call: Call
    client: Any

    def __getattr__(self, name: str) -> Any:
        act = getattr(self.client, name)
        return act if name == "exceptions" else lambda **arguments: self.call.touch(act, **arguments)


@dataclass
class Unreliable:
    """The gateway as one call sees it: it does what it is asked, and its answer may get lost."""

    call: Call
    gateway: SandboxGateway
    provider: ClassVar = SandboxGateway.provider

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def act(*arguments: Any) -> Any:
            answer = getattr(self.gateway, name)(*arguments)
            if self.call.answer_lost:
                raise GatewayTimeout("lost")
            return answer

        return act


def money_moves_once(balance: Balance) -> None:
    assert balance.held in (0, AMOUNT)
    assert balance.captured + balance.voided <= balance.held


def the_record_agrees_with_the_ledger(payment: Payment | None, balance: Balance) -> None:
    match payment and payment.status:
        case None | Status.DECLINED:
            assert balance.held == 0
        case Status.RELEASED:
            assert balance.open == 0
            assert balance.captured == 0
        case Status.CAPTURED:
            assert balance.captured == AMOUNT
        case Status.AUTHORIZED | Status.CAPTURING:
            assert balance.held == AMOUNT


def an_end_is_an_end(payment: Payment | None, answers: list[dict[str, str]]) -> None:
    """Who was told that the money is taken, released or refused, was told the truth, and for good."""
    told = {answer["status"] for answer in answers} & {"CAPTURED", "RELEASED", "DECLINED"}
    if told:
        assert payment
        assert told == {payment.status.value}


def what_was_announced_is_what_happened(payment: Payment | None, announced: set[str]) -> None:
    ends = {"PaymentDeclined", "PaymentCaptured", "PaymentReleased"} & announced
    if payment is None or payment.status in OPEN or payment.is_tombstone:
        assert not ends
    else:
        assert ends == {f"Payment{payment.status.value.capitalize()}"}


def nothing_is_wrong(world: World, answers: list[dict[str, str]]) -> None:
    payment, balance = world.store.load(ORDER), world.balance()
    money_moves_once(balance)
    the_record_agrees_with_the_ledger(payment, balance)
    an_end_is_an_end(payment, answers)
    what_was_announced_is_what_happened(payment, set(world.events()))


@dataclass
class Interrupted:
    """A DynamoDB client before whose n-th call something else happens."""

    client: Any
    countdown: int
    interruption: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        act = getattr(self.client, name)
        if name == "exceptions":
            return act

        def touch(**arguments: Any) -> Any:
            self.countdown -= 1
            if self.countdown == 0:
                self.interruption()
            return act(**arguments)

        return touch


@pytest.mark.parametrize("already", [[], ["authorize"]], ids=["new", "held"])
@pytest.mark.parametrize("second", REQUESTS)
@pytest.mark.parametrize("first", REQUESTS)
def test_one_call_in_the_midst_of_another_at_every_moment(first: str, second: str, already: list[str]) -> None:
    """All cases, in order: of each pair, the second call runs before each touch of a table by the first."""
    for moment in itertools.count(1):
        world = World(MemoryDynamo())
        answers: list[dict[str, str]] = []

        def perform(name: str, payments: Payments, answers: list[dict[str, str]] = answers) -> None:
            with contextlib.suppress(CaptureRefused):
                answers.append(payments.perform(commands.parse(REQUESTS[name]())))

        for name in already:
            perform(name, world.payments)
        client: Any = Interrupted(world.client, moment, functools.partial(perform, second, world.payments))
        gateway = SandboxGateway(client, world.ledger)
        perform(first, Payments(PaymentStore(client, world.table), gateway))
        nothing_is_wrong(world, answers)
        if client.countdown > 0:
            break


class Interleavings(RuleBasedStateMachine):
    """One order, any number of calls."""

    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.world = self.new_world()
        self.method = "pm_card_visa"
        self.calls: list[Call] = []
        self.answers: list[dict[str, str]] = []

    def new_world(self) -> World:
        return World(MemoryDynamo())

    @initialize(target=running, method=st.sampled_from(["pm_card_visa"] * 5 + ["pm_card_visa_chargeDeclined"]))
    def an_order(self, method: str) -> Call:
        self.method = method
        return self.ask("authorize")

    @rule(target=running, name=st.sampled_from(["authorize", "capture", "release"]))
    def another_call(self, name: str) -> Call:
        return self.ask(name)

    def ask(self, name: str) -> Call:
        call = Call(name)
        client: Any = Touching(call, self.world.client)
        gateway: Any = Unreliable(call, SandboxGateway(client, "SandboxLedgerTable"))
        payments = Payments(PaymentStore(client, self.world.table), gateway)
        call.start(lambda: payments.perform(commands.parse(self.request(name))))
        self.calls.append(call)
        return call

    @rule(call=running, touches=st.sampled_from([1, 1, 1, 2, 3, 4, 6, 10]))
    def run_on(self, call: Call, touches: int) -> None:
        for _ in range(touches):
            self.step(call, GO)

    @rule(call=running, fate=st.sampled_from([DIE_BEFORE, DIE_AFTER]))
    def die(self, call: Call, fate: str) -> None:
        self.step(call, fate)

    @rule(call=running)
    def lose_the_next_answer(self, call: Call) -> None:
        call.answer_lost = True

    def request(self, name: str) -> dict[str, Any]:
        return authorize(self.method) if name == "authorize" else REQUESTS[name]()

    def step(self, call: Call, fate: str) -> None:
        if call.outcome.done():
            return
        call.advance(fate)
        if call.outcome.done():
            error = call.outcome.exception()
            if error is None:
                self.answers.append(call.outcome.result())
            else:
                assert isinstance(error, (Died, GatewayTimeout, CaptureRefused)), repr(error)

    @invariant()
    def never(self) -> None:
        nothing_is_wrong(self.world, self.answers)

    def teardown(self) -> None:
        for call in self.calls:
            while not call.outcome.done():
                self.step(call, GO)
        # Whatever was left behind, the unwind workflow's release settles it.
        self.answers.append(self.world.ask(release()))
        assert self.world.balance().open == 0
        nothing_is_wrong(self.world, self.answers)


class InterleavingsOnMoto(Interleavings):
    """A few of them against a DynamoDB that was not written for this test."""

    def new_world(self) -> World:
        self.aws = mock_aws()
        self.aws.start()
        return World()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.aws.stop()


TestInterleavings = pytest.mark.generated(Interleavings.TestCase)
TestInterleavings.settings = settings(max_examples=400, stateful_step_count=30)
TestInterleavingsOnMoto = pytest.mark.generated(InterleavingsOnMoto.TestCase)
TestInterleavingsOnMoto.settings = settings(max_examples=8, stateful_step_count=20)
