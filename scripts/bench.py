"""What `make bench` runs: what a cold start costs, of every function, beside what it is compared with. Linux alone.

    python scripts/bench.py [--repeats 7] [--only Orders/] [--no-counts] [--write docs/benchmarks.md]
    python scripts/bench.py --profile Orders/ApiFunction

It starts an emulator of its own, beside one that may run, and leaves nothing behind. With `--write`, the tables between
the marks of the page are replaced. The second form says what a function's INIT imports, and how long each module takes.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from lab import benching
from laptop import EmulatorError, measured
from rich.console import Console
from rich.markup import escape

COMMAND = "make bench"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="What a cold start costs, of every function.")
    parser.add_argument("--repeats", type=int, default=7, help="cold starts of each, of which the median is taken")
    parser.add_argument("--only", default="", help="a part of the names of the functions to measure")
    parser.add_argument("--no-counts", action="store_true", help="milliseconds alone, where valgrind is installed too")
    parser.add_argument("--profile", help="only what this function's INIT imports, such as Orders/ApiFunction")
    parser.add_argument("--write", type=Path, help="the page whose tables are replaced")
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    # Whoever ends it so leaves no process behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    only = options.profile or options.only
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tiffin-bench-") as folder,
            console.status("") as status,
            benching.bench(Path(folder), lambda text: status.update(escape(text)), only) as found,
        ):
            if options.profile:
                for module, took in benching.profile(found, options.profile):
                    console.print(f"{took:8.1f} ms  {module}", markup=False)
                return 0
            counts = found.runtime.counts and not options.no_counts
            found.follow(min(options.repeats, 3), status.update)
            if counts:
                found.count(status.update)
            found.measure(options.repeats, status.update)
            text = benching.page(found, options.repeats, counts=counts)
    except EmulatorError as error:
        console.print(f"[red]✗[/red] {escape(str(error))}")
        return 1
    console.print(text, markup=False)
    if options.write:
        measured.replace(options.write, COMMAND, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
