"""What `make sam-local` runs: the functions in Lambda's own containers, on what `make up` has deployed; no AWS account.

    python scripts/sam_local.py
    python scripts/sam_local.py --function Orders/ApiFunction [--sample NAME] [--debug PORT]
    python scripts/sam_local.py --api Orders [--port 3000] [--debug PORT]
    python scripts/sam_local.py --environment [--service Orders] --profile NAME --region NAME [--stack NAME]

The first calls every function and takes an order through both APIs; the second calls one function, once; the third
serves one API until Ctrl-C. The last prints what functions that are deployed on AWS find in their environment, for a
`sam local --env-vars` by hand: see docs/sam-local.md.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from laptop import Stack
from operations import container_tour, deployed
from operations.container_names import Names
from operations.containers import Containers, NoSample, samples
from operations.deployed import Deployed
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape


def tour(containers: Containers, console: Console) -> int:
    """Every function and both APIs; the exit status."""

    @contextmanager
    def step(text: str) -> Iterator[None]:
        began = time.monotonic()
        with console.status(f"{escape(text)} …"):
            yield
        console.print(f"[green]✓[/green] {escape(text)} [dim]{time.monotonic() - began:.1f} s[/dim]", highlight=False)

    made = container_tour.make(containers, step)
    console.print()
    console.print(container_tour.shown(made))
    for function in containers.unmounted:
        console.print(f"On a file system, which SAM does not mount, so not run: {function}", highlight=False)
    for function in containers.elsewhere:
        console.print(f"Not deployed here, so not run: {function}", highlight=False)
    if not containers.forwarded:
        console.print("No container has reached this machine. Does a firewall keep Docker's bridge from it?")
    if made.failures:
        console.print(f"[red]✗[/red] What every container said: {containers.log}", highlight=False, soft_wrap=True)
        return 1
    console.print(f"[green]All is as it should be[/green]; {made.order['order_id']} is delivered, and paid.")
    return 0


def sample(function: str, wanted: str | None) -> Path:
    """The file of a function's sample: of its first, if none is named."""
    known = samples(function)
    name = wanted or next(iter(known), "")
    if name not in known:
        raise NoSample(function, name, list(known))
    return known[name]


def port(text: str) -> int:
    """A port as an option gives it.

    Raises:
        ArgumentTypeError: it is none.
    """
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Run the functions in Lambda's containers, on the running laptop.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--function", help="this one alone, once, such as Orders/ApiFunction")
    what.add_argument("--api", help="serve the API of this service, such as Orders, until Ctrl-C")
    what.add_argument("--environment", action="store_true", help="print what functions find in their environment")
    parser.add_argument("--sample", help="with --function: which sample of events/invocations, such as place-order")
    parser.add_argument("--port", type=port, default=3000, help="with --api: where it listens, on 127.0.0.1")
    parser.add_argument(
        "--debug", type=port, metavar="PORT", help="wait there for a debugger, with --function or --api"
    )
    parser.add_argument("--service", help="with --environment: this nested application alone")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    # Like an interrupt: what was started so far ends in an orderly way. A shell's background jobs ignore interrupts,
    # and so does what they start: `sam` would not end when asked.
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.default_int_handler)
    try:
        if options.environment:
            print(json.dumps(deployed.reach(options).environments(options.service), indent=2, sort_keys=True))
            return 0
        stack = Stack.attach()
        ready = Containers(stack)
        # What cannot run is refused before it is built.
        names = Names.of(resource.path for resource in Deployed(stack.client, stack.outputs).resources())
        if options.function:
            function = names.function(options.function)
            event = sample(function, options.sample)
            with ready as containers:
                return containers.call_by_hand(function, event, options.debug)
        if options.api:
            api = names.api(options.api)
            serving = ["start-api", "--port", str(options.port), "--warm-containers", "LAZY"]
            with ready as containers:
                return containers.by_hand([*serving, *containers.debugging(options.debug)], api)
        with ready as containers:
            return tour(containers, console)
    except TROUBLE as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; no container is left.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
