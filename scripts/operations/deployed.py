"""The deployed stack that a tool works on: AWS's if a profile, region or stack is named, else the laptop's."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, cast

import boto3
from botocore.exceptions import ClientError
from laptop import Stack
from laptop.environment import is_loopback
from laptop.stack import reachable

from .trouble import NotReached, Outputs

ROOT_STACK = "tiffin"


class Clients(Protocol):
    """Makes boto3 clients by the service's name."""

    def __call__(self, service: str, /) -> Any:
        """A client of one service."""


class Resource(NamedTuple):
    """A resource of the stack or of an application nested in it.

    Attributes:
        path: logical ids from the root down, such as `Orders/ApiFunction`.
        kind: CloudFormation's type of it.
        name: its physical id.
    """

    path: str
    kind: str
    name: str


@dataclass(frozen=True)
class Deployed:
    """A deployed stack.

    Attributes:
        client: makes boto3 clients that talk to it.
        outputs: the root stack's outputs.
        name: the root stack's name.
        region: its region in AWS; None on the laptop.
    """

    client: Clients
    outputs: Mapping[str, str]
    name: str = ROOT_STACK
    region: str | None = None

    def __str__(self) -> str:
        return f"in the stack {self.name} in {self.region}" if self.region else "the running laptop"

    def resources(self) -> Iterator[Resource]:
        """All resources, those of nested applications too.

        Raises:
            ClientError, BotoCoreError: AWS does not know the stack, or not the caller.
        """
        yield from self._resources(self.name, "")

    def environments(self, service: str | None = None) -> dict[str, dict[str, str]]:
        """The environment variables of every function.

        Args:
            service: this nested application alone, such as `Promotions`, its functions named as its own template does.

        Returns:
            Variables by function; functions as `sam local` names them, such as `Orders/ApiFunction`.

        Raises:
            ClientError, BotoCoreError: AWS does not know the stack, or not the caller.
        """
        only = f"{service}/" if service else ""
        return {
            path.removeprefix(only): dict(configuration.get("Environment", {}).get("Variables", {}))
            for path, configuration in self.functions().items()
            if path.startswith(only)
        }

    def functions(self) -> dict[str, dict[str, Any]]:
        """The configuration of every function (Lambda API reference, `GetFunctionConfiguration`), by its path.

        Raises:
            ClientError, BotoCoreError: AWS does not know the stack, or not the caller.
        """
        known = self.client("lambda")
        return {
            resource.path: known.get_function_configuration(FunctionName=resource.name)
            for resource in self.resources()
            if resource.kind == "AWS::Lambda::Function"
        }

    def _resources(self, stack: str, path: str) -> Iterator[Resource]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        for listed in (listed for page in pages for listed in page["StackResourceSummaries"]):
            here, name = path + listed["LogicalResourceId"], listed.get("PhysicalResourceId", "")
            if listed["ResourceType"] == "AWS::CloudFormation::Stack" and name:
                yield from self._resources(name, f"{here}/")
            else:
                yield Resource(here, listed["ResourceType"], name)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which stack."""
    parser.add_argument("--profile", help="work on AWS, with this profile")
    parser.add_argument("--region", help="work on AWS, in this region")
    parser.add_argument("--stack", help=f"work on AWS, on the root stack of this name ({ROOT_STACK} by default)")


def on_aws(options: argparse.Namespace) -> bool:
    """Whether the options mean a stack in AWS."""
    return bool(options.profile or options.region or options.stack)


def typed(target: str, options: argparse.Namespace, **more: str) -> str:
    """What a person types to have another tool work on the same stack.

    Args:
        target: of make.
        options: see `add_options`.
        more: the target's own variables.
    """
    where = {"STACK": options.stack, "REGION": options.region, "PROFILE": options.profile}
    there = {name: value for name, value in where.items() if value}
    return " ".join(["make", target, *(f"{name}={value}" for name, value in {**more, **there}.items())])


def moment(text: str) -> datetime:
    """A moment as an option of a command gives it: in UTC, unless it says otherwise.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment: write 2026-01-31T12:00, or with +01:00") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def clients(options: argparse.Namespace) -> Clients:
    """What makes clients of the account or laptop that the options name, whether or not the stack is there.

    Raises:
        NotRunning: nothing is named, and nothing runs on this machine.
        BotoCoreError: there is no such profile.
    """
    if not on_aws(options):
        return Stack.attach().client
    # boto3's stubs have a signature for each service's literal name; here the name is any.
    return cast("Clients", boto3.Session(profile_name=options.profile, region_name=options.region).client)


def reach(options: argparse.Namespace) -> Deployed:
    """Find the stack.

    Raises:
        NotRunning: nothing is named, and nothing runs on this machine.
        NotReached: there is no stack of that name.
        ClientError, BotoCoreError: AWS does not know the caller, or the caller does not say where.
    """
    name = options.stack or ROOT_STACK
    if not on_aws(options):
        laptop = Stack.attach()
        return Deployed(laptop.client, Outputs(laptop.outputs, "The running laptop"), name)
    client = clients(options)
    cloudformation = client("cloudformation")
    where = f"The stack {name} in {cloudformation.meta.region_name}"
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        # CloudFormation has no name of its own for it (API reference, DescribeStacks).
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            raise NotReached(f"{where} does not exist: say which, STACK= (--stack), and where, REGION=") from error
        raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    # AWS_ENDPOINT_URL may lead to an emulator, as in `.tiffin/aws.env`: it serves the APIs and the pages too.
    endpoint = cloudformation.meta.endpoint_url
    if is_loopback(endpoint):
        outputs = {name: reachable(value, endpoint) for name, value in outputs.items()}
    return Deployed(client, Outputs(outputs, where), name, cloudformation.meta.region_name)
