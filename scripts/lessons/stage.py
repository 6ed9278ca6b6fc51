"""Where exercises take place: the laptop's running stack with its people, and what is remembered of a scene."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from laptop import NotRunning, Stack, private
from laptop.client import Client
from laptop.environment import STATE_DIR
from rich.console import Console


class NoScene(Exception):
    """The scene was not set, or is gone with the stack that it was set on."""


class Stage:
    """The running laptop, started if it does not run.

    Args:
        console: where progress is shown.
        number: of the lesson.
    """

    def __init__(self, console: Console, number: int) -> None:
        self.console = console
        self._number, self._file = number, STATE_DIR / f"lesson-{number}.json"

    @cached_property
    def stack(self) -> Stack:
        """The stack."""
        try:
            return Stack.attach()
        except NotRunning:
            stack = Stack.up(self.console, stays=True)
            self.console.print("It stays; make down stops it.", highlight=False)
            return stack

    @cached_property
    def client(self) -> Client:
        """Its APIs."""
        return Client(self.stack.outputs, self.stack.people)

    @staticmethod
    def strangers(number: int) -> list[str]:
        """Names of customers who never ordered."""
        return [f"guest-{secrets.token_hex(3)}" for _ in range(number)]

    def delivered(self, customers: list[str]) -> list[str]:
        """Deliver an order to each customer, side by side; returns the orders' ids.

        Raises:
            NotThere, Refused: one did not come through.
        """

        def live(customer: str) -> str:
            order_id: str = self.client.place(customer=customer)["order_id"]
            self.client.deliver(order_id)
            return order_id

        with ThreadPoolExecutor(len(customers)) as pool:
            return list(pool.map(live, customers))

    def on_the_road(self, customer: str) -> str:
        """An order that the courier has left with; returns its id."""
        order_id: str = self.client.place(customer=customer)["order_id"]
        for status, move in (("AWAITING_RESTAURANT", "accept"), ("PREPARING", "dispatch")):
            self.client.until(order_id, status)
            self.client.move(order_id, move)
        self.client.until(order_id, "OUT_FOR_DELIVERY")
        return order_id

    def remember(self, scene: dict[str, Any], on_stack: bool) -> None:
        """Keep what the scene is made of.

        Args:
            scene: JSON.
            on_stack: whether it goes with the stack.
        """
        whose = self.stack.outputs["UserPoolId"] if on_stack else ""
        private.file(self._file).write_text(json.dumps({"scene": scene, "stack": whose}))

    def scene(self) -> dict[str, Any]:
        """What the scene is made of.

        Raises:
            NoScene: it was not set, or its stack is gone.
        """
        if not self._file.exists():
            raise NoScene(f"Set the scene first: make lesson N={self._number}")
        kept = json.loads(self._file.read_text())
        if kept["stack"]:
            try:
                is_there = Stack.attach().outputs["UserPoolId"] == kept["stack"]
            except NotRunning:
                is_there = False
            if not is_there:
                raise NoScene(
                    f"The scene went with the stack that it was set on. Set it again: make lesson N={self._number}"
                )
        return dict(kept["scene"])

    def close(self) -> None:
        """Close connections; the stack goes on."""
        if "client" in self.__dict__:
            self.client.close()
        if "stack" in self.__dict__:
            self.stack.people.close()
