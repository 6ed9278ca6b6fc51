"""What `make order` runs: one order on the running laptop, with the people who move it, told as it happens.

    .venv/bin/python scripts/order.py [--end delivered|declined|rejected|cancelled|expired] [--customer NAME]

Its id is the last line, and is kept in `.tiffin/last-order`.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace

from laptop import EmulatorError, Stack, private
from laptop.client import Client
from laptop.environment import STATE_DIR
from laptop.pace import Deadline
from laptop.providers import provider
from laptop.stories import PATIENCE, STORIES, Story, Teller, WentWrong, telling
from operations import workflows
from rich.console import Console
from rich.markup import escape

LAST = STATE_DIR / "last-order"
# On a quiet machine somebody at it waits so long for a deadline; at most so long.
SOON_SECONDS, ENOUGH_SECONDS = 20.0, 300.0
TITLES = {
    "DELIVERED": "{} orders pizza, and it arrives.",
    "DECLINED": "{}'s card is declined.",
    "REJECTED": "{} orders, and the restaurant has run out of dough.",
    "CANCELLED": "{} changes their mind before the restaurant answers.",
    "EXPIRED": "{} orders, and the courier never comes.",
}


def story_of(end: str, customer: str) -> Story:
    """A story of one customer that ends so."""
    (told,) = (story for story in STORIES if story.ends == end)
    return replace(told, title=TITLES[end].format(customer), customer=customer, order={}, seen=[], taken=set())


@contextmanager
def soon(stack: Stack, console: Console) -> Iterator[float]:
    """Let time run while an order begins, which keeps that clock, if it passes by itself elsewhere.

    Yields:
        Seconds after which the order expires.

    Raises:
        WentWrong: more than a person waits for.
    """
    workflow = workflows.definition(stack.client, stack.outputs["OrderWorkflowArn"])
    whole, by_itself = float(workflow["TimeoutSeconds"]), stack.rate_now() == 1
    if by_itself and whole > SOON_SECONDS:
        stack.keep_pace(whole / SOON_SECONDS)
    waits = whole / stack.clock.rate
    try:
        if waits > ENOUGH_SECONDS:
            raise WentWrong(f"The courier would be waited for {waits / 60:.0f} minutes. Let time pass: make up CLOCK=1")
        console.print(f"Time runs {stack.clock.rate:.0f} times as fast for this order.", highlight=False)
        yield waits
    finally:
        if by_itself:
            stack.keep_pace(1.0)


def go(story: Story, teller: Teller, clock: AbstractContextManager[float]) -> None:
    """Take a story to its end.

    Args:
        story: the order's.
        teller: plays its people.
        clock: held while the order begins; gives the seconds for which nothing will happen.

    Raises:
        WentWrong: it comes to no end.
    """
    with telling(story):
        with clock as waits:
            teller.begin(story)
        teller.title(story)
        deadline = Deadline(PATIENCE, waits)
        while not teller.go_on(story, tell=True):
            if deadline.passed():
                raise WentWrong(f"It is {story.order['status']} and goes no further")
            time.sleep(0.05)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Take one order on the running laptop to its end.")
    parser.add_argument("--end", choices=[end.lower() for end in TITLES], default="delivered", help="how it ends")
    parser.add_argument("--customer", help="whose order it is, by name; by default somebody who never ordered")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    story = story_of(options.end.upper(), options.customer or f"guest-{secrets.token_hex(3)}")
    try:
        stack = Stack.attach()
        clock = soon(stack, console) if story.ends == "EXPIRED" else nullcontext(0.0)
        with provider("sandbox") as sandbox, closing(Client(stack.outputs, stack.people)) as client, stack.tap() as tap:
            teller = Teller(console, client, tap, sandbox.books(stack), sandbox.declined_method)
            go(story, teller, clock)
            with telling(story):
                teller.sum_up(story, "PromotionsApiUrl" in stack.outputs)
    except (EmulatorError, WentWrong, ValueError) as wrong:
        console.print(f"[red]✗[/red] {escape(str(wrong))}", highlight=False, soft_wrap=True)
        return 1
    private.file(LAST).write_text(f"{story.order['order_id']}\n")
    console.print(f"\n{story.order['order_id']}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
