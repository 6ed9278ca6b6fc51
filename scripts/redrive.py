"""What `make redrive` runs: list the messages of a dead-letter queue with their reasons, and send them back.

    python scripts/redrive.py                                        all dead-letter queues, with counts
    python scripts/redrive.py --queue promotions                     its messages, each with its reason
    python scripts/redrive.py --queue promotions --send              send them back to where they belong
    python scripts/redrive.py --queue promotions --message ID --body FILE --send     one, with a mended body
    ... [--profile NAME] [--region NAME] [--stack NAME]              in AWS instead of on this machine

Those that are there when it begins are sent, each once. Each is sent first and deleted then: an interruption leaves it
twice rather than not at all.
"""

import argparse
import sys
from pathlib import Path

from operations import deployed
from operations.dead_letters import CannotRedrive, counts, redrive, runbook
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def _table(stack: deployed.Deployed) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("queue", "messages", "goes back to"):
        table.add_column(heading)
    for whose, count in counts(stack):
        table.add_row(whose.name, count, whose.target or f"see {runbook(whose.name)}")
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="List a dead-letter queue's messages, and send them back.")
    parser.add_argument("--queue", help="whose, such as promotions; without it, all queues with their counts")
    parser.add_argument("--message", metavar="ID", help="this message alone")
    parser.add_argument("--body", type=Path, metavar="FILE", help="what to send instead of the message's own body")
    parser.add_argument("--send", action="store_true", help="send them back")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    try:
        stack = deployed.reach(options)
        if not options.queue:
            console.print(_table(stack))
            return 0
        body = options.body.read_text("utf-8") if options.body else None
        found = redrive(stack, options.queue, options.message, body, options.send)
    except (CannotRedrive, *TROUBLE, OSError) as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    for letter in found:
        console.print(f"[bold]{letter.message_id}[/bold]  {escape(letter.name)}  {escape(letter.order_id)}")
        console.print(f"  {escape(letter.reason)}")
    done = "sent back" if options.send else "seen; send them back with SEND=1, or --send"
    console.print(f"{len(found)} {done}." if found else "Nothing there.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
