"""What `make doctor` runs: what is missing for a deployment to AWS, before anything is deployed.

    python scripts/doctor.py [--profile NAME] [--region NAME] [--environment dev] [--stack NAME]

A line for each check: ✓ it is there, – good to know, ✗ needed and missing, with what to do. It changes nothing. The
exit status is 1 if anything is missing.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import boto3
from botocore.exceptions import BotoCoreError
from operations.deployed import Clients
from operations.readiness import (
    MISSING,
    OK,
    OPEN,
    Account,
    Environment,
    Finding,
    UnknownEnvironment,
    of_the_build,
    of_this_machine,
)
from rich.console import Console
from rich.markup import escape

MARKS = {OK: "[green]✓[/green]", MISSING: "[red]✗[/red]", OPEN: "[yellow]–[/yellow]"}


def findings(options: argparse.Namespace) -> Iterator[Finding]:
    """All checks."""
    yield from of_this_machine()
    environment = Environment.read(options.environment)
    if options.stack:
        environment = replace(environment, stack=options.stack)
    for key in environment.unknown:
        yield Finding("samconfig.toml", MISSING, f"{options.environment}: the template takes no such {key}")
    yield from of_the_build(environment.parameters)
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        yield Finding("endpoint", OPEN, f"AWS_ENDPOINT_URL is set: what follows is told by {endpoint}, not by AWS")
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
    except BotoCoreError as error:
        yield Finding("credentials", MISSING, f"{error}: aws configure list-profiles names those that there are")
        return
    if not session.region_name:
        yield Finding("region", MISSING, "none is configured: say REGION=eu-central-1, or aws configure set region …")
        return
    yield Finding("region", OK, session.region_name)
    if not environment.unknown:
        # boto3's stubs have a signature for each service's literal name; here the name is any.
        yield from Account(cast("Clients", session.client), environment).findings()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Say what is missing for a deployment to AWS.")
    parser.add_argument("--profile", help="of AWS's configuration")
    parser.add_argument("--region", help="to deploy to")
    parser.add_argument("--environment", default="default", help="of samconfig.toml: default, dev or prod")
    parser.add_argument("--stack", help="its name, if it is not the environment's")
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    missing = 0
    try:
        for finding in findings(options):
            missing += finding.state == MISSING
            console.print(f"{MARKS[finding.state]} [bold]{finding.what:<19}[/bold] {escape(finding.told)}")
    except UnknownEnvironment as error:
        console.print(f"{MARKS[MISSING]} {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        return 130
    if missing:
        console.print(f"\n{missing} {'things are' if missing > 1 else 'thing is'} missing.")
        return 1
    how = "--guided" if options.environment == "default" else f"--config-env {options.environment}"
    console.print(f"\nNothing is missing: sam build && sam deploy {escape(how)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
