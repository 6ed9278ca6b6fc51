"""What `make prune` runs: versions of workflows that nothing starts any more, listed, or deleted.

.venv/bin/python scripts/prune.py [--delete] [--keep N]
... [--profile NAME] [--region NAME] [--stack NAME]              in AWS instead of on this machine
"""

import argparse
import sys

from operations import deployed, versions
from operations.trouble import TROUBLE, plain


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="List, or delete, versions of workflows that nothing starts any more.")
    parser.add_argument("--keep", type=int, default=versions.KEPT, help="how many of each workflow's newest stay")
    parser.add_argument("--delete", action="store_true", help="delete them")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    if options.keep < 0:
        parser.error("--keep takes no negative number")
    try:
        stack = deployed.reach(options)
        found = list(versions.spare(stack, options.keep))
        if options.delete:
            versions.prune(stack, found)
    except TROUBLE as error:
        print(f"✗ {plain(error)}", file=sys.stderr)
        return 1
    for version in found:
        print(f"{version.workflow}, version {version.number}{': deleted' if options.delete else ''}")
    if not found:
        print(f"Each workflow has its {options.keep} newest versions at most, and those that an alias points to.")
    elif not options.delete:
        print("To delete them, add DELETE=1 (--delete); what runs goes on.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
