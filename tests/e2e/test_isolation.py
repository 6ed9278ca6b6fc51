"""All that listens is broken, in each way: every order is delivered, and they catch up with it."""

import pytest
from lab import isolating
from laptop import Stack
from laptop.emulator.launcher import free_port
from rich.console import Console

pytestmark = pytest.mark.laptop("own")

ORDERS = 8


def test_every_order_is_delivered_and_what_was_missed_is_caught_up() -> None:
    port = free_port()
    with Stack.up(env={"TIFFIN_FAULTS": str(port)}, parameters=isolating.PARAMETERS) as stack:
        # Raises if an order was not delivered, if a code, a last mail, an estimate or an order in the figures is
        # missing, or if anything came twice or late.
        phases = isolating.measure(stack, port, ORDERS, Console(), comes_back=5, patience=90)
    assert [len(phase.latencies) for phase in phases] == [ORDERS] * 8
    assert [phase.caught_up is not None for phase in phases] == [False, *[True] * 6, False]
