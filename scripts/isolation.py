"""What `make isolation` runs: break all that only listens in each way, and see that no order notices.

    python scripts/isolation.py [--orders 200] [--write docs/isolation.md]    without --write no file is written

What is broken and what is measured: `scripts/lab/isolating.py`.
"""

import argparse
import os
import platform
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from lab.isolating import AT_ONCE, COMES_BACK, MAILS, PARAMETERS, POISON, NotIsolated, Phase, measure
from laptop import EmulatorError, Stack
from laptop.client import NotThere, Refused
from laptop.emulator.launcher import free_port
from laptop.listener import NotHeard, NotLetIn
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def page(phases: list[Phase], orders: int) -> str:
    """The figures as a page of the documentation."""
    base = statistics.median([p.quantile(0.5) for p in phases if p.caught_up is None])
    rows = []
    for p in phases:
        middle, caught = p.quantile(0.5), "" if p.caught_up is None else f"{p.caught_up:.0f}"
        rows.append(f"| {p.name} | {middle:.2f} | {p.quantile(0.9):.2f} | {middle / base:.2f} | {caught} |")
    machine = f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}, Python {platform.python_version()})"
    table = "\n".join(rows)
    return f"""# Isolation

<!-- Written by `make isolation PAGE=docs/isolation.md`. Do not edit: run it. -->

Promotions, notifications, the kitchens' figures, estimates and live news know orders by their events alone. So they can
be broken in each way, two of them at once, and no order is lost or waits for it. {orders} orders per row, {AT_ONCE} at
a time, each taken from placed to delivered; every customer is owed one promo code and, after at most
{len(MAILS) - 1} others, the mail that the food arrived; every order counts once in its kitchen's figures, and has its
estimate. All {orders} of
each row were delivered, and once mended, all {orders} codes and all {orders} last mails were there, none twice, all
orders were counted, none twice, and each had its estimate. A mail that would have come after a later one of its order
was not sent.

Measured in one run on {machine},
{datetime.now(UTC):%d %B %Y}. Latencies are the orders' own timestamps; ratios are to the median of the rows with
everything well.

| condition | p50, s | p90, s | p50 ratio | caught up after mending, s |
|---|---|---|---|---|
{table}

- **Ratios other than 1** come from the shared cores: a consumer that does nothing leaves more to the orders, one
  that fails over and over takes some. The row with everything well again shows how far the machine itself strays. On
  AWS the two share nothing but the bus.
- **Both functions raise, both tables gone**: the events wait in the queues. A message that failed comes back after the
  queue's visibility timeout, set to {COMES_BACK} s in this run (the templates have six times the function's timeout):
  that is most of the time to catch up. The deleted tables are made anew, with the relay's mapping and permission on the
  new stream.
- **Both queue policies removed**: the rules cannot deliver. What they could not deliver is in their dead-letter queue
  on AWS and, there and here alike, in the archive: `make replay` plays that span again to the two rules alone.
- **Kitchens broken**: the function that reads their stream raises, and {POISON} records in the stream are no events.
  The stream hands the same batch out again until it passes, and keeps what comes behind it: nothing waits for a
  visibility timeout, so they catch up at once. The {POISON} are set aside with their reasons.
- **Estimates broken**: their function is refused its table. No queue lies in front of it: Lambda tries twice again
  (here after one and two seconds, on AWS after one and two minutes) and sets the event aside, and
  `make redrive QUEUE=estimates SEND=1` sends it back.
- **Live news broken**: its three functions raise, so nobody gets a ticket or hears anything. There is nothing to catch
  up with: what nobody was told is no news any more. After each row an order is delivered, and its customer hears of it.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Break all that listens, and see that no order notices.")
    parser.add_argument("--orders", type=int, default=200, help="orders per condition")
    parser.add_argument("--write", type=Path, help="where the page goes")
    options = parser.parse_args(arguments)
    if options.orders < 1:
        parser.error("at least one order")
    if options.write and not options.write.parent.is_dir():
        parser.error(f"there is no folder {options.write.parent}")
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        port = free_port()
        with Stack.up(console, env={"TIFFIN_FAULTS": str(port)}, parameters=PARAMETERS) as stack:
            phases = measure(stack, port, options.orders, console)
    except (NotIsolated, NotThere, Refused, NotLetIn, NotHeard, EmulatorError) as error:
        console.print(f"[red]✗[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    table = Table(show_edge=False)
    for heading in ("condition", "p50, s", "p90, s", "caught up, s"):
        table.add_column(heading)
    for p in phases:
        caught = "" if p.caught_up is None else f"{p.caught_up:.0f}"
        table.add_row(p.name, f"{p.quantile(0.5):.2f}", f"{p.quantile(0.9):.2f}", caught)
    console.print(table)
    if options.write:
        options.write.write_text(page(phases, options.orders), "utf-8")
        console.print(f"Written: {options.write}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
