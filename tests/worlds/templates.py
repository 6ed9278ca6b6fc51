"""The services' templates, and tables made from them."""

from functools import cache
from typing import TYPE_CHECKING, Any

from cfnlint.decode.cfn_yaml import load  # the short forms (!Ref, !Sub) need a reader that knows them
from contracts.cloudformation import deploy, transformed
from tiffin import clients

from worlds import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.service_resource import Table


EVERYTHING = {"Kitchens": "true", "Estimates": "true", "Console": "true"}
"""Parameters of the root template by which all services are made that are there where they are asked for."""


@cache
def resources(service: str) -> dict[str, Any]:
    """The resources of a service's template, intrinsic functions unresolved."""
    return dict(load(str(ROOT / "services" / service / "template.yaml"))["Resources"])


@cache
def applications() -> dict[str, str]:
    """The services by the logical ids of their nested applications in the root template, such as `Orders`."""
    return {
        logical_id: resource["Properties"]["Location"].split("/")[1]
        for logical_id, resource in load(str(ROOT / "template.yaml"))["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Application"
    }


@cache
def deployed() -> dict[str, dict[str, Any]]:
    """The resources of each service as they are made where all is asked for, by the service."""
    return {
        applications()[stack.path[0]]: stack.resolved["Resources"]
        for stack in deploy(transformed(), "tiffin", EVERYTHING)
        if stack.path
    }


def functions() -> list[tuple[str, str]]:
    """Every function of every service: nested application and logical id, such as `("Orders", "ApiFunction")`."""
    return [
        (application, logical_id)
        for application, service in applications().items()
        for logical_id, resource in resources(service).items()
        if resource["Type"] == "AWS::Serverless::Function"
    ]


def dynamodb() -> "DynamoDBClient":
    """A client of DynamoDB: to be used inside `mock_aws`."""
    made: DynamoDBClient = clients.client("dynamodb")
    return made


def table(name: str) -> "Table":
    """A table that there is in DynamoDB."""
    return clients.table(name)


def create_table(service: str, logical_id: str) -> "Table":
    """Make a table of a service's template in DynamoDB, named by its logical id."""
    wanted = deployed()[service][logical_id]["Properties"]
    plain = {
        key: wanted[key]
        for key in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        if key in wanted
    }
    dynamodb().create_table(TableName=logical_id, **plain)
    return table(logical_id)
