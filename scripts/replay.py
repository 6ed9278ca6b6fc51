"""What `make replay` runs: play past events again to one consumer, from the bus's archive.

    python scripts/replay.py --consumer promotions --since 2026-01-31T12:00 [--until 2026-01-31T13:00]
    python scripts/replay.py --consumer promotions --order ord_...
    ... [--profile NAME] [--region NAME] [--stack NAME]              in AWS instead of on this machine

Only that consumer hears it again, and what had its effect then has none now.
"""

import argparse
import sys
from datetime import UTC, datetime

from operations import deployed
from operations.replaying import ARCHIVE_LAG, CannotReplay, Replayer
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Play past events again to one consumer.")
    parser.add_argument("--consumer", required=True, help="who shall hear them, such as promotions")
    parser.add_argument("--order", help="this order's events alone")
    parser.add_argument("--since", type=deployed.moment, help="from then on; UTC unless it says otherwise")
    parser.add_argument("--until", type=deployed.moment, help="up to then; now by default")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    if bool(options.order) == bool(options.since):
        parser.error("either --order or --since")
    console = Console(soft_wrap=True, highlight=False)
    try:
        replayer = Replayer(deployed.reach(options))
        until = options.until or datetime.now(UTC)
        if options.order:
            sent = replayer.order(options.consumer, options.order)
            console.print(f"{sent} events of {options.order} were sent to {options.consumer} again.")
        else:
            name = replayer.between(options.consumer, options.since, until)
            console.print(f"{name}: {options.consumer} hears again what happened from {options.since} to {until}.")
    except (CannotReplay, *TROUBLE) as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    if datetime.now(UTC) - until < ARCHIVE_LAG:
        console.print("On AWS, what was announced in the last ten minutes may not be in the archive yet.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
