"""Why synchronous chains stack cold starts: one order, from the request to the payment, cold and warm, on the emulator.

`POST /orders` waits for the API's function; the workflow that it starts waits for the payments' function; and its event
goes out by the relay. Each of them may have to be started, and each one's start is waited for before the next begins.
"""

import os
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from laptop import Stack, functions
from laptop.client import Client
from laptop.pace import eventually

from .coldstart import children


@dataclass
class Chain:
    """Milliseconds from the request, in each repeat.

    Attributes:
        answered: until the customer has the answer.
        authorized: until the money is held.
        announced: until the event of it is on the bus.
    """

    answered: list[float] = field(default_factory=list)
    authorized: list[float] = field(default_factory=list)
    announced: list[float] = field(default_factory=list)


def measure(stack: Stack, repeats: int, tell: Callable[[str], None]) -> dict[str, Chain]:
    """Place an order with no environment started, and one with all of them started, so many times.

    Args:
        stack: which nobody else uses.
        repeats: of each, by turns.
        tell: is told what comes next.
    """
    found = {"cold": Chain(), "warm": Chain()}
    tap = stack.tap()
    with closing(Client(stack.outputs, stack.people)) as client:
        for repeat in range(repeats):
            tell(f"One order cold, one warm: {repeat + 1} of {repeats}")
            for kind, chain in found.items():
                # Nobody's limits are met, and signing in is not the order's.
                customer = f"bench-{kind}-{repeat}"
                stack.people.token(customer)
                if kind == "cold":
                    _stop_environments(stack)
                else:
                    functions.start(stack.access)
                began = time.time()
                order_id = client.place(customer=customer)["order_id"]
                chain.answered.append((time.time() - began) * 1000)
                event = tap.wait_for_event("PaymentAuthorized", order_id, 60)
                chain.announced.append((time.time() - began) * 1000)
                at = datetime.fromisoformat(event["detail"]["metadata"]["occurred_at"]).timestamp()
                chain.authorized.append((at - began) * 1000)
    tap.close()
    return found


def _stop_environments(stack: Stack) -> None:
    """End every environment: the next call of each function starts one, as on AWS after a while without calls."""
    environments = [child for child in children(stack._process.pid) if b"_worker.py" in _read(child, "cmdline")]
    for environment in environments:
        with suppress(ProcessLookupError):
            os.kill(environment, signal.SIGKILL)
    eventually(lambda: all(map(_has_ended, environments)), 10, "the end of all environments")


def _has_ended(process: int) -> bool:
    """Whether its parent would be told so (proc_pid_stat(5): its state stands behind its name)."""
    return _read(process, "stat").rpartition(b") ")[2][:1] in (b"", b"Z", b"X")


def _read(process: int, file: str) -> bytes:
    """A file of /proc about a process; empty, if there is no such process any more."""
    try:
        return Path(f"/proc/{process}/{file}").read_bytes()
    except OSError:
        return b""


def table(found: dict[str, Chain]) -> list[str]:
    """Rows of a table, the medians."""
    rows = ["| from `POST /orders` | all environments started | none started | longer by |", "|---|---:|---:|---:|"]
    for name, what in (
        ("answered", "until it is answered: one function"),
        ("authorized", "until the money is held: two, one after the other"),
        ("announced", "until `PaymentAuthorized` is on the bus: three"),
    ):
        warm, cold = (statistics.median(getattr(found[kind], name)) for kind in ("warm", "cold"))
        rows.append(f"| {what} | {warm:,.0f} ms | {cold:,.0f} ms | {cold - warm:,.0f} ms |")
    return rows
