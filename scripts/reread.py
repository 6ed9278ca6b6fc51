"""What `make reread` runs: read the kitchens' stream again from a moment.

    python scripts/reread.py --since 2026-01-31T12:00               what is missing in the figures is counted
    python scripts/reread.py --since 2026-01-31T12:00 --rebuild     that time is forgotten first, and counted anew
    ... [--profile NAME] [--region NAME] [--stack NAME]             in AWS instead of on this machine

Only the kitchens' function hears it again; the stream gives what it holds to whoever asks, for as long as it keeps it.
"""

import argparse
import sys
from datetime import UTC

from operations import deployed
from operations.streams import CannotReread, Rereader
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Read the kitchens' stream again from a moment.")
    parser.add_argument(
        "--since", type=deployed.moment, required=True, help="from then on; UTC unless it says otherwise"
    )
    parser.add_argument("--rebuild", action="store_true", help="forget the figures of that time first")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    try:
        rereader = Rereader(deployed.reach(options))
        begin = max(options.since, rereader.reaches_back_to())
        if options.rebuild:
            forgotten, records = rereader.rebuild(options.since)
            console.print(f"{forgotten} figures were forgotten, each a kitchen's minute.")
        else:
            records = rereader.since(options.since)
    except (CannotReread, *TROUBLE) as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    since = f"{begin.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    console.print(f"{records} events were read again, from {since} on. Each counts once.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
