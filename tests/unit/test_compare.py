"""What is compared is there, and the change that each way is asked for does what it says when it is made."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import asl
import pytest
from lab import columns, comparing
from lab.breaking import ROWS
from lab.comparing import Found
from lab.metered import Counts
from lab.ways import CHOREOGRAPHED, DURABLE, ORCHESTRATED, WAYS, Part, Way
from lab.whereabouts import function_is_at, workflow_is_at
from laptop import measured
from worlds import ROOT
from worlds.tiffin import tiffin_world
from worlds.workflows import MACHINES

by_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
PAGE = ROOT / "docs" / "compare.md"


@by_way
def test_each_file_and_resource_that_is_counted_is_there(way: Way) -> None:
    assert min(len(part.lines()) for part in way.behaviour) > 3
    declared = {name for _, name in way.declared()}
    named = {name for part in way.behaviour for name in part.resources}
    assert named <= declared


def test_a_resource_s_lines_end_where_the_next_one_begins() -> None:
    queue = Part("examples/choreographed/template.yaml", ("TellsDeadLetterQueue",)).lines()
    assert queue[0] == "  TellsDeadLetterQueue:"
    assert [line.strip() for line in queue[1:]] == [
        "Type: AWS::SQS::Queue", "Properties:", "MessageRetentionPeriod: 1209600", "SqsManagedSseEnabled: true",
    ]  # fmt: skip
    with pytest.raises(LookupError):
        Part("examples/choreographed/template.yaml", ("Nothing",)).lines()


def test_every_function_of_the_choreography_is_counted_but_the_api_s_own() -> None:
    functions = {name for kind, name in CHOREOGRAPHED.declared() if kind == "AWS::Serverless::Function"}
    counted = {name for part in CHOREOGRAPHED.behaviour for name in part.resources}
    # The API's, and those that payments are made of, are there by every way.
    assert functions - counted == {"ApiFunction", "PaymentsFunction", "OutboxRelayFunction"}
    modules = {path.name for path in (ROOT / "examples/choreographed/choreographed").glob("*.py")} - {"__init__.py"}
    assert {Path(part.path).name for part in CHOREOGRAPHED.behaviour} == modules | {"template.yaml"}


def changed(way: Way, folder: Path) -> Path:
    """A copy of what a way's change touches, with the change made."""
    assert way.change is not None
    for name in comparing.touched(way.change):
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / name).read_text("utf-8"), "utf-8")
    subprocess.run(["git", "apply", str(way.change)], cwd=folder, check=True)
    return folder


def test_the_workflow_asks_the_restaurant_first_once_one_file_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ORCHESTRATED.change is not None
    assert list(comparing.touched(ORCHESTRATED.change)) == ["statemachines/order.asl.json"]
    monkeypatch.setattr(asl, "ROOT", changed(ORCHESTRATED, tmp_path))
    names = {"OrdersTableName": "OrdersTable", "CustomersTableName": "CustomersTable", "EventBusName": "bus"}
    monkeypatch.setitem(MACHINES, "order", asl.machine("order", PaymentsFunctionArn="payments", **names))
    with tiffin_world() as world:
        _, order = world.place()
        life = world.lives[order["order_id"]]
        world.run(life)
        assert (world.api.rows()[0]["status"], world.payment(life.name)) == ("AWAITING_RESTAURANT", {})
        for move in ("accept", "dispatch", "deliver"):
            assert world.move(life.name, move) == 202
            world.run(life)
        assert (world.api.rows()[0]["status"], world.payment(life.name)["status"]) == ("DELIVERED", "CAPTURED")
        _, order = world.place("key-2", payment_method="pm_card_chargeDeclined")
        life = world.lives[order["order_id"]]
        world.run(life)
        world.move(life.name, "accept")
        world.settle()
        assert {row["order_id"]: row["status"] for row in world.api.rows()}[life.name] == "DECLINED"


# In a process of its own, which finds the changed modules first.
LIVES = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[1:]
from worlds.aws import aws_in_process

aws_in_process()
from worlds.choreographed import choreographed_world
import choreographed.rules

assert Path(choreographed.rules.__file__).is_relative_to(sys.argv[1]), choreographed.rules.__file__
with choreographed_world() as world:
    def status(order_id):
        return {row["order_id"]: row["status"] for row in world.api.rows()}[order_id]
    _, order = world.place()
    order_id = order["order_id"]
    world.flow()
    assert (status(order_id), world.payment(order_id)) == ("AWAITING_RESTAURANT", {})
    for move in ("accept", "dispatch", "deliver"):
        assert world.move(order_id, move) == 202
        world.flow()
    assert (status(order_id), world.payment(order_id)["status"]) == ("DELIVERED", "CAPTURED")
    _, order = world.place("key-2", payment_method="pm_card_chargeDeclined")
    world.flow()
    world.move(order["order_id"], "accept")
    world.settle()
    assert status(order["order_id"]) == "DECLINED"
