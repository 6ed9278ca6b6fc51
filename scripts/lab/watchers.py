"""People who listen while orders live: how late each message comes after what it tells of, and which never come.

A message's delay is taken from the event's `occurred_at`, which the workflow writes, to its arrival at the listener:
all of the way, over bus, queue, function and WebSocket. Both moments are this machine's clock.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from laptop import Stack
from laptop.client import Client
from laptop.listener import Listener, NotHeard
from laptop.people import Person
from live.model import CONNECTIONS
from tiffin.callers import Role

TURNS = ("OrderPlaced", "PaymentAuthorized", "OrderAccepted", "OrderDispatched", "OrderDelivered")
"""What is heard of an order that is delivered."""
AT_ONCE = 8
PATIENCE = 20.0
"""Seconds for which a message is waited for, on a quiet machine; then it is lost."""


@dataclass(frozen=True)
class Row:
    """So many watchers, and what they heard.

    Attributes:
        what: they listen to.
        watchers: how many connections were open.
        orders: how many were delivered meanwhile, one after the other.
        delays: of each message that came, in seconds, sorted.
        lost: how many never came.
    """

    what: str
    watchers: int
    orders: int
    delays: list[float]
    lost: int

    def quantile(self, share: float) -> float:
        """The delay that this share of the messages stayed below, in seconds; that of none is none."""
        return self.delays[min(len(self.delays) - 1, int(share * len(self.delays)))] if self.delays else math.nan


def measure(stack: Stack, watchers: int, orders: int, say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Let one and then many listen: each to its own order, and each to all orders.

    Args:
        stack: the running stack.
        watchers: how many are many.
        orders: how many are delivered for each row.
        say: told of each step.
    """
    rows = []
    for many in dict.fromkeys((1, watchers)):
        for what, people in (("its own orders", _customers), ("all orders", _support)):
            say(f"{many} watching {what}")
            with _listening(stack, people(many)) as listeners, closing(Client(stack.outputs, stack.people)) as client:
                rows.append(_heard(client, listeners, what, many, orders))
    return rows


def _customers(many: int) -> list[Person]:
    return [Person(f"watcher-{many}-{number}") for number in range(many)]


def _support(many: int) -> list[Person]:
    """An account may have so many connections, and no more."""
    return [Person(f"watching-all-{many}-{number // CONNECTIONS}", Role.SUPPORT) for number in range(many)]


@contextmanager
def _listening(stack: Stack, people: Sequence[Person]) -> Iterator[list[tuple[Person, Listener]]]:
    with ExitStack() as opened, ThreadPoolExecutor(AT_ONCE) as threads:
        made = list(threads.map(lambda who: Listener.of(stack.outputs, stack.people, who), people))
        yield [(who, opened.enter_context(listener)) for who, listener in zip(people, made, strict=True)]


def _heard(client: Client, listeners: Sequence[tuple[Person, Listener]], what: str, many: int, orders: int) -> Row:
    delays, lost = list[float](), 0
    own = what == "its own orders"
    for number in range(orders):
        who, listener = listeners[number % len(listeners)]
        # Nobody places more in an hour than a customer may.
        customer = who.name if own else f"{who.name}-of-{number // 10}"
        order_id = client.place(customer=customer)["order_id"]
        client.deliver(order_id)
        for one in [listener] if own else [each for _, each in listeners]:
            for turn in TURNS:
                try:
                    delays.append(one.wait_for_event(turn, order_id, PATIENCE).seconds)
                except NotHeard:
                    lost += 1
    return Row(what, many, orders, sorted(delays), lost)
