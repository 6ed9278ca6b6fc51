"""What `make compare` runs: the same orders and the same faults, by each way, and what each way took and cost.

    .venv/bin/python scripts/compare.py [--only choreographed] [--write docs/compare.md]

On an emulator of its own, on which the ways stand side by side. Which ways there are: `scripts/lab/ways.py`; what is
done with each: `scripts/lab/comparing.py`; what goes wrong: `scripts/lab/breaking.py`. What can be counted without a
run, `scripts/render_compare.py` writes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import httpx
from lab import breaking, columns, comparing, ways
from lab.costing import METER
from laptop import EmulatorError, Stack, measured
from laptop.client import NotThere, Refused
from laptop.emulator.launcher import free_port
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape

COMMAND = "make compare"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="The same orders, by each way.")
    parser.add_argument("--only", help="one way alone, by its name", choices=[way.name for way in ways.WAYS])
    parser.add_argument("--write", type=Path, help="the page whose tables are replaced")
    options = parser.parse_args(arguments)
    if options.write and not options.write.is_file():
        parser.error(f"there is no page {options.write}")
    if options.write and options.only:
        parser.error("the page has all ways")
    console = Console(soft_wrap=True, highlight=False)
    chosen = [way for way in ways.WAYS if options.only in (None, way.name)]
    found: dict[ways.Way, comparing.Found] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            meter, port = Path(folder, "meter.jsonl"), free_port()
            with Stack.up(
                console,
                env={METER: str(meter), "TIFFIN_FAULTS": str(port)},
                state_dir=Path(folder),  # these orders are none of whoever compares: `make stats` leaves them out
            ) as stack:
                for way in chosen:
                    with (
                        console.status(f"Bringing up: {way.name}") as status,
                        comparing.up(way, stack, meter, port) as running,
                    ):
                        found[way] = comparing.run(running, status.update)
                        breaking.run(running, found[way], status.update)
                    console.print(f"[green]✓[/green] {way.name}")
    except (EmulatorError, comparing.NotTheSame, NotThere, Refused, httpx.HTTPError) as error:
        console.print(f"[red]✗[/red] {escape(str(error) or type(error).__name__)}")
        return 1
    except KeyboardInterrupt:
        return 130
    text = columns.page(found, measured.where())
    told = f"{columns.count(chosen)}\n\n{text}"
    console.print(Markdown(told) if console.is_terminal else told, markup=False)
    if options.write:
        measured.replace(options.write, COMMAND, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
