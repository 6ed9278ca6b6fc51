"""A stack of a branch beside the first: deployed by Enter at every question, used, and removed without a trace."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from contracts.cloudformation import transformed
from laptop import Stack, menus
from laptop.client import Client
from laptop.deployment import outputs
from laptop.environment import REGION, STATE_DIR, architecture, runtime, sam_environment
from laptop.people import People
from laptop.stack import reachable
from operations.deployed import Deployed, Resource
from worlds import ROOT
from worlds.terminal import Ended, with_enter_at_every_question

pytestmark = pytest.mark.laptop("own")

NAME = "tiffin-branch"
# What the emulator lacks, what this machine runs, and what makes a deletion harder.
GIVEN = {
    "Runtime": runtime(),
    "Architecture": architecture(),
    "FullObservability": "false",
    "DeletionProtection": "ACTIVE",
}
# Named within an API or a user pool; and what there is one of in an account.
NAMED_WITHIN = {
    *("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage", "AWS::ApiGateway::Account"),
    "AWS::Cognito::UserPoolGroup",
}
KEPT = ("OrdersTableName", "DeliveriesTableName", "PaymentsTableName", "PromotionsTableName", "PromoCodesTableName")


class Branch:
    """The second stack."""

    def __init__(self, first: Stack, ended: Ended) -> None:
        self.first, self.ended, self.client = first, ended, first.client
        self.outputs = {key: reachable(value, first.endpoint) for key, value in outputs(first.access, NAME).items()}
        self.resources = list(Deployed(first.client, self.outputs, NAME).resources())
        self.people = People(first.access, self.outputs)


@pytest.fixture(scope="module")
def guided(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """`sam deploy --guided` in a terminal, with the repository's own configuration, answered by Enter alone."""
    configuration = tmp_path_factory.mktemp("guided") / "samconfig.toml"
    shutil.copy(ROOT / "samconfig.toml", configuration)
    environment = sam_environment(stack.access) | {"TERM": "dumb"}
    built = STATE_DIR / "sam" / "tiffin" / "build" / "template.yaml"
    asked = [
        "-m", "samcli", "deploy", "--guided", "--stack-name", NAME, "--template-file", str(built),
        "--config-file", str(configuration),
        "--parameter-overrides", *(f"{key}={value}" for key, value in GIVEN.items()),
    ]  # fmt: skip
    return with_enter_at_every_question(asked, environment, ROOT)


@pytest.fixture(scope="module")
def branch(stack: Stack, guided: Ended) -> Iterator[Branch]:
    assert guided.status == 0, guided.text[-2000:]
    made = Branch(stack, guided)
    yield made
    made.people.close()


