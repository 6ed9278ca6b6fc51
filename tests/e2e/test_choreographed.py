"""The order without a workflow, deployed beside the application: a real stream, queues, a rule, and payments."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lab import comparing
from lab.comparing import STORIES, Running
from lab.ways import CHOREOGRAPHED
from laptop import Stack
from laptop.client import Refused
from worlds.beside import beside

pytestmark = pytest.mark.laptop("own")


@pytest.fixture(scope="module")
def running(stack: Stack, meter_file: Path) -> Iterator[Running]:
    """The choreography, up beside the shared stack; no faults are injected there."""
    with (
        beside(stack, CHOREOGRAPHED) as outputs,
        closing(Running(CHOREOGRAPHED, stack, outputs, meter_file, faults=0)) as up,
    ):
        yield up


@pytest.mark.parametrize(("name", "plan", "method", "end"), STORIES, ids=[story[0] for story in STORIES])
def test_an_order_lives_as_by_the_workflow(
    running: Running, name: str, plan: dict[str, str], method: str, end: str
) -> None:
    case = comparing.a_case(running, name, plan, method, end)
    running.begin(case)
    running.follow(case)
    # What became of the row, the money, the ledger, the customer's place, and what was announced, by which schema.
    running.judged(case)
    assert running.letters() == 0
    with pytest.raises(Refused) as refused:
        running.client.move(case.order_id, "cancel")
    assert refused.value.problem["type"].endswith("/illegal-move")


def test_no_state_is_entered_for_a_delivered_order_and_only_its_own_functions_run(running: Running) -> None:
    case = comparing.a_case(running, "counted", dict(STORIES[0][1]), "pm_card_visa", "DELIVERED")

    def live() -> None:
        running.begin(case)
        running.follow(case)

    counts = running.measure(live)
    assert sum(counts.transitions.values()) == 0
    assert counts.requests == 4
    assert set(counts.events) == {
        "OrderPlaced", "PaymentAuthorized", "OrderAccepted", "OrderDispatched", "PaymentCaptured", "OrderDelivered",
    }  # fmt: skip
    assert set(counts.invocations) == {
        "ApiFunction", "TellsFunction", "AsksPaymentsFunction", "HearsPaymentsFunction", "Payments/PaymentsFunction",
        "Payments/OutboxRelayFunction",
    }  # fmt: skip
