"""The state machine check sees what would break only when it runs. Each case breaks a sound machine in one way."""

import copy
import json
from collections.abc import Callable
from typing import Any

import lint_statemachines
import pytest
from contracts.statemachines import lint

MACHINE: dict[str, Any] = {
    "Comment": "Ask, and announce the answer.",
    "QueryLanguage": "JSONata",
    "TimeoutSeconds": 60,
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Comment": "Ask the function.",
            "Type": "Task",
            "Resource": "arn:${Partition}:states:::lambda:invoke",
            "Arguments": {"FunctionName": "${FunctionArn}", "Payload": "{% $states.input %}"},
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "JitterStrategy": "FULL"}],
            "Catch": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "Assign": {"answer": {"error": "{% $states.errorOutput.Error %}"}},
                    "Next": "Decide",
                }
            ],
            "Assign": {"answer": "{% $states.result.Payload %}", "order": "{% $states.input %}"},
            "Next": "Decide",
        },
        "Decide": {
            "Comment": "Is there anything to tell?",
            "Type": "Choice",
            "Choices": [{"Condition": "{% $exists($answer.error) %}", "Next": "Stop"}],
            "Assign": {"told": "{% ($x := $answer.items; $map($x, function($v) { $v.name })) %}"},
            "Default": "Announce",
        },
        "Announce": {
            "Comment": "Tell.",
            "Type": "Task",
            "Resource": "arn:${Partition}:states:::events:putEvents",
            "Arguments": {
                "Entries": [
                    {
                        "EventBusName": "${EventBusName}",
                        "Source": "tiffin.orders",
                        "DetailType": "OrderAccepted",
                        "Detail": {"data": "{% $told %}"},
                    }
                ]
            },
            "Next": "Both",
        },
        "Both": {
            "Comment": "An inner scope reads outer variables.",
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Inner",
                    "States": {
                        "Inner": {
                            "Comment": "Inside.",
                            "Type": "Pass",
                            "Output": "{% $told %}",
                            "End": True,
                        }
                    },
                }
            ],
            "End": True,
        },
        "Stop": {"Comment": "A bad end.", "Type": "Fail", "Error": "Stopped"},
    },
}

Break = Callable[[dict[str, Any]], object]


def put(*path: str | int, to: Any) -> Break:
    """A change that sets one member; `None` takes it away."""

    def change(machine: Any) -> None:
        for step in path[:-1]:
            machine = machine[step]
        if to is None:
            del machine[path[-1]]
        else:
            machine[path[-1]] = to

    return change


def state(name: str, *path: str | int, to: Any) -> Break:
    return put("States", name, *path, to=to)


def aws_sdk(call: str, **arguments: Any) -> Break:
    """A change that lets `Ask` call a service by the SDK's integration."""

    def change(machine: Any) -> None:
        machine["States"]["Ask"] |= {"Resource": f"arn:${{Partition}}:states:::aws-sdk:{call}", "Arguments": arguments}

    return change


