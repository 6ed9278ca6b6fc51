"""Functions and workflows are versions behind an alias: who calls one calls the alias, and each change is a version."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from cfnlint.decode.cfn_yaml import load
from contracts import cloudformation
from contracts.cloudformation import REGION, Stack, deploy, transform, transformed
from contracts.permissions import listed, statements
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from worlds import ROOT
from worlds.templates import EVERYTHING

SERVICES = sorted(path for path in transformed() if path != cloudformation.ROOT_TEMPLATE)
# Who only reads of a workflow names it whole: an execution is of whatever version it was. It starts none.
READS = {"services/support/template.yaml: ApiFunction"}
# What CloudFormation called others' things: it stays while they do, as the names of a service's own. They are too long
# for a description, of which Lambda takes 256 characters.
NAMED_ELSEWHERE = re.compile(
    r"(Orders|Payments|Promotions|Notifications)(TableName|LogGroupName)|(Order|Unwind)WorkflowArn"
)
# What is counted beside versions: a change of it publishes none.
BESIDE = {"ReservedConcurrentExecutions", "Tags"}


def stacks() -> list[Stack]:
    return deploy(transformed(), "tiffin", EVERYTHING)


def arns(node: Any) -> Iterator[str]:
    """Every ARN in a resource."""
    if isinstance(node, str):
        yield from re.findall(r"arn:aws:(?:lambda|states):[^\s\"/]+", node)
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from arns(inner)


def test_whoever_calls_a_function_or_starts_a_workflow_does_so_by_its_alias() -> None:
    calls: dict[str, Callable[[Any], list[str]]] = {
        "AWS::Lambda::EventSourceMapping": lambda own: [own["FunctionName"]],
        "AWS::Lambda::Permission": lambda own: [own["FunctionName"]],
        "AWS::Events::Rule": lambda own: [target["Arn"] for target in own["Targets"]],
        "AWS::Scheduler::Schedule": lambda own: [own["Target"]["Arn"]],
        "AWS::ApiGateway::RestApi": lambda own: list(arns(own["Body"])),
        "AWS::Lambda::Function": lambda own: list(arns(own.get("Environment", {}))),
        "AWS::StepFunctions::StateMachine": lambda own: list(arns(own.get("DefinitionSubstitutions", {}))),
    }
    called = [
        (where, arn)
        for stack in stacks()
        for where, _, kind, own in stack.resources()
        for arn in (calls[kind](own) if kind in calls else [])
        if ":function:" in arn or ":stateMachine:" in arn or kind == "AWS::Lambda::EventSourceMapping"
    ]
    assert len(called) > 40
    assert [(where, arn) for where, arn in called if not arn.endswith(":live") and where not in READS] == []


def test_who_names_a_workflow_whole_starts_none() -> None:
    role = transformed()["services/support/template.yaml"]["Resources"]["ApiFunctionRole"]
    actions = {action for one in statements(role["Properties"]["Policies"]) for action in listed(one["Action"])}
    assert [action for action in actions if re.match(r"states:(?!Describe|Get|List)", action)] == []


@pytest.mark.parametrize("path", SERVICES)
def test_each_parameter_that_is_in_a_function_is_in_its_versions_description(path: str) -> None:
    """A change of the description replaces the version. SAM's hash has code and layers in it, no parameter's value."""
    template = transformed()[path]
    parameters, conditions = set(template.get("Parameters", {})), template.get("Conditions", {})

    def read(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(read, node))
        if not isinstance(node, dict):
            return set()
        found = set().union(*map(read, node.values()))
        if "Ref" in node:
            found.add(node["Ref"])
        if "Fn::Sub" in node:
            found.update(re.findall(r"\$\{(\w+)\}", json.dumps(node["Fn::Sub"])))
        for name in (node.get("Fn::If", [None])[0], node.get("Condition")):
            if isinstance(name, str) and name in conditions:
                found |= read(conditions[name])
        return found & parameters

    resources = template["Resources"]
    functions = {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"}
    versions = {
        one["Properties"]["FunctionName"]["Ref"]: one
        for one in resources.values()
        if one["Type"] == "AWS::Lambda::Version"
    }
    assert functions.keys() == versions.keys()
    for name, own in functions.items():
        described = read(versions[name]["Properties"]["Description"])
        used = read({key: value for key, value in own.items() if key not in BESIDE})
        elsewhere = set(filter(NAMED_ELSEWHERE.fullmatch, used)) if path == "services/support/template.yaml" else set()
        assert described == used - elsewhere, name
        assert versions[name]["DeletionPolicy"] == "Delete"


def version_of(template: dict[str, Any], function: str) -> str:
    """The logical id of a function's version; another one is another version."""
    name: str
    [name] = [
        name
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::Lambda::Version" and one["Properties"]["FunctionName"] == {"Ref": function}
    ]
    return name


@pytest.mark.parametrize(
    ("resource", "changed"),
    [("ApiFunction", {"CodeUri": "s3://uploaded/other"}), ("ApiFunction", {"Timeout": 14}),
     ("RuntimeLayer", {"ContentUri": "s3://uploaded/other"})],
)  # fmt: skip
def test_new_code_settings_or_libraries_are_a_new_version(resource: str, changed: dict[str, Any]) -> None:
    path = "services/orders/template.yaml"
    written = json.loads(json.dumps(load(str(ROOT / path))))
    written["Resources"][resource]["Properties"] |= changed
    assert version_of(transform(path, written), "ApiFunction") != version_of(transformed()[path], "ApiFunction")


@pytest.mark.parametrize("service", ["orders", "promotions"])
@pytest.mark.parametrize("shifts", ["true", "false"])
def test_an_api_shifts_gradually_where_that_is_asked_for(service: str, shifts: str) -> None:
    written = json.loads(json.dumps(load(str(ROOT / "services" / service / "template.yaml"))))
    for one in written["Resources"].values():
        if (uploaded := cloudformation._UPLOADED.get(one["Type"])) and uploaded in one["Properties"]:
            one["Properties"][uploaded] = "s3://uploaded/code"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    made = translator.translate(written, parameter_values={"ShiftGradually": shifts})["Resources"]
    groups = [one["Properties"] for one in made.values() if one["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
    alias = made["ApiFunctionAliaslive"]
    if shifts == "false":
        assert (groups, alias.get("UpdatePolicy")) == ([], None)
        return
    [group] = groups
    assert group["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": "NewVersionFails"}}]}
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]
    assert made["NewVersionFails"]["Condition"] == "ShiftsGradually"
