"""Lives of orders as stories, and the ways in which a workflow may die, for tests that let each die everywhere.

The states are read from the state machines' files. A story says only what people do when the order waits for them.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from asl import WAITS, Execution, TaskFailed
from payments.model import PaymentError

from worlds.tiffin import BEGIN, ENDS, THREE_HOURS, Tiffin
from worlds.workflows import MACHINES

Act = Callable[["Life"], object]
SILENCE = timedelta(minutes=15)
MARGIN = timedelta(seconds=30)


class Life:
    """One order from its placing on, and what people do to it.

    Args:
        world: where it lives.
        story: what people do.
        alone: whether nobody but the story's people does anything to it.

    Attributes:
        order_id: the order.
        deadline: the moment when it expires.
        done: the states before which people have done something so far.
    """

    def __init__(self, world: Tiffin, story: "Story", *, alone: bool = True) -> None:
        self.world, self.story, self.alone, self.done = world, story, alone, list[str]()
        # The same in every world that came to here in the same way.
        number = len(world.as_placed) + 1
        self.customer_id, self.promo_code = f"cust-{number}", f"WELCOME-{number}"
        world.give_code(self.customer_id, self.promo_code)
        status, order = world.place(
            f"story-{number}",
            customer_id=self.customer_id,
            promo_code=self.promo_code,
            payment_method=story.payment_method,
        )
        assert status == 201, order
        self.order_id: str = order["order_id"]
        self.deadline = datetime.fromisoformat(order["deadline_at"])

    @property
    def workflow(self) -> Execution:
        """Its execution."""
        return self.world.lives[self.order_id]

    def row(self) -> dict[str, Any]:
        """The order as its table has it."""
        return next(row for row in self.world.api.rows() if row["order_id"] == self.order_id)

    def move(self, move: str, *, told: bool = True) -> None:
        """Make a move, which is granted if nobody was first."""
        status = self.world.move(self.order_id, move, told=told)
        assert status == 202 or not self.alone

    def cancel(self) -> None:
        """Let the customer cancel, which is granted or not."""
        self.world.move(self.order_id, "cancel")

    def silence(self) -> None:
        """Let the restaurant's time run out."""
        self.world.now += SILENCE
        if self.workflow.token:
            self.workflow.wait_is_over()

    def until(self, state: str | None = None) -> bool:
        """Live on.

        Args:
            state: where to stop, before that state has done anything; nowhere by default.

        Returns:
            Whether it came there. Otherwise it ended, or waits for somebody who does nothing.
        """
        return any(at == state for at in self.path())

    def path(self) -> Iterator[str]:
        """Live on from state to state: each is given before it does anything."""
        while self.workflow.status == "RUNNING":
            at = self.workflow.at
            if waits := self.workflow.token:
                self.story.waits.get(at, _nothing)(self)
                if self.workflow.token == waits:
                    return
                continue
            if at in self.story.before and at not in self.done:
                self.done.append(at)
                self.story.before[at](self)
                continue
            yield at
            if self.workflow.can_step:
                self.workflow.step()
                self.world.hear_all()

    def is_known_by(self) -> tuple[Any, ...]:
        """All that an unwind could learn of it now: two lives that agree in this die alike."""
        row = self.row()
        moves = tuple(sorted((status, claim["move"]) for status, claim in row["claims"].items()))
        payment = self.world.payment(self.order_id)
        money = payment.get("status"), self.world.ledger.balance(self.order_id)
        return self.workflow.at, row["status"], moves, money, self.story.payment_method


@dataclass(frozen=True)
class Story:
    """What people do to an order.

    Attributes:
        end: how it ends, if nothing dies that is not said here.
        waits: what is done when the workflow waits in a state; in others nobody does anything.
        before: what is done when it comes to a state, before that does anything.
        payment_method: what the customer pays with.
    """

    end: str
    waits: dict[str, Act] = field(default_factory=dict)
    before: dict[str, Act] = field(default_factory=dict)
    payment_method: str = "pm_card_visa"