def undeploy(stack: Stack, *options: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """`make undeploy` as on AWS: by region and credentials, here with the laptop's endpoint."""
    return subprocess.run(
        [sys.executable, "scripts/undeploy.py", "--stack", NAME, "--region", REGION, *options],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **stack.access.variables()},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def everything(stack: Stack) -> dict[str, list[str]]:
    """The names of all that there is on the emulator, by what it is."""

    def listed(service: str, operation: str, key: str, name: str | None = None, **more: Any) -> list[str]:
        client = stack.client(service)
        pages = (
            client.get_paginator(operation).paginate(**more)
            if client.can_paginate(operation)
            else [getattr(client, operation)(**more)]
        )
        found = [one for page in pages for one in page.get(key, [])]
        return [str(one[name]) if name else str(one) for one in found]

    return {
        "stacks": listed("cloudformation", "describe_stacks", "Stacks", "StackName"),
        "tables": listed("dynamodb", "list_tables", "TableNames"),
        "pools": listed("cognito-idp", "list_user_pools", "UserPools", "Name", MaxResults=60),
        "buckets": listed("s3", "list_buckets", "Buckets", "Name"),
        "layers": listed("lambda", "list_layers", "Layers", "LayerName"),
        "functions": listed("lambda", "list_functions", "Functions", "FunctionName"),
        "log groups": listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "queues": listed("sqs", "list_queues", "QueueUrls"),
        "roles": listed("iam", "list_roles", "Roles", "RoleName"),
        "buses": listed("events", "list_event_buses", "EventBuses", "Name"),
        "workflows": listed("stepfunctions", "list_state_machines", "stateMachines", "name"),
        "alarms": listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "topics": listed("sns", "list_topics", "Topics", "TopicArn"),
        "schedules": listed("scheduler", "list_schedules", "Schedules", "Name"),
    }


def of_the_branch(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {kind: mine for kind, names in found.items() if (mine := [name for name in names if NAME in name])}


def test_enter_at_every_question_deploys(branch: Branch) -> None:
    asked = [re.sub(r"^Parameter | \[.*", "", question) for question in branch.ended.questions]
    parameters = transformed()["template.yaml"]["Parameters"]
    assert asked == [
        "Stack Name", "AWS Region", *parameters, "Confirm changes before deploy", "Allow SAM CLI IAM role creation",
        "Disable rollback", "Save arguments to configuration file", "SAM configuration file",
        "SAM configuration environment",
    ]  # fmt: skip
    (made,) = branch.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"


def test_two_stacks_share_nothing(stack: Stack, branch: Branch) -> None:
    def names(resources: list[Resource]) -> set[str]:
        return {one.name for one in resources if one.kind not in NAMED_WITHIN}

    first = list(Deployed(stack.client, stack.outputs).resources())
    assert len(names(branch.resources)) > 100
    assert names(first) & names(branch.resources) == set()


def test_an_order_of_the_branch_is_known_there_alone(stack: Stack, branch: Branch) -> None:
    menus.seed(branch)
    with closing(Client(branch.outputs, branch.people)) as client:
        order = client.place()
        client.until(order["order_id"], "AWAITING_RESTAURANT")
    key = {"order_id": {"S": order["order_id"]}}
    rows = stack.client("dynamodb")
    assert "Item" in rows.get_item(TableName=branch.outputs["OrdersTableName"], Key=key)
    assert "Item" not in rows.get_item(TableName=stack.outputs["OrdersTableName"], Key=key)


@pytest.mark.parametrize("typed", ["", "tiffin\n", "yes\n"])
def test_nothing_is_deleted_unless_the_name_is_typed(stack: Stack, branch: Branch, typed: str) -> None:
    before = everything(stack)
    ended = undeploy(stack, typed=typed)
    assert ended.returncode == 1
    assert "Nothing was deleted." in ended.stdout
    assert everything(stack) == before


def test_what_is_left_behind_is_listed_first(stack: Stack, branch: Branch) -> None:
    ended = undeploy(stack, "--list")
    assert ended.returncode == 0, ended.stdout
    for output in KEPT:
        assert f"table {branch.outputs[output]}: about" in ended.stdout
    assert f"user pool {branch.outputs['UserPoolId']}: about" in ended.stdout
    assert "protected from deletion until then" in ended.stdout
    assert "layer version tiffin-branch-Orders" in ended.stdout
    assert "SAM's, of packages of all stacks" in ended.stdout
    assert "API Gateway logs by it" in ended.stdout


def test_undeployed_nothing_of_it_is_left_and_the_other_stack_is_whole(stack: Stack, branch: Branch) -> None:
    before = everything(stack)
    ended = undeploy(stack, typed=f"{NAME}\n")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for output in KEPT:
        assert f"table {branch.outputs[output]}: deleted" in ended.stdout
    for removed in (f"user pool {branch.outputs['UserPoolId']}", "layer version tiffin-branch-Orders"):
        assert re.search(rf"{removed}\S*: deleted", ended.stdout), removed
    left = of_the_branch(everything(stack))
    # API Gateway logs by it, for every stack of the account.
    assert [len(left.pop("roles")), left] == [1, {}]
    others = {kind: [name for name in names if NAME not in name] for kind, names in before.items()}
    after = everything(stack)
    assert {kind: [name for name in after[kind] if NAME not in name] for kind in after} == others

    again = undeploy(stack)
    assert again.returncode == 0
    assert "There is no stack tiffin-branch, and nothing that one of that name left." in again.stdout
