"""The environment of each deployed function, for `sam local --env-vars`; see `docs/sam-local.md`.

    python scripts/local_env.py [--service NAME] [--profile NAME] [--region NAME] [--stack NAME] > local-env.json

`sam local` knows the template and not the stack: what `!Ref SomeTable` came to is unknown to it, and a function would
ask for a table by its logical id. With this file, a function that runs here works on the stack's tables and queues.
"""

import argparse
import json
import sys

from botocore.exceptions import BotoCoreError, ClientError
from laptop import EmulatorError
from operations import deployed


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Environments of the deployed functions, for `sam local --env-vars`.")
    parser.add_argument("--service", help="one nested application alone, for `sam local` with its own template")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        found = deployed.reach(options).environments(options.service)
    except (EmulatorError, ClientError, BotoCoreError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
