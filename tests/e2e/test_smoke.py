"""`make smoke`, as a deployment pipeline calls it: by the stack's endpoint, as on AWS."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import smoke
from laptop import Stack
from laptop.environment import HOST, REGION
from laptop.pace import patience
from operations import scenarios
from worlds import ROOT
from worlds.stack import row
from worlds.written import found, tables

pytestmark = pytest.mark.laptop("all")

COMMAND = ["--region", REGION, "--stack", "tiffin"]
STEPS = ["people", "menu", "delivered", "declined", "cancelled", "code", "removed"]


@pytest.fixture
def by_its_endpoint(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an account's credentials would be."""
    for name, value in {**stack.access.variables(), "NO_PROXY": HOST}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def what_a_visit_makes(stack: Stack) -> dict[str, Any]:
    """The names of accounts, app clients, restaurants and files of menus."""
    pool, where = stack.client("cognito-idp"), {"UserPoolId": stack.outputs["UserPoolId"]}
    users = pool.get_paginator("list_users").paginate(**where)
    clients = pool.get_paginator("list_user_pool_clients").paginate(**where)
    versions = stack.client("s3").list_object_versions(Bucket=stack.outputs["MenusBucketName"])
    restaurants = stack.client("dynamodb").scan(TableName=stack.outputs["MenusTableName"])["Items"]
    return {
        "users": {user["Username"] for page in users for user in page["Users"]},
        "clients": {client["ClientName"] for page in clients for client in page["UserPoolClients"]},
        "restaurants": {each["restaurant_id"]["S"] for each in restaurants},
        "files": {each["Key"] for each in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]},
    }


@contextmanager
def all_as_before(stack: Stack) -> Iterator[None]:
    """What a visit makes is gone again."""
    before = what_a_visit_makes(stack)
    yield
    assert what_a_visit_makes(stack) == before


@pytest.mark.usefixtures("by_its_endpoint")
def test_a_stack_that_is_well_is_said_to_be_and_is_as_before(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    with all_as_before(stack):
        assert smoke.main(COMMAND) == 0
    said = capsys.readouterr().out
    assert re.findall(r"^✓ (\w+)", said, re.MULTILINE) == STEPS
    name = said.partition(":")[0]
    orders = re.findall(r"ord_\w+", said)
    ends = [row(stack, order_id)["status"]["S"] for order_id in orders]
    assert ends == ["DELIVERED", "DECLINED", "CANCELLED", "CANCELLED"]
    # Nothing that leads to a person stays.
    ours = [text for text in tables(stack) if any(order_id in text for order_id in orders)]
    assert len(ours) >= 4
    assert found(ours, f"{name}-", "Ada Lovelace", "12 St James") == []


@pytest.mark.usefixtures("by_its_endpoint")
def test_a_step_that_fails_names_its_order_and_everything_is_removed_all_the_same(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        scenarios, "DECLINED", "pm_card_visa"
    )  # which the provider takes: so the stack is not as it must be
    monkeypatch.setattr(scenarios, "_SECONDS", 5.0)
    with all_as_before(stack):
        assert smoke.main(COMMAND) == 1
    said = capsys.readouterr().out
    failed = re.search(r"^✗ declined: (ord_\w+) is AWAITING_RESTAURANT", said, re.MULTILINE)
    assert failed, said
    assert f"make trace ORDER={failed[1]} STACK=tiffin REGION={REGION}" in said
    # Nobody waits for it.
    assert row(stack, failed[1])["status"]["S"] == "CANCELLED"


def actions_of_the_page() -> list[str]:
    """What the page says that a pipeline must be allowed; of one service, its name is said once in a row."""
    page = (ROOT / "docs" / "after-a-deployment.md").read_text("utf-8")
    [table] = re.findall(r"^\| action \|.*\n\|---.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    actions = []
    for row_of in table.splitlines():
        first, *more = re.findall(r"`([\w:-]+)`", row_of.split("|")[1])
        service = first.partition(":")[0]
        actions += [first, *(f"{service}:{name.rpartition(':')[2]}" for name in more)]
    return actions


@pytest.mark.usefixtures("by_its_endpoint")
def test_a_role_that_may_do_what_the_page_says_and_no_more_is_enough(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    iam, role = stack.client("iam"), {"RoleName": "pipeline"}
    actions = actions_of_the_page()
    assert len(actions) > 20
    trusts = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    allows = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = {"Version": "2012-10-17"}
    arn = iam.create_role(**role, AssumeRolePolicyDocument=json.dumps({**document, "Statement": [trusts]}))["Role"][
        "Arn"
    ]
    try:
        policy = json.dumps({**document, "Statement": [allows]})
        iam.put_role_policy(**role, PolicyName="smoke", PolicyDocument=policy)
        session = stack.client("sts").assume_role(RoleArn=arn, RoleSessionName="pipeline")["Credentials"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", session["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"])
        monkeypatch.setenv("AWS_SESSION_TOKEN", session["SessionToken"])
        assert smoke.main(COMMAND) == 0, capsys.readouterr().out
    finally:
        iam.delete_role_policy(**role, PolicyName="smoke")
        iam.delete_role(**role)


def test_a_pipeline_that_is_ended_leaves_nothing_behind(stack: Stack) -> None:
    environment = {**os.environ, **stack.access.variables(), "NO_PROXY": HOST, "PYTHONUNBUFFERED": "1"}
    environment.pop("AWS_PROFILE", None)
    command = [sys.executable, str(ROOT / "scripts" / "smoke.py"), *COMMAND]
    with all_as_before(stack):
        running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert running.stdout
        for line in running.stdout:
            if "menu" in line:
                running.send_signal(signal.SIGTERM)
                break
        said = running.stdout.read()
        assert running.wait(patience(60)) == 1
        running.stdout.close()
    assert "interrupted" in said
