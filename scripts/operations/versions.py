"""Versions of workflows that nothing starts any more: CloudFormation keeps each that it ever published."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .deployed import Deployed

KEPT = 5
"""So many of the newest stay, besides those that an alias points to: an execution's version says what it ran."""


class Spare(NamedTuple):
    """A version that may go.

    Attributes:
        workflow: its path in the stack.
        arn: the version's.
    """

    workflow: str
    arn: str

    @property
    def number(self) -> int:
        """Step Functions counts them up, and gives no number twice."""
        return int(self.arn.rpartition(":")[2])


def spare(stack: Deployed, kept: int = KEPT) -> Iterator[Spare]:
    """The versions that no alias points to, but for the newest.

    Args:
        stack: where.
        kept: how many of the newest stay.

    Raises:
        ClientError, BotoCoreError: AWS could not be asked.
    """
    client = stack.client("stepfunctions")
    for resource in stack.resources():
        if resource.kind != "AWS::StepFunctions::StateMachine":
            continue
        pointed_at = {
            route["stateMachineVersionArn"]
            for alias in _all(client.list_state_machine_aliases, "stateMachineAliases", resource.name)
            for route in client.describe_state_machine_alias(stateMachineAliasArn=alias["stateMachineAliasArn"])[
                "routingConfiguration"
            ]
        }
        listed = _all(client.list_state_machine_versions, "stateMachineVersions", resource.name)
        versions = [Spare(resource.path, version["stateMachineVersionArn"]) for version in listed]
        newest = sorted(versions, key=lambda version: version.number, reverse=True)
        yield from (version for version in newest[kept:] if version.arn not in pointed_at)


def prune(stack: Deployed, versions: list[Spare]) -> None:
    """Delete versions. What runs goes on (Step Functions API reference, `DeleteStateMachineVersion`).

    Args:
        stack: where.
        versions: which.

    Raises:
        ClientError: an alias points to one by now.
    """
    client = stack.client("stepfunctions")
    for version in versions:
        client.delete_state_machine_version(stateMachineVersionArn=version.arn)


def _all(asked: Any, what: str, arn: str) -> Iterator[dict[str, Any]]:
    """All pages of a list; boto3 has no paginator for these two."""
    more: dict[str, str] = {}
    while True:
        page = asked(stateMachineArn=arn, **more)
        yield from page[what]
        if not page.get("nextToken"):
            return
        more = {"nextToken": page["nextToken"]}