ENTRY = ("Arguments", "Entries", 0)
GET: dict[str, Any] = {"TableName": "orders", "Key": {"order_id": {"S": "ord_1"}}}
BROKEN: list[tuple[str, Break, str, str]] = [
    ("unknown field", state("Ask", "Nxet", to="Stop"), "Ask", "'Nxet' was unexpected"),
    ("JSONPath field", state("Ask", "Parameters", to={}), "Ask", "'Parameters' was unexpected"),
    ("unknown state type", state("Ask", "Type", to="Tusk"), "Ask", "'Tusk' is not one of"),
    ("no resource", state("Ask", "Resource", to=None), "Ask", "'Resource' is a required property"),
    ("neither Next nor End", state("Announce", "Next", to=None), "Announce", "'Next', 'End'"),
    ("both Next and End", state("Announce", "End", to=True), "Announce", "'Next', 'End'"),
    ("no StartAt", put("StartAt", to=None), "-", "'StartAt' is a required property"),
    ("StartAt nowhere", put("StartAt", to="Nowhere"), "-", "Nowhere"),
    ("inner StartAt nowhere", state("Both", "Branches", 0, "StartAt", to="Nowhere"), "Both", "Nowhere"),
    ("task timeout computed", state("Ask", "TimeoutSeconds", to="{% 5 %}"), "Ask", "is not of type 'number'"),
    ("Next nowhere", state("Ask", "Next", to="Nowhere"), "Ask", "'Nowhere', which is no state"),
    ("Catch nowhere", state("Ask", "Catch", 0, "Next", to="Nowhere"), "Ask", "'Nowhere', which is no state"),
    ("Choice nowhere", state("Decide", "Choices", 0, "Next", to="Nowhere"), "Decide", "'Nowhere', which is no state"),
    ("Default nowhere", state("Decide", "Default", to="Nowhere"), "Decide", "'Nowhere', which is no state"),
    ("out of the branch", state("Both", "Branches", 0, "States", "Inner", to={
        "Comment": "Leaves.", "Type": "Pass", "Next": "Stop"}), "Inner", "'Stop', which is no state here"),
    ("unreachable state", state("Decide", "Choices", 0, "Next", to="Announce"), "Stop", "cannot be reached"),
    ("endless", put("States", to={"Ask": {
        "Comment": "Round and round.", "Type": "Pass", "Next": "Ask"}}), "-", "no end can be reached"),
    ("Retry field", state("Ask", "Retry", 0, "MaxDelay", to=5), "Ask", "unknown field 'MaxDelay'"),
    ("Catch field", state("Ask", "Catch", 0, "ResultPath", to="$"), "Ask", "unknown field 'ResultPath'"),
    ("States.ALL too early", state("Ask", "Retry", to=[
        {"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["Busy"]}]), "Ask", "come last"),
    ("States.ALL in a list", state("Ask", "Retry", 0, "ErrorEquals", to=["Busy", "States.ALL"]), "Ask", "stand alone"),
    ("no comment", state("Announce", "Comment", to=None), "Announce", "no Comment"),
    ("no inner comment", state("Both", "Branches", 0, "States", "Inner", "Comment", to=None), "Inner", "no Comment"),
    ("no comment on the machine", put("Comment", to=None), "-", "no Comment"),
    ("no timeout", put("TimeoutSeconds", to=None), "-", "no TimeoutSeconds"),
    ("bad JSONata", state("Announce", *ENTRY, "Detail", "data", to="{% $told + %}"), "Announce", "not JSONata"),
    ("half an expression", state("Announce", *ENTRY, "Detail", "data", to="id {% $told %}"), "Announce",
     "whole string"),
    ("unknown variable", state("Decide", "Choices", 0, "Condition", to="{% $anser.ok %}"), "Decide",
     "$anser is assigned nowhere"),
    ("maybe unassigned", state("Decide", "Choices", 0, "Condition", to="{% $order.ok %}"), "Decide",
     "$order may be unassigned"),
    ("assigned later", state("Ask", "Arguments", "Payload", to="{% $told %}"), "Ask", "$told may be unassigned"),
    ("read while assigned", state("Ask", "Assign", "copy", to="{% $answer %}"), "Ask", "$answer may be unassigned"),
    ("unassigned inside", state("Both", "Branches", 0, "States", "Inner", "Output", to="{% $order %}"), "Inner",
     "$order may be unassigned"),
    ("$eval", state("Decide", "Choices", 0, "Condition", to="{% $eval('1') %}"), "Decide", "$eval is assigned nowhere"),
    ("the document", state("Ask", "Arguments", "Payload", to="{% $$.order %}"), "Ask", "$$ is assigned nowhere"),
    ("result too early", state("Ask", "Arguments", "Payload", to="{% $states.result %}"), "Ask",
     "$states.result is not to be had"),
    ("error output outside a Catch", state("Ask", "Assign", "answer", to="{% $states.errorOutput %}"), "Ask",
     "$states.errorOutput is not to be had"),
    ("unknown event", state("Announce", *ENTRY, "DetailType", to="OrderEaten"), "Announce",
     "'OrderEaten', which has no contract"),
    ("no event name", state("Announce", *ENTRY, "DetailType", to=None), "Announce", "None, which has no contract"),
    ("another's event", state("Announce", *ENTRY, "DetailType", to="PaymentCaptured"), "Announce",
     "not as its contract says"),
    ("a literal partition", state("Ask", "Resource", to="arn:aws:states:::lambda:invoke"), "Ask",
     "Resource: a literal partition"),
    ("a literal partition elsewhere", state("Ask", "Arguments", "FunctionName", to="arn:aws-cn:lambda:x"), "Ask",
     "Arguments/FunctionName: a literal partition"),
    ("a function by itself", state(
        "Ask", "Resource", to="arn:${Partition}:lambda:eu-central-1:123456789012:function:x"),
     "Ask", "is no service integration"),
    ("an integration without a list", state("Ask", "Resource", to="arn:${Partition}:states:::sns:publish"), "Ask",
     "sns:publish has no list of documented fields"),
    ("no such service", aws_sdk("cosmosdb:getItem"), "Ask", "no service 'cosmosdb'"),
    ("no such operation", aws_sdk("dynamodb:findItem"), "Ask", "no operation 'FindItem' of dynamodb"),
    ("an operation's capital", aws_sdk("dynamodb:GetItem"), "Ask", "GetItem begins with a small letter"),
    ("an unknown field", state("Ask", "Arguments", "Colour", to="red"), "Ask", "Arguments: Colour is unknown"),
    ("a field's capital", state("Ask", "Arguments", "payload", to={}), "Ask",
     "payload is unknown; it is spelled Payload"),
    ("an undocumented field", state("Ask", "Arguments", "LogType", to="Tail"), "Ask",
     "LogType is documented nowhere for lambda:invoke"),
    ("an entry's undocumented field", state("Announce", *ENTRY, "TraceHeader", to="{% $told %}"), "Announce",
     "Arguments/Entries/0: TraceHeader is documented nowhere for events:putEvents"),
    ("a field that is needed", state("Ask", "Arguments", "FunctionName", to=None), "Ask", "FunctionName is missing"),
    ("an entry's field that is needed", state("Announce", *ENTRY, "Detail", to=None), "Announce", "Detail is missing"),
    ("a number for a text", state("Announce", *ENTRY, "Source", to=7), "Announce", "Source: 7 is no string"),
    ("a text for a list", state("Announce", *ENTRY, "Resources", to="arn"), "Announce", "'arn' is no list"),
    ("a text for a boolean", aws_sdk("dynamodb:getItem", **GET | {"ConsistentRead": "true"}), "Ask",
     "ConsistentRead: 'true' is no boolean"),
    ("a number for a boolean", aws_sdk("dynamodb:getItem", **GET | {"ConsistentRead": 1}), "Ask",
     "ConsistentRead: 1 is no boolean"),
    ("a boolean for a number", aws_sdk("dynamodb:query", TableName="orders", Limit=True), "Ask",
     "Limit: True is no integer"),
    ("a number out of range", aws_sdk("dynamodb:query", TableName="orders", Limit=0), "Ask", "Limit: 0, fewer than 1"),
    ("a value of a set", aws_sdk("dynamodb:getItem", **GET | {"ReturnConsumedCapacity": "SOME"}), "Ask",
     "ReturnConsumedCapacity: is none of"),
    ("a bare value in a key", aws_sdk("dynamodb:getItem", **GET | {"Key": {"order_id": "ord_1"}}), "Ask",
     "Key/order_id: 'ord_1' is no structure"),
    ("a type that DynamoDB has not", aws_sdk("dynamodb:getItem", **GET | {"Key": {"order_id": {"T": "ord_1"}}}), "Ask",
     "Key/order_id: T is unknown"),
    ("an API's own spelling", aws_sdk("sfn:startExecution", stateMachineArn="x"), "Ask",
     "stateMachineArn is unknown; it is spelled StateMachineArn"),
    ("an expression after a space", state("Announce", *ENTRY, "Detail", "data", to=" {% $told %}"), "Announce",
     "whole string"),
    ("two entries", state("Announce", "Arguments", "Entries", to=[
        {"Source": "tiffin.orders", "DetailType": "OrderAccepted"}] * 2), "Announce", "announces 2 events"),
]  # fmt: skip


def test_a_sound_machine_passes() -> None:
    assert lint(json.dumps(MACHINE), "sound.asl.json") == []


@pytest.mark.parametrize(("change", "where", "says"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_machine_is_refused(change: Break, where: str, says: str) -> None:
    machine = copy.deepcopy(MACHINE)
    change(machine)
    findings = lint(json.dumps(machine), "broken.asl.json")
    assert [f for f in findings if f.state == where and says in f.message], findings


@pytest.mark.parametrize(
    "change",
    [
        aws_sdk("dynamodb:getItem", **GET),
        aws_sdk("dynamodb:getItem.waitForTaskToken", **GET | {"Key": "{% $states.input %}"}),
        aws_sdk("dynamodb:getItem", **GET | {"ConsistentRead": "{% true %}"}),
        aws_sdk("sfn:startExecution", StateMachineArn="${UnwindWorkflowArn}", Input="{}"),
        aws_sdk("eventbridge:putEvents", Entries=[{"Detail": "{}", "TraceHeader": "Root=1"}]),
        state("Ask", "Arguments", "Payload", to=["anything", 1]),
    ],
)
def test_sound_arguments_pass(change: Break) -> None:
    machine = copy.deepcopy(MACHINE)
    change(machine)
    assert lint(json.dumps(machine), "sound.asl.json") == []


def test_broken_json_is_refused() -> None:
    assert "not JSON" in lint("{", "broken.asl.json")[0].message


def test_a_second_state_of_one_name_is_refused() -> None:
    text = json.dumps(MACHINE).replace('"Stop": {', '"Stop": {"Type": "Succeed"}, "Stop": {')
    assert "names used twice: ['Stop']" in lint(text, "broken.asl.json")[0].message


def test_the_order_workflow_must_keep_its_three_hours() -> None:
    findings = lint(json.dumps(MACHINE), "order.asl.json")
    assert [f.message for f in findings] == ["TimeoutSeconds is 60, but 10800 is promised"]


def test_the_command_names_file_and_state(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    machine = copy.deepcopy(MACHINE)
    machine["States"]["Ask"]["Next"] = "Nowhere"
    (tmp_path / "broken.asl.json").write_text(json.dumps(machine))
    assert lint_statemachines.main([str(tmp_path / "broken.asl.json")]) == 1
    assert "broken.asl.json: Ask: leads to 'Nowhere', which is no state here\n" in capsys.readouterr().err


def test_an_empty_folder_fails_the_check(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint_statemachines, "STATEMACHINES", tmp_path)
    assert lint_statemachines.main([]) == 1


def test_the_committed_state_machines_pass() -> None:
    assert lint_statemachines.main([]) == 0
