"""What people see of the workflows is what runs: the diagrams are drawn from the files, which keep their shape."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import render_workflows
from contracts.diagrams import mermaid
from contracts.layout import laid_out, too_long

RETRIER = {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 8, "MaxDelaySeconds": 60}
MACHINE: dict[str, Any] = {
    "Comment": "Ask, and tell.",
    "QueryLanguage": "JSONata",
    "StartAt": "AskSomebody",
    "States": {
        "AskSomebody": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken",
            "Comment": "Somebody knows.",
            "Arguments": {"TableName": "${Table}", "Key": {"order_id": {"S": "{% $order_id %}"}}},
            "TimeoutSeconds": 900,
            "Retry": [RETRIER, {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0}],
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "GiveUp"}],
            "Next": "WhatWasSaid",
        },
        "WhatWasSaid": {
            "Type": "Choice",
            "Comment": "Yes, no, or nothing useful.",
            "Choices": [
                {"Condition": "{% $answer in ['YES', 'OF_COURSE'] %}", "Next": "AnnounceIt"},
                {"Condition": "{% $states.input.late %}", "Next": "GiveUp"},
            ],
            "Default": "GiveUp",
        },
        "AnnounceIt": {
            "Type": "Task",
            "Resource": "arn:aws:states:::events:putEvents",
            "Comment": "Everybody hears it.",
            "Arguments": {"Entries": [{"DetailType": "Told", "Detail": {"data": {"a": "{% $a %}", "b": None}}}]},
            "End": True,
        },
        "GiveUp": {"Type": "Fail", "Comment": "Nothing to tell.", "Error": "NoAnswer"},
    },
}
SHAPE = """\
{
  "Comment": "Ask, and tell.",
  "QueryLanguage": "JSONata",
  "StartAt": "AskSomebody",
  "States": {
    "AskSomebody": {
      "Comment": "Somebody knows.",
      "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken",
      "Arguments": {"TableName": "${Table}", "Key": {"order_id": {"S": "{% $order_id %}"}}},
      "TimeoutSeconds": 900,
      "Retry": [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 8, "MaxDelaySeconds": 60},
                {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0}],
      "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "GiveUp"}],
      "Next": "WhatWasSaid"
    },
    "WhatWasSaid": {
      "Comment": "Yes, no, or nothing useful.",
      "Type": "Choice",
      "Choices": [{"Condition": "{% $answer in ['YES', 'OF_COURSE'] %}", "Next": "AnnounceIt"},
                  {"Condition": "{% $states.input.late %}", "Next": "GiveUp"}],
      "Default": "GiveUp"
    },
    "AnnounceIt": {
      "Comment": "Everybody hears it.",
      "Type": "Task", "Resource": "arn:aws:states:::events:putEvents",
      "Arguments": {"Entries": [{"DetailType": "Told",
                                 "Detail": {"data": {"a": "{% $a %}",
                                                     "b": null}}}]},
      "End": true
    },
    "GiveUp": {
      "Comment": "Nothing to tell.",
      "Type": "Fail", "Error": "NoAnswer"
    }
  }
}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one workflow and a page that shows it, both as they should be."""
    monkeypatch.setattr(render_workflows, "STATEMACHINES", tmp_path)
    monkeypatch.setattr(render_workflows, "TOUR", tmp_path)
    (tmp_path / "ask.asl.json").write_text(json.dumps(MACHINE))
    (tmp_path / "lesson.md").write_text(
        "# Tour\n\n<!-- drawn from ask.asl.json -->\n<!-- end of the drawing -->\n\nMore.\n"
    )
    assert render_workflows.main([]) == 0
    assert render_workflows.main(["--check"]) == 0
    return tmp_path


def another_state(project: Path) -> None:
    machine = json.loads(json.dumps(MACHINE).replace("GiveUp", "LeaveIt"))
    (project / "ask.asl.json").write_text(laid_out(json.dumps(machine)))


def an_edited_diagram(project: Path) -> None:
    page = project / "lesson.md"
    page.write_text(page.read_text().replace("Give up", "Go home"))


def no_diagram(project: Path) -> None:
    (project / "lesson.md").write_text("# Tour\n")


def a_retrier_over_several_lines(project: Path) -> None:
    file = project / "ask.asl.json"
    file.write_text(file.read_text().replace('"IntervalSeconds": 1, ', '"IntervalSeconds": 1,\n'))


def a_long_line(project: Path) -> None:
    machine = json.loads(json.dumps(MACHINE).replace("Somebody knows.", "Somebody knows. " * 12))
    (project / "ask.asl.json").write_text(laid_out(json.dumps(machine)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (another_state, "lesson.md is stale"),
        (an_edited_diagram, "lesson.md is stale"),
        (no_diagram, "has a diagram of ask.asl.json"),
        (a_retrier_over_several_lines, "ask.asl.json is out of shape"),
        (a_long_line, "ask.asl.json:7 is longer than 160 characters"),
    ],
)
def test_drift_is_noticed(
    project: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], None], says: str
) -> None:
    change(project)
    assert render_workflows.main(["--check"]) == 1
    assert says in capsys.readouterr().err


def test_the_committed_page_and_files_are_up_to_date() -> None:
    assert render_workflows.main(["--check"]) == 0


def test_a_definition_is_laid_out_for_people() -> None:
    assert laid_out(json.dumps(MACHINE)) == SHAPE


@pytest.mark.parametrize("path", sorted(render_workflows.STATEMACHINES.glob("*.asl.json")), ids=lambda path: path.name)
def test_layout_changes_white_space_only(path: Path) -> None:
    scrambled = json.dumps(json.loads(path.read_text()))
    assert json.loads(laid_out(scrambled)) == json.loads(scrambled)
    assert list(too_long(laid_out(scrambled))) == []


def test_a_state_name_that_is_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="used twice"):
        laid_out('{"States": {"A": {"Type": "Succeed"}, "A": {"Type": "Fail"}}}')


def test_a_diagram_tells_choices_waits_and_errors_apart() -> None:
    assert [line.strip() for line in mermaid(MACHINE).splitlines() if "classDef" not in line] == [
        "flowchart TD",
        'AskSomebody(["Ask somebody<br>15 minutes at most"]):::wait',
        'WhatWasSaid{{"What was said?"}}:::choice',
        'AnnounceIt((("Announce it"))):::final',
        'GiveUp["Give up"]:::fail',
        "AskSomebody --> WhatWasSaid",
        'AskSomebody -.->|"no answer in time"| GiveUp',
        'WhatWasSaid -->|"yes, of course"| AnnounceIt',
        'WhatWasSaid -->|"otherwise"| GiveUp',
    ]


def test_a_status_is_written_under_one_name_by_which_the_trace_reads_it() -> None:
    """See `tracing.visits.Attempt.entered`."""
    writes = {}
    for path in render_workflows.STATEMACHINES.glob("*.asl.json"):
        for name, state in json.loads(path.read_text("utf-8"))["States"].items():
            arguments = state.get("Arguments", {})
            # Of a transaction it is the first.
            arguments = arguments.get("TransactItems", [{"Update": arguments}])[0]["Update"]
            if re.search(r"#status = :|\$entering", arguments.get("UpdateExpression", "")):
                writes[path.name, name] = ":entered" in arguments["ExpressionAttributeValues"]
    assert len(writes) >= 8
    assert {place for place, named in writes.items() if not named} == set()
