"""The deployed stack that an operator's tool works on: AWS's if a profile or region is given, else the laptop's."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import boto3
from emulator import Stack


class Clients(Protocol):
    """Makes boto3 clients by the service's name."""

    def __call__(self, service: str, /) -> Any:
        """A client of one service."""


@dataclass(frozen=True)
class Deployed:
    """A deployed stack.

    Attributes:
        client: makes boto3 clients that talk to it.
        outputs: the root stack's outputs.
    """

    client: Clients
    outputs: Mapping[str, str]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which stack."""
    parser.add_argument("--profile", help="work on AWS, with this profile")
    parser.add_argument("--region", help="work on AWS, in this region")
    parser.add_argument("--stack", default="tiffin", help="name of the root stack in AWS")


def reach(options: argparse.Namespace) -> Deployed:
    """Find the stack.

    Raises:
        NotRunning: no profile or region is given, and nothing runs on this machine.
        ClientError, BotoCoreError: AWS does not know the stack, or not the caller.
    """
    if not (options.profile or options.region):
        laptop = Stack.attach()
        return Deployed(laptop.client, laptop.outputs)
    session = boto3.Session(profile_name=options.profile, region_name=options.region)
    (stack,) = session.client("cloudformation").describe_stacks(StackName=options.stack)["Stacks"]
    return Deployed(session.client, {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])})
