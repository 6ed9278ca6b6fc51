"""Who may announce, as the composition root says it: the policy of the bus, statement by statement."""

import fnmatch
import json
import re
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from contracts.schemas import current
from worlds import ROOT

ROLES = {
    "orders": ["Orders.Outputs.OrderWorkflowRoleArn", "Orders.Outputs.UnwindWorkflowRoleArn"],
    "payments": ["Payments.Outputs.OutboxRelayRoleArn"],
    "promotions": ["Promotions.Outputs.OutboxRelayRoleArn"],
}
"""The roles that announce, by the service that they announce for."""
NAMES = {"orders": "Order*", "payments": "Payment*", "promotions": "PromoCode*"}
"""What the names of a service's events look like."""


@pytest.fixture
def policies() -> dict[str, dict[str, Any]]:
    """The resources that make up the policy, a statement each, by their logical ids."""
    resources: dict[str, dict[str, Any]] = load(str(ROOT / "template.yaml"))["Resources"]
    return {name: r for name, r in resources.items() if r["Type"] == "AWS::Events::EventBusPolicy"}


@pytest.fixture
def conditions(policies: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [policy["Properties"]["Statement"]["Condition"] for policy in policies.values()]


def roles(arns: Any) -> list[str]:
    """The outputs that a condition names, be it one or a list."""
    return [".".join(one["Fn::GetAtt"]) for one in (arns if isinstance(arns, list) else [arns])]


def test_every_statement_denies_everybody(policies: dict[str, dict[str, Any]]) -> None:
    """Within an account an Allow restricts nobody (IAM user guide, "Policy evaluation logic")."""
    for policy in policies.values():
        statement = policy["Properties"]["Statement"]
        said = [statement[element] for element in ("Effect", "Principal", "Action", "Resource")]
        assert said == ["Deny", "*", "events:PutEvents", {"Fn::GetAtt": ["EventBus", "Arn"]}]


def test_nobody_announces_but_the_four_roles(conditions: list[dict[str, Any]]) -> None:
    [only] = [condition for condition in conditions if "ArnNotEquals" in condition]
    assert list(only) == ["ArnNotEquals"]
    assert roles(only["ArnNotEquals"]["aws:PrincipalArn"]) == [role for of in ROLES.values() for role in of]


def test_each_role_is_bound_to_the_source_and_the_names_of_its_service(conditions: list[dict[str, Any]]) -> None:
    # ForAnyValue: one entry that is not its own, and the call is denied.
    bounds = [dict(c) for c in conditions if "ArnNotEquals" not in c]
    assert [(roles(bound.pop("ArnEquals")["aws:PrincipalArn"]), bound) for bound in bounds] == [
        (ROLES[service], bound)
        for service in ROLES
        for bound in (
            {"ForAnyValue:StringNotEquals": {"events:source": f"tiffin.{service}"}},
            {"ForAnyValue:StringNotLike": {"events:detail-type": NAMES[service]}},
        )
    ]


@pytest.mark.parametrize("name", current().names())
def test_every_contract_is_of_the_service_whose_names_it_bears(name: str) -> None:
    service = current().source(name).removeprefix("tiffin.")
    assert [s for s, names in NAMES.items() if fnmatch.fnmatchcase(name, names)] == [service]


def test_statements_are_made_one_after_the_other(policies: dict[str, dict[str, Any]]) -> None:
    """Each is added by reading the whole policy and writing it (the resource type's schema, `handlers`)."""
    names = list(policies)
    assert [policies[name].get("DependsOn") for name in names] == [None, *names[:-1]]


def test_a_statement_has_an_id_that_no_other_stack_has(policies: dict[str, dict[str, Any]]) -> None:
    """It is at most 64 characters long (EventBridge API reference, PutPermission)."""
    for name, policy in policies.items():
        of_the_stack = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
        assert policy["Properties"]["StatementId"] == {"Fn::Join": ["-", [name, of_the_stack]]}
        assert re.fullmatch("[a-zA-Z0-9-]{1,64}", f"{name}-12345678-1234-1234-1234-123456789012")


def test_the_policy_fits_into_ten_kilobytes(policies: dict[str, dict[str, Any]]) -> None:
    """The limit of PutPermission (EventBridge API reference), with the longest names that a role and a bus can have."""
    statements = [
        {"Sid": "s" * 64, **policy["Properties"]["Statement"], "Resource": "b" * 320} for policy in policies.values()
    ]
    arn = "arn:aws-us-gov:iam::123456789012:role/" + "r" * 64
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    assert len(re.sub(r'\{"Fn::GetAtt": [^}]*\}', json.dumps(arn), document)) < 10 * 1024