"""


def test_the_choreography_asks_the_restaurant_first_once_four_files_are_changed(tmp_path: Path) -> None:
    assert CHOREOGRAPHED.change is not None
    assert {Path(name).stem for name in comparing.touched(CHOREOGRAPHED.change)} == {
        "hears_payments", "no_workflow", "rows", "rules",
    }  # fmt: skip
    package = tmp_path / "examples/choreographed/choreographed"
    package.mkdir(parents=True)
    for module in (ROOT / "examples/choreographed/choreographed").glob("*.py"):
        (package / module.name).write_text(module.read_text("utf-8"), "utf-8")
    changed(CHOREOGRAPHED, tmp_path)
    path = [str(package.parent), *(entry for entry in sys.path if entry)]
    subprocess.run([sys.executable, "-c", LIVES, *path], check=True, cwd=ROOT)


def test_what_a_durable_execution_wrote_is_charged_for() -> None:
    counts = Counts(1, operations=15, checkpoints=1050)
    assert comparing.costs(counts) == {"Lambda: durable operations": pytest.approx(0.00012, rel=0.01)}


def test_a_patch_s_lines_are_counted_by_file(tmp_path: Path) -> None:
    patch = tmp_path / "one.patch"
    patch.write_text("--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n-old\n+new\n same\n--- a/y.py\n+++ b/y.py\n@@\n+more\n")
    assert comparing.touched(patch) == Counter({"x.py": 2, "y.py": 1})


def test_an_order_may_be_where_its_steps_pass_by_the_templates() -> None:
    kinds = {way: Counter(place.kind for place in way.places) for way in WAYS}
    assert kinds[ORCHESTRATED] == {"row": 1, "execution": 2, "queue": 1}
    assert kinds[CHOREOGRAPHED] == {"row": 2, "stream": 2, "queue": 6}
    assert kinds[DURABLE] == {"row": 1, "execution": 1, "call": 1, "queue": 1}


def test_a_workflow_is_in_the_state_that_it_entered_last_and_fails_by_what_came_since() -> None:
    entered = {"stateEnteredEventDetails": {"name": "AwaitRestaurant"}}
    failed = {"taskFailedEventDetails": {"error": "DynamoDb.InternalServerError"}}
    before = {"stateEnteredEventDetails": {"name": "AuthorizePayment"}}
    old = {"taskFailedEventDetails": {"error": "Sandbox.Timedout"}}
    assert workflow_is_at([failed, entered, old, before]) == (
        "AwaitRestaurant",
        "DynamoDb.InternalServerError",
    )
    assert workflow_is_at([entered, old, before]) == ("AwaitRestaurant", "")


def test_a_function_is_in_the_step_that_began_last_and_fails_by_its_last_attempt() -> None:
    history: list[dict[str, Any]] = [
        {"EventType": "ExecutionStarted"},
        {"EventType": "StepSucceeded", "Name": "authorize payment"},
        {"EventType": "StepStarted", "Name": "enter AWAITING_RESTAURANT"},
        {
            "EventType": "StepFailed",
            "Name": "enter AWAITING_RESTAURANT",
            "StepFailedDetails": {"Error": {"Payload": {"ErrorType": "ClientError"}}},
        },
        {"EventType": "InvocationCompleted"},
    ]
    assert function_is_at(history) == ("enter AWAITING_RESTAURANT", "ClientError")
    assert function_is_at(history[:3]) == ("enter AWAITING_RESTAURANT", "")


def test_the_page_has_a_column_for_each_way_and_says_what_was_seen() -> None:
    counts = {name: Counts(1, transitions=Counter(A=13), requests=4) for name in comparing.COUNTED}
    waits = dict.fromkeys(ROWS, "PLACED until it is mended")
    seen = Found(counts, {"delivered": 1.2}, broken=waits, queues=2)
    well = Found(counts, {"delivered": 1.1}, recorded=66, broken=dict.fromkeys(ROWS, "DELIVERED all the same"))
    text = columns.page({ORCHESTRATED: well, CHOREOGRAPHED: seen}, "Measured")
    assert "|  | orchestrated | choreographed |" in text
    for row in ROWS:
        assert f"| {row} | DELIVERED all the same | PLACED until it is mended |" in text
    assert "| state transitions | 13 | 13 |" in text
    assert "| events in its history | 66 | 0 |" in text


def test_the_page_of_the_docs_has_its_place_for_the_tables_and_says_something_of_each_fault() -> None:
    text = PAGE.read_text("utf-8")
    assert text.count(measured.mark("make compare")) == text.count(measured.END) == 1
    assert text.count(columns.BEGIN) == text.count(columns.END) == 1
    for way in WAYS:
        assert f" {way.name} |" in text
    for row in ROWS:
        assert f"\n| {row} | " in text
