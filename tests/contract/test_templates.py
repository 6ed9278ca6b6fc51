"""What holds for all templates, once SAM has made of them what CloudFormation sees."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from cfnlint.template.transforms._sam import Transform
from notifications.consumer import AT_ONCE
from worlds import ROOT
from worlds.templates import resources

TEMPLATES = [ROOT / "template.yaml", *sorted(ROOT.glob("services/*/template.yaml"))]
EXAMPLES = sorted(ROOT.glob("examples/*/template.yaml"))
# Named within something else, one of many of that name, or for people only.
MAY_REPEAT = {"StageName", "MetricName", "DisplayName", "PolicyName", "GroupName"}


@pytest.fixture(params=[*TEMPLATES, *EXAMPLES], ids=lambda path: str(path.parent.name))
def properties(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The properties of each resource, by its logical id."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    template: Path = request.param
    transform = Transform(str(template), load(str(template)), "eu-central-1")
    assert transform.transform_template() == []
    return {name: resource.get("Properties", {}) for name, resource in transform.template()["Resources"].items()}


def allowed(node: Any) -> Iterator[dict[str, Any]]:
    """Every policy statement that allows something."""
    if isinstance(node, dict) and node.get("Effect") == "Allow":
        yield node
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from allowed(inner)


def test_two_stacks_can_stand_in_one_account(properties: dict[str, Any]) -> None:
    """Names are made by CloudFormation, or of a parameter or the stack's own name."""
    names = [(at, key, value) for at, own in properties.items() for key, value in own.items() if key.endswith("Name")]
    within_a_function = ("Name", "live")
    assert [
        (at, *name)
        for at, *name in names
        if isinstance(name[1], str) and name[0] not in MAY_REPEAT and tuple(name) != within_a_function
    ] == []


def test_whoever_announces_announces_its_own_events_only(properties: dict[str, Any]) -> None:
    """An absent key satisfies `ForAllValues` (IAM user guide, "Set operators"), so `Null` says that both are there."""
    for statement in (s for s in allowed(properties) if "events:PutEvents" in str(s["Action"])):
        condition = statement["Condition"]
        [source, *names] = condition["ForAllValues:StringEquals"]
        assert source == "events:source"
        assert [*names, *condition.get("ForAllValues:StringLike", {})] == ["events:detail-type"]
        assert condition["Null"] == {"events:source": "false", "events:detail-type": "false"}


def test_a_request_is_let_through_at_a_pace_that_the_deployer_chose(properties: dict[str, Any]) -> None:
    for stage in (own for own in properties.values() if "StageName" in own):
        if "DefaultRouteSettings" in stage:  # of a WebSocket API, which has routes and no methods
            stage = {"MethodSettings": [stage["DefaultRouteSettings"]]}
        [setting, *more] = stage["MethodSettings"]
        assert setting["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
        assert setting["ThrottlingBurstLimit"] == {"Ref": "RequestsBurst"}
        for own in more:
            assert (own["ResourcePath"], own["HttpMethod"]) == ("/~1orders", "POST")
            assert own["ThrottlingRateLimit"] == {"Ref": "OrdersPerSecond"}
            assert own["ThrottlingBurstLimit"] == {"Ref": "OrdersBurst"}
        # By method: nobody reads them, and each is paid for.
        assert not [each for each in stage["MethodSettings"] if "MetricsEnabled" in each]


def test_a_sweep_that_failed_is_left_to_the_next_one(properties: dict[str, Any]) -> None:
    if "ReconcilerFunction" in properties:
        [patience] = [
            own
            for own in properties.values()
            if "MaximumEventAgeInSeconds" in own and own.get("FunctionName") == {"Ref": "ReconcilerFunction"}
        ]
        assert (patience["MaximumRetryAttempts"], patience["MaximumEventAgeInSeconds"]) == (0, 60)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.parent.name))
def test_logs_are_kept_for_as_long_as_cloudwatch_knows_how_to(template: Path) -> None:
    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", "AWS::Logs::LogGroup").schema
    known = schema["properties"]["RetentionInDays"]["enum"]
    read = load(str(template))
    if any(own["Type"] == "AWS::Logs::LogGroup" for own in read["Resources"].values()):
        asked = read["Parameters"]["LogRetentionDays"]
        assert (asked["AllowedValues"], asked["Default"] in known) == (known, True)


@pytest.mark.parametrize("template", TEMPLATES[1:], ids=lambda path: str(path.parent.name))
def test_a_service_that_is_deployed_alone_is_a_stack_of_its_own(template: Path) -> None:
    stacks = [
        tomllib.loads((folder / "samconfig.toml").read_text())["default"]["global"]["parameters"]["stack_name"]
        for folder in (ROOT, template.parent)
    ]
    assert stacks == ["tiffin", f"tiffin-{template.parent.name}"]


def test_the_tables_that_outlive_their_stack_are_those_that_the_docs_name() -> None:
    kept = {
        name
        for template in TEMPLATES[1:]
        for name, own in resources(template.parent.name).items()
        if own["Type"] == "AWS::DynamoDB::Table" and own.get("DeletionPolicy", "Delete") != "Delete"
    }
    for template in TEMPLATES[1:]:
        for name in kept & resources(template.parent.name).keys():
            own = resources(template.parent.name)[name]
            assert (own["DeletionPolicy"], own["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    told = (ROOT / "docs/deploying.md").read_text()
    assert set(re.findall(r"`(\w+Table)`", told)) == kept


@pytest.mark.parametrize("text", [*TEMPLATES, *sorted(ROOT.glob("statemachines/*.json"))], ids=lambda path: path.name)
def test_no_partition_is_written_out(text: Path) -> None:
    assert "arn:aws:" not in text.read_text()


def test_the_slowest_batch_of_mails_is_sent_within_its_functions_time() -> None:
    own = resources("notifications")
    mapping = own["NotificationsMapping"]["Properties"]
    slowest = (
        AT_ONCE / load(str(ROOT / "services/notifications/template.yaml"))["Parameters"]["MailsPerSecond"]["MinValue"]
    )
    per_mail = 4 + slowest  # the client's patience, then the pace
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == AT_ONCE
    assert mapping["BatchSize"] * per_mail < own["ConsumerFunction"]["Properties"]["Timeout"]
