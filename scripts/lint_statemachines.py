"""Check the state machines in `statemachines/` as far as that can be done without running them.

    python scripts/lint_statemachines.py [FILE …]

Prints `file: state: message` lines; exits with 1 if there is any.
"""

import sys
from pathlib import Path

from contracts.statemachines import STATEMACHINES, lint


def main(arguments: list[str] | None = None) -> int:
    """Check the files given, or all of `statemachines/`; returns the exit status."""
    given = [Path(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    paths = given or sorted(STATEMACHINES.glob("*.asl.json"))
    found = [(path, finding) for path in paths for finding in lint(path.read_text("utf-8"), path.name)]
    for path, finding in found:
        print(f"{path.name}: {finding.state}: {finding.message}", file=sys.stderr)
    if not paths:
        print("There is no state machine to check.", file=sys.stderr)
    return 1 if found or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
