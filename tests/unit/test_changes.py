"""What a deployment changed: told by resource, parameter and property."""

import json
from typing import Any

from laptop.changes import Deployment


class CloudFormation:
    """A root stack with one nested stack, as CloudFormation tells of them."""

    def __init__(self, orders: dict[str, Any], parameters: dict[str, str], *, kitchens: bool = False) -> None:
        nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {}}
        self._templates = {"tiffin": {"Orders": nested, "Kitchens": nested}, "tiffin-Orders": orders}
        self._templates["tiffin-Kitchens"] = {"Table": {"Type": "AWS::DynamoDB::Table"}}
        self._there = {**{stack: list(held) for stack, held in self._templates.items()}}
        self._there["tiffin"] = ["Orders", "Kitchens"] if kitchens else ["Orders"]
        self._parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]

    def get_template(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"TemplateBody": json.dumps({"Resources": self._templates[StackName]})}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"Stacks": [{"StackName": StackName, "Parameters": self._parameters}]}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
        found = [
            {
                "LogicalResourceId": name,
                "PhysicalResourceId": f"tiffin-{name}",
                "ResourceType": self._templates[StackName][name]["Type"],
            }
            for name in self._there[StackName]
        ]
        # In pages, as it answers.
        return [{"StackResourceSummaries": [one]} for one in found]


def function(code: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Key": code}, **more}}


def test_what_is_new_gone_and_different_is_told_by_its_path() -> None:
    before = CloudFormation({"Api": function("a", MemorySize=256), "Old": function("o")}, {"Kitchens": "false"})
    after = CloudFormation(
        {"Api": function("b", MemorySize=512), "New": function("n")}, {"Kitchens": "true"}, kitchens=True
    )
    assert Deployment(after).since(Deployment(before)) == [
        "parameter Kitchens: true (was false)",
        "Kitchens/Table: new",
        "Orders/Api: Code, MemorySize",
        "Orders/New: new",
        "Orders/Old: removed",
    ]


def test_the_same_again_changes_nothing() -> None:
    held = {"Api": function("a")}
    assert Deployment(CloudFormation(held, {})).since(Deployment(CloudFormation(held, {}))) == []


def test_what_changes_beside_a_definitions_properties_is_told_too() -> None:
    before = CloudFormation({"Api": function("a")}, {})
    after = CloudFormation({"Api": {**function("a"), "DependsOn": "Role"}}, {})
    assert Deployment(after).since(Deployment(before)) == ["Orders/Api: definition"]
