"""A second stack for the tests about time: on its clock three hours pass in 45 seconds, on a quiet machine."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from laptop import BusTap, Stack
from laptop.client import Client

# A restaurant's fifteen minutes are four seconds, in which the tests accept for it.
CLOCK = 240


@pytest.fixture(scope="session")
def fast_stack() -> Iterator[Stack]:
    """The real template on an emulator whose workflows live 240 times as fast."""
    with Stack.up(clock=CLOCK) as running:
        yield running


@pytest.fixture(scope="session")
def fast_tap(fast_stack: Stack) -> BusTap:
    """Every event on the fast stack's bus."""
    return fast_stack.tap()


@pytest.fixture
def fast(fast_stack: Stack) -> Iterator[Client]:
    """The fast stack's REST APIs, on a clock that this machine can follow now."""
    fast_stack.keep_pace()
    with closing(Client(fast_stack.outputs, fast_stack.people)) as calls:
        yield calls