def _nothing(life: Life) -> None:
    """Nobody does anything."""


def _moves(move: str) -> Act:
    return lambda life: life.move(move)


def _untold(move: str) -> Act:
    """A move that the workflow never hears of, as its callback is lost and the wait is over before the next sweep."""

    def make(life: Life) -> None:
        life.move(move, told=False)
        life.silence()

    return make


def _hold_is_voided(life: Life) -> None:
    release = {"operation": "release", "order_id": life.order_id, "reason": "a_person_did_it"}
    with suppress(TaskFailed):
        life.world.perform("arn:aws:states:::lambda:invoke", {"Payload": release})


ACCEPTED = {"AwaitRestaurant": _moves("accept")}
ON_ITS_WAY = ACCEPTED | {"AwaitDispatch": _moves("dispatch")}
DELIVERED = ON_ITS_WAY | {"AwaitDelivery": _moves("deliver")}

STORIES = {
    "delivered": Story("DELIVERED", DELIVERED),
    "declined": Story("DECLINED", payment_method="pm_card_mastercard_chargeDeclinedInsufficientFunds"),
    "rejected": Story("REJECTED", {"AwaitRestaurant": _moves("reject")}),
    "the restaurant is silent": Story("REJECTED", {"AwaitRestaurant": Life.silence}),
    "accepted in the last moment": Story("DELIVERED", DELIVERED | {"AwaitRestaurant": _untold("accept")}),
    "rejected in the last moment": Story("REJECTED", {"AwaitRestaurant": _untold("reject")}),
    "cancelled in the last moment": Story("CANCELLED", {"AwaitRestaurant": _untold("cancel")}),
    # The stop is lost, so the workflow goes on, and everybody else does as if nothing had happened.
    "cancelled before the payment": Story(
        "CANCELLED", DELIVERED, before={"AuthorizePayment": lambda life: life.move("cancel", told=False)}
    ),
    "cancelled after the payment": Story(
        "CANCELLED", DELIVERED, before={"AwaitRestaurant": lambda life: life.move("cancel", told=False)}
    ),
    "cancelled while it waits": Story("CANCELLED", {"AwaitRestaurant": _moves("cancel")}),
    "released before the authorization": Story("FAILED", DELIVERED, before={"AuthorizePayment": _hold_is_voided}),
    "the capture fails": Story("FAILED", DELIVERED, before={"CapturePayment": _hold_is_voided}),
    "nobody answers for three hours": Story("EXPIRED"),
    "nobody dispatches for three hours": Story("EXPIRED", ACCEPTED),
    "nobody delivers for three hours": Story("EXPIRED", ON_ITS_WAY),
}
"""Every end of an order's life, and every way to it."""


class Death(NamedTuple):
    """One way for a workflow to die in a state.

    Attributes:
        how: ABORTED, TIMED_OUT, CANCELLED (by the customer, which aborts it), or the error that the state fails with.
        effect: what became of what the state asked for: it did not happen (`undone`), it happened and nobody heard of
            it (`done`), or it happened when the order was unwound already (`late`).
    """

    how: str
    effect: str

    def __str__(self) -> str:
        return f"{self.how}-{self.effect}"


# What a service may answer, by Step Functions' names (developer guide, "Handling errors in Step Functions workflows").
# A callback that is meant for another order makes an expression fail.
_TRANSIENT = {
    "events:putEvents": ["EventBridge.InternalException"],
    "dynamodb:getItem": ["DynamoDB.InternalServerErrorException"],
    "dynamodb:updateItem": ["DynamoDB.InternalServerErrorException"],
    "aws-sdk:dynamodb:updateItem": ["DynamoDb.InternalServerErrorException", "States.QueryEvaluationError"],
    # For another transaction at one of its items, or for a condition that failed: the name does not say.
    "aws-sdk:dynamodb:transactWriteItems": ["DynamoDb.TransactionCanceledException"],
    "lambda:invoke": ["Lambda.ServiceException", "States.Timeout"],
}
_PERMANENT = {
    "dynamodb:updateItem": ["DynamoDB.ConditionalCheckFailedException"],
    "aws-sdk:dynamodb:updateItem": ["DynamoDb.ConditionalCheckFailedException"],
}


