"""A stack that is updated keeps what did not change, and what is in it: also what lies in nested stacks."""

import json
from typing import Any

import httpx
import pytest
from laptop.pace import patience
from worlds.emulator import World, unique

KEY = [{"AttributeName": "id", "KeyType": "HASH"}]
ATTRIBUTES = [{"AttributeName": "id", "AttributeType": "S"}]


def child(protected: bool, said: str) -> dict[str, Any]:
    """A bucket; a table after it, as the order of dependencies is; a queue that only an output names; an API."""
    return {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Queue": {"Type": "AWS::SQS::Queue", "DependsOn": "Bucket"},
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "DependsOn": "Bucket",
                "Properties": {
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": ATTRIBUTES,
                    "KeySchema": KEY,
                    "DeletionProtectionEnabled": protected,
                },
            },
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": document(said)}},
            f"Deployment{said}": {
                "Type": "AWS::ApiGateway::Deployment",
                "Properties": {"RestApiId": {"Ref": "Api"}},
            },
            "Stage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {
                    "RestApiId": {"Ref": "Api"},
                    "DeploymentId": {"Ref": f"Deployment{said}"},
                    "StageName": "v1",
                },
            },
        },
        "Outputs": {
            "Bucket": {"Value": {"Ref": "Bucket"}},
            "Queue": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}},
            "Table": {"Value": {"Ref": "Table"}},
            "Api": {"Value": {"Ref": "Api"}},
        },
    }


def document(said: str) -> dict[str, Any]:
    """An OpenAPI document whose one route answers by itself."""
    answer = {"statusCode": "200", "responseTemplates": {"application/json": json.dumps({"said": said})}}
    return {
        "openapi": "3.0.1",
        "info": {"title": "said", "version": "1"},
        "paths": {
            "/said": {
                "get": {
                    "responses": {"200": {"description": "what was said"}},
                    "x-amazon-apigateway-integration": {
                        "type": "mock",
                        "requestTemplates": {"application/json": '{"statusCode": 200}'},
                        "responses": {"default": answer},
                    },
                }
            }
        },
    }


class Nested:
    """A stack with one nested stack."""

    def __init__(self, world: World) -> None:
        self._world, self._name, self._bucket = world, unique("stack"), unique("templates")
        self._stacks = world.client("cloudformation")
        world.client("s3").create_bucket(
            Bucket=self._bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )

    def deploy(self, template: dict[str, Any]) -> dict[str, str]:
        """Create the stack, or update it; the nested stack's outputs."""
        key = f"{unique('child')}.json"
        self._world.client("s3").put_object(Bucket=self._bucket, Key=key, Body=json.dumps(template))
        root = {
            "Resources": {
                "Child": {
                    "Type": "AWS::CloudFormation::Stack",
                    "Properties": {"TemplateURL": f"{self._world.endpoint}/{self._bucket}/{key}"},
                }
            },
            "Outputs": {name: {"Value": {"Fn::GetAtt": ["Child", f"Outputs.{name}"]}} for name in template["Outputs"]},
        }
        names = [stack["StackName"] for stack in self._stacks.list_stacks()["StackSummaries"]]
        act = self._stacks.update_stack if self._name in names else self._stacks.create_stack
        act(StackName=self._name, TemplateBody=json.dumps(root))
        stack = self._world.settled(self._name)
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), stack.get("StackStatusReason")
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


@pytest.fixture
def nested(world: World) -> Nested:
    return Nested(world)


def test_a_table_that_changes_keeps_its_name_and_its_rows(world: World, nested: Nested) -> None:
    before = nested.deploy(child(protected=False, said="once"))
    rows = world.client("dynamodb")
    rows.put_item(TableName=before["Table"], Item={"id": {"S": "one"}})

    after = nested.deploy(child(protected=True, said="once"))

    assert after == before
    assert rows.scan(TableName=after["Table"])["Count"] == 1
    assert rows.describe_table(TableName=after["Table"])["Table"]["DeletionProtectionEnabled"]


def test_an_api_whose_document_changes_keeps_its_address(world: World, nested: Nested) -> None:
    def said(api: str) -> Any:
        return httpx.get(f"{world.endpoint}/_aws/execute-api/{api}/v1/said", timeout=patience(10)).json()

    before = nested.deploy(child(protected=False, said="once"))
    assert said(before["Api"]) == {"said": "once"}

    after = nested.deploy(child(protected=False, said="again"))

    assert after == before
    assert said(after["Api"]) == {"said": "again"}
