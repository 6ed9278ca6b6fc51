"""Check the templates as AWS would see them: transformed by SAM, resolved, and held against what its services take.

    python scripts/lint_templates.py             names, bounds, parameters, permissions (a second)
    python scripts/lint_templates.py --schemas   and cfn-lint on the resolved templates (a few seconds)

Prints `template: resource: message` lines; exits with 1 if there is any.
"""

import argparse
import sys

from contracts.cloudformation import transformed
from contracts.templates import lint, lint_resolved


def main(arguments: list[str] | None = None) -> int:
    """Check all templates; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check the templates as AWS would see them.")
    parser.add_argument("--schemas", action="store_true", help="run cfn-lint on the resolved templates, too")
    given = parser.parse_args(arguments)
    templates = transformed()
    found = lint(templates) + (lint_resolved(templates) if given.schemas else [])
    print("".join(f"{finding.where}: {finding.message}\n" for finding in found), end="", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
