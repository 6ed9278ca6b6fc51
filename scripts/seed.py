"""Load the restaurants and their dishes (`scripts/laptop/menus.json`) into the menus table.

    python scripts/seed.py                                              the running laptop stack
    python scripts/seed.py --table NAME [--profile P] [--region R]      a table in AWS

Seeding again replaces each restaurant with what the file says, so it is also how a menu is changed.
"""

import argparse
import sys

import boto3
from laptop import Stack, menus


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Load the restaurants and their dishes into the menus table.")
    parser.add_argument("--table", help="menus table in AWS (stack output MenusTableName); default: the laptop stack")
    parser.add_argument("--profile", help="AWS profile")
    parser.add_argument("--region", help="AWS region")
    options = parser.parse_args(arguments)
    if options.table:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        dishes = menus.load(session.client("dynamodb"), options.table, menus.read())
    elif options.profile or options.region:
        parser.error("--profile and --region go with --table")
    else:
        dishes = menus.seed(Stack.attach())
    print(f"{dishes} dishes can be ordered.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
