"""Every expression of both workflows means the same in JSONata's reference implementation as in the emulator.

The workflows are stepped through over real tables with the real payments service. What the emulator made of each
expression is then asked of npm's `jsonata`, in the version that Step Functions implements.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from worlds import ROOT
from worlds.doors import Doors
from worlds.jsonata import Recorder, differences
from worlds.orders import orders_world
from worlds.runtime import ENVIRONMENT

ACCEPT, DISPATCH, DELIVER = ({"move": move} for move in ("accept", "dispatch", "deliver"))
REJECT = {"move": "reject", "reason": "closing"}
DECLINED_CARD = "pm_card_mastercard_chargeDeclinedInsufficientFunds"


def expressions(node: Any) -> Iterator[str]:
    """Every expression of a definition, as it stands between the marks."""
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from expressions(inner)
    elif isinstance(node, str) and node.startswith("{%"):
        yield node[2:-2].strip()


WRITTEN = {
    expression
    for path in ROOT.glob("statemachines/*.asl.json")
    for expression in expressions(json.loads(path.read_text("utf-8")))
}


def lives(doors: Doors) -> None:
    """Orders that live and end in every way that the workflows know."""

    def run(*answers: dict[str, Any] | None, stop_at: str = "", unwind: str = "", **changes: Any) -> str:
        _, order = doors.place(**changes)
        doors.run(order["order_id"], list(answers), stop_at=stop_at)
        if unwind:
            doors.unwind(order["order_id"], unwind)
        return str(order["order_id"])

    run(ACCEPT, DISPATCH, DELIVER)
    run(REJECT)
    run({"move": "reject", "reason": "other"})
    run(None)
    run(payment_method=DECLINED_CARD)
    # Ended, but not announced: the unwind tells it.
    run(ACCEPT, DISPATCH, DELIVER, stop_at="AnnounceDelivered", unwind="FAILED")
    run(REJECT, stop_at="AnnounceRejected", unwind="FAILED")
    run(payment_method=DECLINED_CARD, stop_at="AnnounceDeclined", unwind="FAILED")
    # Died on the way, or cancelled by the customer; then told again, as if only the last write had failed.
    run(stop_at="AnnouncePlaced", unwind="FAILED")
    run(ACCEPT, DISPATCH, DELIVER, stop_at="RecordDelivered", unwind="FAILED")
    expired = run(stop_at="AwaitRestaurant", unwind="TIMED_OUT")
    failed = run(ACCEPT, stop_at="AwaitDispatch", unwind="FAILED")
    cancelled = run(stop_at="AwaitRestaurant")
    assert doors.api.call("POST", f"/orders/{cancelled}/cancel")[0] == 202
    doors.unwind(cancelled, "ABORTED")
    for order_id in (expired, failed, cancelled):
        doors.api.table.update_item(
            Key={"order_id": order_id}, UpdateExpression="SET open_shard = :s", ExpressionAttributeValues={":s": "0"}
        )
        doors.unwind(order_id, "UNREPORTED")
    # The restaurant answers in the last moment, and its callback is lost.
    late = run(stop_at="AwaitRestaurant")
    doors.api.put(late, "AWAITING_RESTAURANT")
    assert doors.api.call("POST", f"/orders/{late}/accept")[0] == 202
    doors.run(late, [None], stop_at="AnnounceAccepted")
    # An answer that is meant for another order.
    run(ACCEPT | {"order_id": "ord_another"}, ACCEPT, stop_at="AnnounceAccepted")


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorder]:
    """Everything that was evaluated in those lives."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        quiet = {"POWERTOOLS_TRACE_DISABLED": "true", "POWERTOOLS_METRICS_DISABLED": "true"}
        for name, value in (ENVIRONMENT | quiet).items():
            monkeypatch.setenv(name, value)
        recorder = Recorder(monkeypatch)
        with orders_world(monkeypatch) as api:
            lives(Doors(api, monkeypatch))
        yield recorder


def test_every_expression_was_evaluated(recorded: Recorder) -> None:
    assert WRITTEN - {case["expression"] for case in recorded.cases} == set()


def test_both_say_the_same_in_every_life_of_an_order(recorded: Recorder) -> None:
    assert differences(recorded.cases, recorded.outcomes) == []


def test_both_say_the_same_where_something_is_missing(recorded: Recorder) -> None:
    """What is not there is undefined, and an error where a function wanted it."""
    lived = list(recorded.cases)
    for without in ("input", "result", "context", "variables"):
        for case in lived:
            states = case["states"] | ({without: {}} if without in case["states"] else {})
            recorded.evaluate(case["expression"], states, {} if without == "variables" else case["variables"])
    outcomes = recorded.outcomes[len(lived) :]
    assert {kind for outcome in outcomes for kind in outcome} == {"value", "undefined", "error"}
    assert differences(recorded.cases[len(lived) :], outcomes) == []


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("$states.input.name ?: 'nobody'", {"error": "S0211"}),  # JSONata 2.1 has it; Step Functions has 2.0.6
        ("$eval('1 + 1')", {"error": "T1006"}),  # taken away by Step Functions
    ],
)
def test_what_step_functions_does_not_know_is_seen(
    monkeypatch: pytest.MonkeyPatch, expression: str, says: dict[str, Any]
) -> None:
    recorder = Recorder(monkeypatch)
    recorder.evaluate(expression, {"input": {}}, {})
    assert [line for line in differences(recorder.cases, recorder.outcomes) if line.endswith(f"JSONata {says}")]


@pytest.mark.parametrize(
    "expression",
    [
        "$hash('ord_1', 'SHA-256')",
        "$partition([1, 2, 3, 4, 5], 2)",
        "$range(0, 10, 2)",
        "$range(5, 1, -2)",
        "$parse('{\"a\": [1, null]}')",
        "$now() & $millis()",
        "$exists($states.input.nothing)",
        "$states.input.nothing",
        "$error('no')",
        "1 / 4",
        "[1, 2][0] = 1.0",
    ],
)
def test_both_know_the_same_functions(monkeypatch: pytest.MonkeyPatch, expression: str) -> None:
    recorder = Recorder(monkeypatch)
    recorder.evaluate(expression, {"input": {}}, {})
    assert differences(recorder.cases, recorder.outcomes) == []
