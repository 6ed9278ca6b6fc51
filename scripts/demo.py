"""What `make demo` runs: deploy Tiffin to this machine, and tell the stories of a few orders as they happen.

    python scripts/demo.py [--payments sandbox|stripe]

Every story says how it must end: where the order stands and why, what it put on the bus, what became of the money. The
exit status is 0 only if each ended so.
"""

import argparse
import sys
import time

from laptop import EmulatorError, Stack
from laptop.client import Client
from laptop.clock import Clock
from laptop.environment import STATE_DIR
from laptop.providers import provider
from laptop.stack import foreground_log
from laptop.stories import STORIES, THREE_HOURS, Story, Teller, WentWrong, tell
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Three hours pass in 10 seconds on a quiet machine, so that one of the stories can be about them.
CLOCK = 1080


def summary(stories: list[Story]) -> Table:
    """How every order ended, at a glance."""
    table = Table(title="How they ended", title_justify="left", show_edge=False, pad_edge=False)
    for heading in ("order", "ended", "why", "payment"):
        table.add_column(heading)
    for story in stories:
        reason = (story.order["reason"] or {}).get("summary", "")
        table.add_row(story.order["order_id"], story.ends, reason, story.order["payment"]["status"])
    return table


def how_time_passes(clock: Clock) -> str:
    """How fast workflows live, and why, if they do not as fast as they would."""
    told = (
        f"Workflows live {clock.rate:.0f} times as fast here: 3 hours pass in {clock.real_seconds(THREE_HOURS):.0f} s"
    )
    if clock.slowness > 1:
        told += f", as this machine is {clock.slowness:g} times as slow as when it has nothing else to do"
    return f"{told}."


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Deploy Tiffin to this machine and tell the stories of a few orders.")
    parser.add_argument("--payments", choices=["sandbox", "stripe"], default="sandbox", help="who holds the money")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    began = time.monotonic()
    try:
        with (
            provider(options.payments) as chosen,
            Stack.up(console, CLOCK, parameters=chosen.parameters) as stack,
        ):
            client = Client(stack.outputs, stack.people)
            teller = Teller(console, client, stack.tap(), chosen.books(stack), chosen.declined_method)
            clock = stack.keep_pace()
            console.print(f"\n[dim]{how_time_passes(clock)}[/dim]", highlight=False)
            tell(teller, STORIES, clock)
            console.print()
            console.print(summary(STORIES))
    except WentWrong as wrong:
        console.print(f"\n[red]✗ This story went wrong:[/red] {escape(str(wrong))}", highlight=False, soft_wrap=True)
        if wrong.order_id:
            console.print(f"  What happened, step by step: make trace ORDER={wrong.order_id}", highlight=False)
        console.print(f"  The emulator's log is {STATE_DIR.name}/{foreground_log()}", highlight=False)
        return 1
    except EmulatorError as error:
        console.print(f"[red]✗[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left running.")
        return 130
    took = time.monotonic() - began
    console.print(f"\n[green]All {len(STORIES)} stories ended as they should[/green], in {took:.0f} s. Stopped again.")
    console.print("What happened to one of them, step by step: make trace ORDER=" + STORIES[1].order["order_id"])
    console.print("Stay and try it by hand: make up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
