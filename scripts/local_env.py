"""The environment of each deployed function, for `sam local --env-vars`; see `docs/sam-local.md`.

    python scripts/local_env.py [--service NAME] [--profile NAME] [--region NAME] [--stack NAME] > local-env.json

`sam local` knows the template and not the stack: what `!Ref SomeTable` came to is unknown to it, and a function would
ask for a table by its logical id. With this file, a function that runs here works on the stack's tables and queues.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

import deployed
from botocore.exceptions import BotoCoreError, ClientError
from deployed import Deployed
from emulator import EmulatorError


def environments(stack: Deployed, name: str, service: str | None = None) -> dict[str, dict[str, str]]:
    """The environment variables of every function, nested applications' too.

    Args:
        stack: the deployed stack.
        name: the root stack's name.
        service: this nested application alone, such as `Promotions`, its functions named as its own template does.

    Returns:
        Variables by function; functions as `sam local` names them, such as `Orders/ApiFunction`.

    Raises:
        ClientError, BotoCoreError: AWS does not know the stack, or not the caller.
    """
    known = stack.client("lambda")
    only = f"{service}/" if service else ""
    found = {}
    for path, function in _functions(stack.client("cloudformation"), name, ""):
        if path.startswith(only):
            configuration = known.get_function_configuration(FunctionName=function)
            found[path.removeprefix(only)] = dict(configuration.get("Environment", {}).get("Variables", {}))
    return found


def _functions(cloudformation: Any, stack: str, path: str) -> Iterator[tuple[str, str]]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    for resource in (resource for page in pages for resource in page["StackResourceSummaries"]):
        here = path + resource["LogicalResourceId"]
        if resource["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from _functions(cloudformation, resource["PhysicalResourceId"], f"{here}/")
        elif resource["ResourceType"] == "AWS::Lambda::Function":
            yield here, resource["PhysicalResourceId"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Environments of the deployed functions, for `sam local --env-vars`.")
    parser.add_argument("--service", help="one nested application alone, for `sam local` with its own template")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        found = environments(deployed.reach(options), options.stack, options.service)
    except (EmulatorError, ClientError, BotoCoreError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
