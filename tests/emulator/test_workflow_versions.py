"""A workflow's versions and the alias that points to one: made by CloudFormation, started by the alias, pruned."""

import json
from typing import Any

import prune
import pytest
from botocore.exceptions import ClientError
from operations import versions
from operations.deployed import Deployed
from worlds.emulator import World, unique
from worlds.polling import eventually

TYPE = "AWS::StepFunctions::StateMachine"


def template(answer: str, role: str) -> dict[str, Any]:
    """A workflow that answers something, with its version and its alias, as SAM writes them."""
    definition = {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": answer, "End": True}}}
    return {
        "Resources": {
            "Flow": {"Type": TYPE, "Properties": {"RoleArn": role, "DefinitionString": json.dumps(definition)}},
            "FlowVersion": {
                "Type": f"{TYPE}Version",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "StateMachineArn": {"Fn::GetAtt": ["Flow", "Arn"]},
                    "StateMachineRevisionId": {"Fn::GetAtt": ["Flow", "StateMachineRevisionId"]},
                },
            },
            "FlowAliaslive": {
                "Type": f"{TYPE}Alias",
                "Properties": {
                    "Name": "live",
                    "DeploymentPreference": {
                        "Type": "ALL_AT_ONCE",
                        "StateMachineVersionArn": {"Fn::GetAtt": ["FlowVersion", "Arn"]},
                    },
                },
            },
        },
        "Outputs": {"Alias": {"Value": {"Ref": "FlowAliaslive"}}},
    }


class Flow:
    """A stack with one workflow."""

    def __init__(self, world: World) -> None:
        self.name = unique("flow")
        self._world, self._stacks = world, world.client("cloudformation")
        self.alias = ""

    def deploy(self, answer: str) -> None:
        act = self._stacks.update_stack if self.alias else self._stacks.create_stack
        act(StackName=self.name, TemplateBody=json.dumps(template(answer, self._world.admin)))
        stack = self._world.settled(self.name)
        assert stack["StackStatus"].endswith("_COMPLETE"), stack.get("StackStatusReason")
        self.alias = stack["Outputs"][0]["OutputValue"]

    def pointed_at(self) -> str:
        described = self._world.states.describe_state_machine_alias(stateMachineAliasArn=self.alias)
        [route] = described["routingConfiguration"]
        return str(route["stateMachineVersionArn"])


@pytest.fixture
def flow(world: World) -> Flow:
    return Flow(world)


def test_an_update_publishes_a_version_and_the_alias_points_to_it(world: World, flow: Flow) -> None:
    flow.deploy("first")
    first = flow.pointed_at()
    flow.deploy("second")
    assert (first.rpartition(":")[2], flow.pointed_at().rpartition(":")[2]) == ("1", "2")

    arn = world.states.start_execution(stateMachineArn=flow.alias, name="one")["executionArn"]

    # An execution's ARN has no version in it: it is found by whoever knows the workflow and its name.
    assert arn == f"{flow.alias.rpartition(':')[0].replace(':stateMachine:', ':execution:')}:one"
    ended = eventually(
        lambda: (found := world.states.describe_execution(executionArn=arn))["status"] == "SUCCEEDED" and found
    )
    assert json.loads(ended["output"]) == "second"
    assert (ended["stateMachineAliasArn"], ended["stateMachineVersionArn"]) == (flow.alias, flow.pointed_at())


def test_who_may_start_the_workflow_may_start_its_alias(world: World, flow: Flow) -> None:
    flow.deploy("first")
    machine = flow.alias.rpartition(":")[0]
    source = """
        import boto3
        def handler(event, context):
            return boto3.client("stepfunctions").start_execution(stateMachineArn=event)["executionArn"]
    """
    allowed = world.role([{"Effect": "Allow", "Action": "states:StartExecution", "Resource": machine}])
    elsewhere = world.role([{"Effect": "Allow", "Action": "states:StartExecution", "Resource": f"{machine}-other"}])

    def answer(role: str) -> Any:
        called = world.functions.invoke(
            FunctionName=world.function(source, role=role), Payload=json.dumps(flow.alias).encode()
        )
        return json.load(called["Payload"])

    assert ":execution:" in answer(allowed)
    assert "AccessDenied" in answer(elsewhere)["errorMessage"]


def test_versions_that_no_alias_points_to_are_pruned_but_for_the_newest(world: World, flow: Flow) -> None:
    for number in range(4):
        flow.deploy(f"answer {number}")
    stack = Deployed(world.client, {}, flow.name)

    spare = list(versions.spare(stack, kept=2))
    assert [(version.workflow, version.number) for version in spare] == [("Flow", 2), ("Flow", 1)]
    versions.prune(stack, spare)

    assert list(versions.spare(stack, kept=2)) == []
    # The one in force is never spare, however few are kept.
    assert [version.number for version in versions.spare(stack, kept=0)] == [3]
    with pytest.raises(ClientError, match="ConflictException"):
        world.states.delete_state_machine_version(stateMachineVersionArn=flow.pointed_at())


def test_the_command_lists_first_and_deletes_when_it_is_told_to(
    world: World, flow: Flow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        flow.deploy(f"answer {number}")
    monkeypatch.setattr("prune.deployed.reach", lambda _: Deployed(world.client, {}, flow.name))

    assert prune.main(["--keep", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["Flow, version 2", "Flow, version 1"]
    assert prune.main(["--keep", "1", "--delete"]) == 0
    assert capsys.readouterr().out == "Flow, version 2: deleted\nFlow, version 1: deleted\n"
    assert prune.main(["--keep", "1"]) == 0
    assert "1 newest versions at most" in capsys.readouterr().out
