"""Waiting for what happens elsewhere, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T | None], deadline: float = 30.0, what: str = "it") -> T:
    """Ask until the answer is true, and return that.

    Args:
        probe: what to ask.
        deadline: seconds.
        what: for the failure's message.

    Raises:
        AssertionError: time ran out.
    """
    until = time.monotonic() + deadline
    while not (answer := probe()):
        assert time.monotonic() < until, f"{what} did not happen within {deadline:g} s"
        time.sleep(0.05)
    return answer
