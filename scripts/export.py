"""What `make export` runs: everything that there is about one customer, as one JSON document.

    python scripts/export.py --customer ada@tiffin.example    or a `sub`; or a name, on the laptop
    ... [--profile NAME] [--region NAME] [--stack NAME]              in AWS instead of on this machine

What lies elsewhere, and goes by its own time, is named with how long it is kept. The document is the customer's: put it
where nobody else reads it.
"""

import argparse
import json
import sys
from typing import Any

from operations import deployed
from operations.personal import Personal, UnknownCustomer
from operations.trouble import TROUBLE, plain


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else str(value)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Show everything that there is about one customer.")
    parser.add_argument("--customer", required=True, help="an account's subject or e-mail address")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        found = Personal(deployed.reach(options)).export(options.customer)
    except (UnknownCustomer, *TROUBLE) as error:
        print(f"✗ {plain(error)}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2, ensure_ascii=False, default=_plain))
    return 0


if __name__ == "__main__":
    sys.exit(main())
