"""Check events and the contracts in `events/schemas/`.

    python scripts/event_contracts.py check event.json …    validate complete EventBridge events
    python scripts/event_contracts.py compare               refuse a change that would break a consumer
    python scripts/event_contracts.py release               freeze the contracts as the next release

What is wrong goes to standard error; the exit status is 1 then.
"""

import argparse
import json
import sys
from pathlib import Path

from contracts import compatibility, schemas


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check events and the contracts that describe them.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="validate complete EventBridge events")
    check.add_argument("files", nargs="+", type=Path)
    commands.add_parser("compare", help="compare events/schemas with the last release")
    commands.add_parser("release", help="freeze events/schemas as the next release")
    options = parser.parse_args(arguments)

    if options.command == "check":
        failed = 0
        for path in options.files:
            try:
                schemas.validate(json.loads(path.read_text("utf-8")))
            except (schemas.ContractViolation, json.JSONDecodeError) as error:
                failed += 1
                print(f"{path}: {error}", file=sys.stderr)
        return 1 if failed else 0

    if changed := compatibility.altered():
        print(f"Never to be changed, and changed: {', '.join(map(str, changed))}", file=sys.stderr)
        return 1
    releases = compatibility.releases()
    try:
        found = compatibility.breaks(schemas.Contracts.load(releases[-1]), schemas.current()) if releases else []
    except schemas.NotJson as error:
        print(error, file=sys.stderr)
        return 1
    for item in found:
        print(item, file=sys.stderr)
    if found:
        print("Raise event_version of these events, or change them compatibly.", file=sys.stderr)
        return 1
    if options.command == "release":
        print(f"released as {compatibility.release()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
