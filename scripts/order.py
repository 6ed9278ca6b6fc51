"""What `make order` runs: one order on the running laptop, with the people who move it, told as it happens.

    .venv/bin/python scripts/order.py [--end delivered|declined|rejected|cancelled|expired] [--customer NAME]

Its id is the last line, and is kept in `.tiffin/last-order`.
"""

import argparse
import secrets
import sys
import time
from contextlib import closing
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
# Whoever waits for the deadline here waits no longer than this.
ENOUGH_SECONDS = 300.0
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


def waiting(stack: Stack) -> float:
    """For how long an order waits on this stack until it expires, in seconds.

    Raises:
        WentWrong: for longer than a person does.
    """
    workflow = workflows.definition(stack.client, stack.outputs["OrderWorkflowArn"])
    seconds = float(workflow["TimeoutSeconds"]) / stack.rate_now()
    if seconds > ENOUGH_SECONDS:
        raise WentWrong(
            f"The courier would be waited for {seconds / 60:.0f} minutes here. Let time run: make up CLOCK=540"
        )
    return seconds


def go(story: Story, teller: Teller, waits: float) -> None:
    """Take a story to its end.

    Raises:
        WentWrong: it comes to none.
    """
    with telling(story):
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
        waits = waiting(stack) if story.ends == "EXPIRED" else 0.0
        with provider("sandbox") as sandbox, closing(Client(stack.outputs, stack.people)) as client, stack.tap() as tap:
            teller = Teller(console, client, tap, sandbox.books(stack), sandbox.declined_method)
            go(story, teller, waits)
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
