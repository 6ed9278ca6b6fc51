"""What `make bench-laptop` runs: how long one waits for the laptop, and what is left when it is stopped.

    .venv/bin/python scripts/bench_laptop.py [--repeats 3] [--write docs/laptop.md]

Each repeat starts an emulator of its own, beside one that may run, and fetches no package: what `make` sets up is
there. The first start of a repeat packs everything anew, the second finds it packed, as every later one does.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from laptop import EmulatorError, Stack, measured
from laptop.client import Client
from rich.console import Console

COMMAND = "make bench-laptop"
ORDERS = 20
"""After the first one of each start."""


class Stopwatch:
    """Seconds that things took, by what they are called in the table, in the order in which they were first done."""

    def __init__(self) -> None:
        self.taken: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Remember how long the block takes."""
        began = time.perf_counter()
        yield
        self.taken[what].append(time.perf_counter() - began)


def measure(watch: Stopwatch, state_dir: Path) -> list[str]:
    """Start, try and stop the laptop twice, in a folder of its own.

    Args:
        watch: what the seconds are added to.
        state_dir: empty at first.

    Returns:
        What was left when it was stopped.
    """
    left = []
    for start in ("everything packed anew", "everything packed already"):
        with watch(f"`make up`, {start}"):
            stack = Stack.up(state_dir=state_dir)
        with closing(Client(stack.outputs, stack.people)) as client:
            # Signing in is not the order's.
            for name in ("ada", "bella", "carl", "grace"):
                stack.people.token(name)
            for which, customer in [("the first order", "ada"), *[("a later order", "grace")] * ORDERS]:
                with watch(f"{which}, answered"):
                    placed = client.place(customer=customer)["order_id"]
                with watch(f"{which}, from then to the door, each move made at once"):
                    client.deliver(placed)
        with watch("`make up` again, nothing changed"):
            stack.update()
        with watch("`make up` again, one more service"):
            stack.update(parameters={"Kitchens": "true"})
        process = stack._process
        with watch("`make down`"):
            stack.stop()
        left += [process.scratch] if Path(process.scratch).exists() else []
        left += ["a process of the emulator"] if process.alive() else []
    return left


def table(watch: Stopwatch, repeats: int, left: list[str]) -> str:
    """The figures, with where and how they were taken."""
    rows = [
        f"| {what} | {statistics.median(taken):.2f} | {min(taken):.2f} to {max(taken):.2f} | {len(taken)} |"
        for what, taken in watch.taken.items()
    ]
    remains = ", ".join(left) or "no process, and nothing in the temporary directory"
    return "\n".join(
        [
            f"{measured.where()}, {repeats} repeats. Left after {2 * repeats} stops: {remains}.",
            "",
            "| | seconds, median | from, to | times |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="How long one waits for the laptop, and what is left of it.")
    parser.add_argument("--repeats", type=int, default=3, help="of which the medians are taken")
    parser.add_argument("--write", type=Path, help="the page whose table is replaced")
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    watch, left = Stopwatch(), []
    try:
        for repeat in range(options.repeats):
            with console.status(f"Repeat {repeat + 1} of {options.repeats}"), tempfile.TemporaryDirectory() as folder:
                left += measure(watch, Path(folder))
    except EmulatorError as error:
        console.print(f"[red]✗[/red] {error}")
        return 1
    text = table(watch, options.repeats, left)
    console.print(text, markup=False)
    if options.write:
        measured.replace(options.write, COMMAND, text)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
