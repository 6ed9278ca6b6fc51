"""The order without a workflow, deployed beside the application: a real stream, queues, a rule, and payments."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lab import breaking, comparing
from lab.comparing import STORIES, Found, Running
from lab.ways import CHOREOGRAPHED
from laptop import Stack
from laptop.client import Refused
from worlds.beside import beside

pytestmark = pytest.mark.laptop("own")


@pytest.fixture(scope="module")
def running(stack: Stack, meter_file: Path, faults_port: int) -> Iterator[Running]:
    """The choreography, up beside the shared stack."""
    with (
        beside(stack, CHOREOGRAPHED) as outputs,
        closing(Running(CHOREOGRAPHED, stack, outputs, meter_file, faults_port)) as up,
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


def test_whatever_goes_wrong_an_order_holds_and_somebody_can_say_what_became_of_it(running: Running) -> None:
    found = Found()
    # Raises if an order does not end as it must, or a fault never struck.
    breaking.run(running, found)
    assert set(found.broken) == set(breaking.ROWS)
    assert found.broken["a listener is broken"].startswith("DELIVERED all the same")
    assert found.broken["the write that takes the answer of payments is refused"].startswith(
        "PLACED until it is mended"
    )
    # Nothing says which step is next: each place has to be read, and the answer is put together.
    assert found.broken[breaking.WHERE].startswith("10 calls, 10 of 10 places: `OrdersTable`: PLACED; ")
    assert "`PaymentsTable`: AUTHORIZED" in found.broken[breaking.WHERE]
    assert "with 0 dead letters" in found.broken["payments fail five times in a row"]
    assert found.broken["its execution is stopped"] == "nothing to stop"
