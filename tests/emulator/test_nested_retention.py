"""A nested stack's retained tables outlive their root, but not a creation that failed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from worlds.emulator import World, unique

POLICIES = {"Kept": "Retain", "KeptOnceThere": "RetainExceptOnCreate", "Gone": "Delete"}


def table(name: str, policy: str) -> dict[str, Any]:
    properties = {
        "TableName": f"{name}-{policy}",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    return {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": policy, "Properties": properties}


class Nested:
    """A root with one nested stack of three tables."""

    def __init__(self, world: World, *, fails: bool = False) -> None:
        self._world, self.name = world, unique("nested")
        self.stacks, self.tables = world.client("cloudformation"), world.client("dynamodb")
        s3, bucket = world.client("s3"), unique("templates")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        child = {"Resources": {key: table(self.name, policy) for key, policy in POLICIES.items()}}
        s3.put_object(Bucket=bucket, Key="child.json", Body=json.dumps(child))
        root: dict[str, Any] = {
            "Resources": {
                "Child": {
                    "Type": "AWS::CloudFormation::Stack",
                    "Properties": {"TemplateURL": f"{world.endpoint}/{bucket}/child.json"},
                }
            }
        }
        if fails:
            lost = {"TemplateURL": f"{world.endpoint}/{bucket}/nothing.json"}
            odd = {"Type": "AWS::CloudFormation::Stack", "DependsOn": "Child", "Properties": lost}
            root["Resources"]["Odd"] = odd
        self.stacks.create_stack(StackName=self.name, TemplateBody=json.dumps(root))
        self.arn = self.stacks.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]

    def settled(self) -> str:
        """The stack's status once nothing is done to it any more."""
        return str(self._world.settled(self.arn)["StackStatus"])

    def there(self) -> set[str]:
        """The policies of the tables that are there."""
        names = self.tables.list_tables()["TableNames"]
        return {policy for policy in POLICIES.values() if f"{self.name}-{policy}" in names}


@pytest.fixture
def nested(world: World) -> Iterator[Nested]:
    yield Nested(world)


def test_what_is_retained_outlives_the_root(nested: Nested) -> None:
    assert (nested.settled(), nested.there()) == ("CREATE_COMPLETE", set(POLICIES.values()))

    nested.stacks.delete_stack(StackName=nested.name)

    assert (nested.settled(), nested.there()) == ("DELETE_COMPLETE", {"Retain", "RetainExceptOnCreate"})


def test_a_creation_that_fails_leaves_only_what_is_retained_always(world: World) -> None:
    nested = Nested(world, fails=True)

    assert (nested.settled(), nested.there()) == ("ROLLBACK_COMPLETE", {"Retain"})
