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
from laptop.without import NOBODY
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from worlds import ROOT
from worlds.templates import EVERYTHING

SERVICES = sorted(path for path in transformed() if path != cloudformation.ROOT_TEMPLATE)
# Who only reads of a workflow names it whole: an execution is of whatever version it was. It starts none.
READS = {"services/support/template.yaml: ApiFunction"}
# Lambda API reference, "PublishVersion".
LONGEST = 256
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
        # A service's log group is called by its stack, and its table comes anew with that.
        with_tables = {one.replace("TableName", "LogGroupName") for one in described if one.endswith("TableName")}
        assert described == used - (with_tables - described), name
        assert versions[name]["DeletionPolicy"] == "Delete"


def description(template: dict[str, Any], **parameters: str) -> str:
    """What a service's one function is described by, deployed by itself with these parameters."""
    [stack] = deploy({cloudformation.ROOT_TEMPLATE: template}, "tiffin", parameters)
    [described] = [own["Description"] for _, _, kind, own in stack.resources() if kind == "AWS::Lambda::Version"]
    return str(described)


def named(stacks_id: str, tables_id: str) -> dict[str, str]:
    """Others' names as CloudFormation makes them, of one stack."""
    return {
        **{f"{one}TableName": f"tiffin-{one}-{stacks_id}-{one}Table-{tables_id}" for one in HAVE_TABLES},
        **{f"{one}LogGroupName": f"/aws/lambda/tiffin-{one}-{stacks_id}" for one in (*HAVE_TABLES, "Notifications")},
        **{
            f"{one}WorkflowArn": f"arn:aws:states:eu-central-1:123456789012:stateMachine:{one}Workflow-{tables_id}"
            for one in ("Order", "Unwind")
        },
        "UserPoolArn": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a",
    }


HAVE_TABLES = ("Orders", "Payments", "Promotions")


# A log group is called by its stack: that of a service with a table comes anew with that table.
@pytest.mark.parametrize("which", [name for name in named("", "") if "Table" in name] + ["NotificationsLogGroupName"])
def test_a_service_that_comes_back_is_a_new_version_of_who_reads_of_it(which: str) -> None:
    support = transformed()["services/support/template.yaml"]
    before, after = named("1ABCDEFGHIJKL", "1ABCDEFGHIJKL"), named("1ABCDEFGHIJKL", "ZYXWVUTSRQPON")
    if which == "NotificationsLogGroupName":
        after = named("ZYXWVUTSRQPON", "1ABCDEFGHIJKL")
    described = {description(support, **{**before, which: name}) for name in (before[which], after[which], NOBODY)}
    assert len(described) == 3
    # A name that somebody chose has no part that CloudFormation made up.
    assert description(support, **{**before, which: "chosen"}) in described


@pytest.mark.parametrize("which", ["OrderWorkflowArn", "UnwindWorkflowArn"])
def test_another_workflow_is_a_new_version_of_who_reads_of_it(which: str) -> None:
    support = transformed()["services/support/template.yaml"]
    before, after = named("1ABCDEFGHIJKL", "1ABCDEFGHIJKL"), named("1ABCDEFGHIJKL", "ZYXWVUTSRQPON")
    assert description(support, **before) != description(support, **{**before, which: after[which]})


def test_a_description_is_as_long_as_lambda_takes_it() -> None:
    longest = {"MetricsNamespace": f"Tiffin/{'s' * 40}", "ConsoleOrigin": f"https://console.{'d' * 40}.example"}
    described = description(
        transformed()["services/support/template.yaml"], **named("1ABCDEFGHIJKL", "1ABCDEFGHIJKL"), **longest,
        BasePath="food/support", LogRetentionDays="1827",
    )  # fmt: skip
    assert "dddd" in described
    assert len(described) <= LONGEST


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
