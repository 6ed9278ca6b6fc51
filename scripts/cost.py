"""What `make cost` runs: what an order costs on AWS, by its end, and where each cent goes.

    .venv/bin/python scripts/cost.py [--orders 10] [--write docs/cost.md]

Counted on an emulator of its own, which runs the real templates, functions and workflows; priced by
`scripts/lab/prices.toml`. How it is counted: `scripts/lab/costing.py`; by which of AWS's rules: `metered.py` there.
With `--write` it writes `scripts/lab/lives.json`, too: what one order took, by which `make capacity` reckons.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from lab import bills, costing, pricing
from laptop import EmulatorError, measured
from laptop.client import NotThere, Refused
from rich.console import Console
from rich.markup import escape

COMMAND = "make cost"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="What an order costs on AWS, by its end, and where each cent goes.")
    parser.add_argument("--orders", type=int, default=10, help="orders of each end, of which the average is taken")
    parser.add_argument("--write", type=Path, help="the page whose tables are replaced")
    options = parser.parse_args(arguments)
    if options.orders < 1:
        parser.error("at least one order")
    if options.write and not options.write.is_file():
        parser.error(f"there is no page {options.write}")
    console = Console(soft_wrap=True, highlight=False)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            costing.counting(Path(folder), console) as (stack, file),
            console.status("Counting") as status,
        ):
            found = costing.run(stack, file, options.orders, lambda name: status.update(f"Counting: {name}"))
    except (EmulatorError, costing.NotCounted, NotThere, Refused) as error:
        console.print(f"[red]✗[/red] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        return 130
    text = bills.page(found, pricing.deployed(), measured.where())
    console.print(text, markup=False)
    if options.write:
        measured.replace(options.write, COMMAND, text)
        costing.write_lives(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
