"""A parameter that decides whether a resource is there is a change by itself, as on CloudFormation."""

import json
from typing import Any

import pytest
from worlds.emulator import World, unique


class Optional:
    """A stack with a table, and one more if it is asked for; deployed by change sets, as SAM and the AWS CLI do."""

    def __init__(self, world: World) -> None:
        self._world, self._stacks, self.name = world, world.client("cloudformation"), unique("optional")

    def deploy(self, more: str, kind: str = "UPDATE") -> list[tuple[str, str]]:
        """Bring the stack to it; what the change set says that changes."""
        named = {"StackName": self.name, "ChangeSetName": unique("change")}
        self._stacks.create_change_set(
            **named,
            ChangeSetType=kind,
            TemplateBody=json.dumps(template(self.name)),
            Parameters=[{"ParameterKey": "More", "ParameterValue": more}],
        )
        described = self._stacks.describe_change_set(**named)
        changes = [change["ResourceChange"] for change in described["Changes"]]
        if changes:
            self._stacks.execute_change_set(**named)
            assert self._world.settled(self.name)["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        return sorted((change["Action"], change["LogicalResourceId"]) for change in changes)

    def tables(self) -> set[str]:
        """What is there."""
        names: list[str] = self._world.client("dynamodb").list_tables()["TableNames"]
        return {name.rpartition("-")[2] for name in names if name.startswith(self.name)}


def template(name: str) -> dict[str, Any]:
    def table(key: str) -> dict[str, Any]:
        properties = {
            "TableName": f"{name}-{key}",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        }
        return {"Type": "AWS::DynamoDB::Table", "Properties": properties}

    return {
        "Parameters": {"More": {"Type": "String", "Default": "false"}},
        "Conditions": {
            "WithMore": {"Fn::Equals": [{"Ref": "More"}, "true"]},
            "WithoutMore": {"Fn::Not": [{"Condition": "WithMore"}]},
        },
        "Resources": {
            "Always": table("always"),
            "More": {**table("more"), "Condition": "WithMore"},
            "Instead": {**table("instead"), "Condition": "WithoutMore"},
        },
    }


@pytest.fixture
def optional(world: World) -> Optional:
    return Optional(world)


def test_a_condition_that_changes_brings_and_takes_away_and_touches_nothing_else(optional: Optional) -> None:
    assert optional.deploy("false", "CREATE") == [("Add", "Always"), ("Add", "Instead")]
    assert optional.tables() == {"always", "instead"}

    assert optional.deploy("true") == [("Add", "More"), ("Remove", "Instead")]
    assert optional.tables() == {"always", "more"}

    assert optional.deploy("true") == []

    assert optional.deploy("false") == [("Add", "Instead"), ("Remove", "More")]
    assert optional.tables() == {"always", "instead"}
