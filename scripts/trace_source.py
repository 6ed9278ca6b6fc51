"""Where `make trace` and `make stats` ask: AWS if the caller says so, else this machine."""

import argparse

import boto3
from emulator import NotRunning, Stack
from emulator.isolation import STATE_DIR
from emulator.record import FILE
from tracing.sources import Either, Live, Recorded, Source


def source(options: argparse.Namespace) -> Source:
    """Where to ask: AWS if the caller says so, else this machine."""
    if options.profile or options.region:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        (stack,) = session.client("cloudformation").describe_stacks(StackName=options.stack)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        where = f"in the stack {options.stack} in {session.region_name}"
        return Live(session.client, outputs, options.stack, where)
    record = Recorded(STATE_DIR / FILE)
    try:
        running = Stack.attach()
    except NotRunning:
        return record
    return Either(Live(running.client, running.outputs, options.stack, "the running laptop"), record)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where to ask."""
    parser.add_argument("--profile", help="read AWS, with this profile")
    parser.add_argument("--region", help="read AWS, in this region")
    parser.add_argument("--stack", default="tiffin", help="name of the root stack")
