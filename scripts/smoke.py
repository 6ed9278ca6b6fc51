"""What `make smoke` runs: whether a deployed stack is well. It is what a deployment pipeline calls.

    python scripts/smoke.py                                                       the stack of `make up`
    python scripts/smoke.py --stack NAME [--profile NAME] [--region NAME]         on AWS

One order is delivered, one declined, one cancelled, and one promo code earned, spent and given back, by people and a
restaurant that are made for it and removed whatever happens. Refused where a card could really be charged. A line for
each step; the exit status is 0 if all is well and removed, and 1 if not. More of it: docs/after-a-deployment.md.
"""

import argparse
import signal
import sys
import time

from operations import deployed, scenarios
from operations.trouble import TROUBLE, plain
from operations.visiting import Visit
from rich.console import Console
from rich.markup import escape

STAYS = (
    "What stays, of nobody: four orders with their payments, their events in the archive, their executions for "
    "90 days, three rows of limits for 25 hours."
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="See whether a deployed stack is well.")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    # Like an interrupt: what was made is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[green]✓[/green] {escape(line)}")

    def problem(line: str) -> None:
        console.print(f"[red]✗[/red] {escape(line)}")

    try:
        stack = deployed.reach(options)
        provider = scenarios.must_be_play_money(stack)
        visit = Visit(stack, "smoke")
    except (scenarios.RealMoney, *TROUBLE) as error:
        problem(plain(error))
        return 1
    console.print(f"{visit.name}: {stack}, money by {provider}")
    well = False
    try:
        with visit:
            scenarios.smoke(visit, say)
            well = True
    except scenarios.Unwell as unwell:
        problem(str(unwell))
        if unwell.order_id:
            problem(f"why: {deployed.typed('trace', options, ORDER=unwell.order_id)}")
    except KeyboardInterrupt:
        problem("interrupted")
    finally:
        for left in visit.left:
            problem(f"still there: {left}")
    if well and not visit.left:
        say(f"{'removed':<10} all that was made. {STAYS}")
        console.print(f"[bold]All is well[/bold], {time.monotonic() - began:.1f} s")
        return 0
    console.print(f"[bold]Not well[/bold], {time.monotonic() - began:.1f} s")
    return 1


if __name__ == "__main__":
    sys.exit(main())
