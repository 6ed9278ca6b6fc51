"""A workflow whose definition is none is not made, nor changed to it, by whichever way it comes."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from worlds.emulator import SUCCEED, World, unique

SOUND: dict[str, Any] = {"StartAt": "A", "States": {"A": SUCCEED}}
UNSOUND = {
    "no JSON": ('{"StartAt": "A",}', "INVALID_JSON_DESCRIPTION: "),
    "no states": ('{"StartAt": "A"}', "SCHEMA_VALIDATION_FAILED: The field 'States' is required"),
    "no start": (json.dumps(SOUND | {"StartAt": "B"}), "Missing 'StartAt' target: B at /StartAt"),
    "no next state": (
        json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}),
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A",
    ),
    "nowhere to go on from an error": (
        json.dumps(
            {
                "StartAt": "A",
                "States": {"A": {"Type": "Task", "End": True, "Catch": [{"ErrorEquals": ["E"], "Next": "B"}]}},
            }
        ),
        "Missing 'Next' target: B at /States/A",
    ),
    "a branch that begins nowhere": (
        json.dumps(
            {"StartAt": "A", "States": {"A": {"Type": "Parallel", "Branches": [SOUND | {"StartAt": "B"}], "End": True}}}
        ),
        "Missing 'StartAt' target: B at /States/A/StartAt",
    ),
}


@pytest.mark.parametrize(("definition", "says"), UNSOUND.values(), ids=UNSOUND)
def test_the_api_refuses_it(world: World, definition: str, says: str) -> None:
    made = world.machine({"A": SUCCEED})
    with pytest.raises(ClientError, match="InvalidDefinition") as not_made:
        world.states.create_state_machine(name=unique("flow"), roleArn=world.admin, definition=definition)
    with pytest.raises(ClientError, match="InvalidDefinition") as not_changed:
        world.states.update_state_machine(stateMachineArn=made, definition=definition)
    for refused in (not_made, not_changed):
        assert says in refused.value.response["Error"]["Message"]


def test_cloudformation_refuses_it_and_leaves_what_was_there(world: World) -> None:
    stacks, name = world.client("cloudformation"), unique("flow")

    def template(definition: str) -> str:
        properties = {"RoleArn": world.admin, "DefinitionString": definition}
        resources = {"Flow": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}
        return json.dumps({"Resources": resources, "Outputs": {"Flow": {"Value": {"Ref": "Flow"}}}})

    stacks.create_stack(StackName=name, TemplateBody=template(json.dumps(SOUND)))
    flow = world.settled(name)["Outputs"][0]["OutputValue"]
    for definition, says in UNSOUND.values():
        stacks.update_stack(StackName=name, TemplateBody=template(definition))
        assert world.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert any(
            says in event.get("ResourceStatusReason", "")
            for event in stacks.describe_stack_events(StackName=name)["StackEvents"]
        )
        assert json.loads(world.states.describe_state_machine(stateMachineArn=flow)["definition"]) == SOUND
    other = unique("flow")
    stacks.create_stack(StackName=other, TemplateBody=template(UNSOUND["no JSON"][0]))
    assert world.settled(other)["StackStatus"] == "ROLLBACK_COMPLETE"
