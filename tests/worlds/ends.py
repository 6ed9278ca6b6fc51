"""What is to become of orders that wait while something is done to the stack, and whether it did."""

from dataclasses import dataclass

from laptop import Stack
from laptop.client import Client
from payments.sandbox import Balance

from worlds.stack import balance, execution_arn

_HELD = 2150
TAKEN, GIVEN_BACK = Balance(_HELD, _HELD, 0), Balance(_HELD, 0, _HELD)
"""The money of two margheritas, delivered or not."""
_WAITS = {"accept": "AWAITING_RESTAURANT", "dispatch": "PREPARING", "deliver": "OUT_FOR_DELIVERY"}


@dataclass(frozen=True)
class Life:
    """An order that waits, and what comes then.

    Attributes:
        before: the moves that bring it to where it waits.
        then: what happens to it afterwards; `dies` is its execution, stopped by somebody.
        end: its last status.
    """

    before: tuple[str, ...]
    then: tuple[str, ...]
    end: str

    @property
    def waits(self) -> str:
        """The status in which it waits."""
        return ("AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY")[len(self.before)]

    def __str__(self) -> str:
        return f"{self.waits}, {' and '.join(self.then)}"

    def begin(self, client: Client, customer: str) -> str:
        """Place the order, and bring it to where it waits; returns its id."""
        order_id = str(client.place(customer=customer)["order_id"])
        for move in self.before:
            client.until(order_id, _WAITS[move])
            client.move(order_id, move)
        client.until(order_id, self.waits)
        return order_id

    def go_on(self, stack: Stack, client: Client, order_id: str) -> tuple[str, Balance]:
        """Let happen what comes then; returns the order's end and its money."""
        for move in self.then:
            if move == "dies":
                stack.client("stepfunctions").stop_execution(executionArn=execution_arn(stack, order_id))
                continue
            if move in _WAITS:
                client.until(order_id, _WAITS[move])
            client.move(order_id, move)
        status = client.until(order_id, "DELIVERED", "REJECTED", "CANCELLED", "FAILED")["status"]
        return status, balance(stack, order_id)


LIVES = (
    Life((), ("accept", "dispatch", "deliver"), "DELIVERED"),
    Life((), ("reject",), "REJECTED"),
    Life((), ("cancel",), "CANCELLED"),
    Life(("accept",), ("dispatch", "deliver"), "DELIVERED"),
    Life(("accept",), ("dies",), "FAILED"),
    Life(("accept", "dispatch"), ("deliver",), "DELIVERED"),
)
"""An order in each state that waits for somebody, with each kind of end."""
