"""What `make forget` runs: forget one customer, everywhere, and say what was done.

    python scripts/forget.py --customer ada@tiffin.example    or a `sub`; or a name, on the laptop
    ... [--profile NAME] [--region NAME] [--stack NAME]              in AWS instead of on this machine

Refused while an order is open. It may be run again after an interruption, and to see that nothing is left. What it does
where, and what goes by its own time: docs/privacy.md.
"""

import argparse
import sys

from operations import deployed
from operations.personal import Personal, StillOpen, UnknownCustomer
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Forget one customer.")
    parser.add_argument("--customer", required=True, help="an account's subject or e-mail address")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    try:
        for step in Personal(deployed.reach(options)).forget(options.customer):
            console.print(f"[green]✓[/green] {escape(step)}")
    except (UnknownCustomer, StillOpen, *TROUBLE) as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