def transient_errors(machine: str, state: str) -> list[str]:
    """The errors that another attempt may mend."""
    return _TRANSIENT.get(_resource(machine, state), []) + _of_payments(machine, state, "Transient")


def permanent_errors(machine: str, state: str) -> list[str]:
    """The errors that no attempt mends."""
    return _PERMANENT.get(_resource(machine, state), []) + _of_payments(machine, state, "Permanent")


def _resource(machine: str, state: str) -> str:
    return str(MACHINES[machine]["States"][state].get("Resource", "")).removesuffix(WAITS).partition(":states:::")[2]


def asks_for(machine: str, state: str) -> str:
    """The action of another service that a state asks for; empty if it asks for none."""
    return _resource(machine, state).rpartition(":")[2]


def _of_payments(machine: str, state: str, kind: str) -> list[str]:
    if _resource(machine, state) != "lambda:invoke":
        return []
    # Each says of itself which it is.
    return [error.__name__ for error in PaymentError.__subclasses__() if kind in str(error.__doc__)]


def deaths(machine: str, state: str, *, stops: list[str]) -> list[Death]:
    """Every way to die in a state.

    Args:
        machine: `order` or `unwind`.
        state: the state.
        stops: the ways that have nothing to do with the state.
    """
    effects = ["undone", "done", "late"] if _resource(machine, state) else ["undone"]
    return [
        *(Death(how, effect) for how in stops for effect in effects),
        *(Death(error, effect) for error in transient_errors(machine, state) for effect in ("undone", "done")),
        *(Death(error, "undone") for error in permanent_errors(machine, state)),
    ]


def states(machine: str) -> list[str]:
    """The states in which a workflow may die: all but those that only say how it ended."""
    return [name for name, body in MACHINES[machine]["States"].items() if body["Type"] not in {"Succeed", "Fail"}]


def kill(execution: Execution, death: Death, cancel: Callable[[], object] = lambda: None) -> Callable[[], None]:
    """Let an execution die in its present state.

    Args:
        execution: the execution.
        death: how.
        cancel: what the customer does.

    Returns:
        What happens late, if anything does.
    """
    happens = execution.asks()
    if death.effect == "done":
        happens()
    match death.how:
        case "ABORTED" | "TIMED_OUT":
            execution.die(death.how)
        case "CANCELLED":
            cancel()
        case error:
            execution.fail(error)
    return happens if death.effect == "late" else lambda: None


def let_three_hours_pass(world: Tiffin) -> None:
    """Come to the moment when an order workflow of this world's beginning times out."""
    world.now = max(world.now, BEGIN + THREE_HOURS + MARGIN)


def fate(life: Life) -> str:
    """How an order must end whose workflow has just died, by what is on record of it."""
    row, world = life.row(), life.world
    moves = {status: claim["move"] for status, claim in row["claims"].items()}
    if row["status"] in ENDS:
        return str(row["status"])
    if world.ledger.balance(life.order_id).captured:
        return "DELIVERED"
    if "cancel" in {moves.get("PLACED"), moves.get("AWAITING_RESTAURANT")}:
        return "CANCELLED"
    out_of_time = life.workflow.status == "TIMED_OUT" or world.now >= life.deadline
    return "EXPIRED" if out_of_time else "FAILED"


def when_found(end: str, life: Life) -> str:
    """How an order must have ended that waited to be found: after three hours it is late rather than broken."""
    row = life.row()
    found = datetime.fromisoformat(row["timeline"][row["status"]])
    return "EXPIRED" if end == "FAILED" and found >= life.deadline else end
