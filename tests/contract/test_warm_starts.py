"""SnapStart and provisioned concurrency: off unless asked for, on the alias that is called, one of the two at most."""

from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from contracts.cloudformation import deploy, transformed
from worlds import ROOT
from worlds.templates import EVERYTHING

WAITED_FOR = {"Orders/ApiFunction", "Promotions/ApiFunction", "Payments/PaymentsFunction"}
SERVICES = ("orders", "payments", "promotions")
TEMPLATES = ["template.yaml", *(f"services/{service}/template.yaml" for service in SERVICES)]


def properties(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """Resources of a type, by application and logical id, as a deployment makes them."""
    everything = EVERYTHING | parameters
    return {
        f"{stack.name.removeprefix('tiffin-').partition('-')[0]}/{logical_id}": own
        for stack in deploy(transformed(), "tiffin", everything)
        for _, logical_id, found, own in stack.resources()
        if found == kind
    }


def snapshots(**parameters: str) -> set[str]:
    functions = properties("AWS::Lambda::Function", **parameters)
    return {name for name, own in functions.items() if own.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"}


def kept_started(**parameters: str) -> dict[str, int]:
    aliases = properties("AWS::Lambda::Alias", **parameters)
    assert {own["Name"] for own in aliases.values()} == {"live"}
    return {
        name.removesuffix("Aliaslive"): int(own["ProvisionedConcurrencyConfig"]["ProvisionedConcurrentExecutions"])
        for name, own in aliases.items()
        if "ProvisionedConcurrencyConfig" in own
    }


def test_neither_is_on_unless_it_is_asked_for() -> None:
    assert snapshots() == set()
    assert kept_started() == {}


def test_the_functions_that_somebody_waits_for_start_from_a_snapshot_of_their_version() -> None:
    assert snapshots(SnapStart="true") == WAITED_FOR
    assert kept_started(SnapStart="true") == {}


def test_the_same_functions_are_kept_started_by_the_alias_that_is_called() -> None:
    assert kept_started(ProvisionedConcurrency="3") == dict.fromkeys(WAITED_FOR, 3)
    assert snapshots(ProvisionedConcurrency="3") == set()


def judged(condition: Any, parameters: dict[str, str]) -> bool:
    """A rule's condition (CloudFormation user guide, "Rule-specific intrinsic functions")."""
    [(function, given)] = condition.items()
    if function == "Fn::Not":
        return not judged(given[0], parameters)
    if function in {"Fn::And", "Fn::Or"}:
        return (all if function == "Fn::And" else any)(judged(each, parameters) for each in given)
    assert function == "Fn::Equals"
    one, other = (parameters[each["Ref"]] if isinstance(each, dict) else each for each in given)
    return str(one) == str(other)


def refused(path: str, **given: str) -> list[str]:
    template = load(str(ROOT / path))
    parameters = {name: str(about.get("Default", "")) for name, about in template["Parameters"].items()} | given
    return [
        str(one["AssertDescription"])
        for rule in template["Rules"].values()
        if judged(rule["RuleCondition"], parameters)
        for one in rule["Assertions"]
        if not judged(one["Assert"], parameters)
    ]


@pytest.mark.parametrize("path", TEMPLATES)
def test_both_together_and_a_runtime_without_snapshots_are_refused_before_anything_is_deployed(path: str) -> None:
    assert refused(path) == []
    assert refused(path, SnapStart="true") == []
    assert refused(path, ProvisionedConcurrency="2", Runtime="python3.11") == []
    [both] = refused(path, SnapStart="true", ProvisionedConcurrency="2")
    assert "ProvisionedConcurrency=0" in both
    [runtime] = refused(path, SnapStart="true", Runtime="python3.11")
    assert "python3.12" in runtime


def test_a_domain_of_the_console_goes_with_its_certificate_and_with_the_console() -> None:
    domain = {
        "ConsoleDomain": "food.example",
        "ConsoleCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
    }
    assert refused("template.yaml", Console="true", **domain) == []
    for missing in ({"Console": "false"}, {"ConsoleDomain": ""}, {"ConsoleCertificateArn": ""}):
        [said] = refused("template.yaml", **{"Console": "true", **domain, **missing})
        assert "Console=true" in said
