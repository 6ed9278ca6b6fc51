"""What `make up` runs: start the stack on this machine, and leave it running; again, it deploys what changed.

    .venv/bin/python scripts/up.py [--clock N] [--with kitchens estimates] [--without promotions] [--crowd on|off]

It prints where everything is, and requests to try, and ends. `make down` stops the stack.
"""

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from lab import crowd_process
from laptop import AlreadyRunning, EmulatorError, Stack, web
from laptop.environment import STATE_DIR
from laptop.people import KNOWN, answering_for
from laptop.stack import AWS_ENV
from rich.console import Console
from rich.markup import escape

OPTIONAL = {"kitchens": "Kitchens", "estimates": "Estimates"}
"""Services that are there if asked for, by what a person types: the root template's parameter."""
DISPENSABLE = {"promotions": "Promotions"}
"""Services that a running stack can be left without, by what a person types: the root template's application."""
FASTEST = 10800
"""Three hours in a second; no laptop's functions answer faster."""


def requests_to_try(stack: Stack) -> str:
    """Shell commands that take one order through its life, with ids from the seeded menu, to be pasted as a block.

    They wait for the workflow where they must, and have no comments: an interactive zsh takes a comment for a command.

    Args:
        stack: a stack with menus.
    """
    restaurant, dish = _something_to_eat(stack)
    order = (
        f'{{"restaurant_id": "{restaurant}", "payment_method": "pm_card_visa", '
        f'"lines": [{{"dish_id": "{dish}", "quantity": 2}}], '
        f'"delivery": {{"name": "Ada", "address": "Harbour Street 1"}}}}'
    )
    cook = answering_for(restaurant)
    made = "" if cook in KNOWN.values() else f" ROLE={cook.role} RESTAURANT={restaurant}"
    return f"""\
API={stack.outputs["ApiUrl"]}
PROMOTIONS={stack.outputs.get("PromotionsApiUrl", "")}
SUPPORT={stack.outputs["SupportApiUrl"]}
ADA="Authorization: Bearer $(make -s token USER=ada)"
COOK="Authorization: Bearer $(make -s token USER={cook.name}{made})"
CARL="Authorization: Bearer $(make -s token USER=carl)"
SUE="Authorization: Bearer $(make -s token USER=sue)"
curl -s $API/restaurants/{restaurant}/menu; echo
ANSWER=$(curl -s $API/orders -H "$ADA" -H 'Content-Type: application/json' \\
  -H "Idempotency-Key: $(python3 -c 'import uuid; print(uuid.uuid4())')" \\
  -d '{order}'); printf '%s\\n' "$ANSWER"
ORDER=$(printf '%s' "$ANSWER" | grep -o 'ord_[a-z2-7]*' | head -1)
is() {{
  for turn in $(seq 300); do
    test -z "$ORDER" && break
    curl -s $API/orders/$ORDER -H "$ADA" | grep -q '"status":"'$1'"' && break; sleep 0.2
  done
}}
is AWAITING_RESTAURANT; curl -s -X POST $API/orders/$ORDER/accept -H "$COOK"; echo
is PREPARING; curl -s -X POST $API/orders/$ORDER/dispatch -H "$CARL"; echo
is OUT_FOR_DELIVERY; curl -s -X POST $API/orders/$ORDER/deliver -H "$CARL"; echo
is DELIVERED; curl -s $API/orders/$ORDER -H "$ADA"; echo
for turn in $(seq 100); do
  test -z "$ORDER" -o -z "$PROMOTIONS" && break
  CODES=$(curl -s $PROMOTIONS/promo-codes -H "$ADA"); printf '%s' "$CODES" | grep -q '"code"' && break; sleep 0.2
done; printf '%s\\n' "$CODES"
curl -s $SUPPORT/orders/$ORDER -H "$SUE" | grep -o '"headline": *"[^"]*"'
{_optional_requests(stack)}"""


def _optional_requests(stack: Stack) -> str:
    text = ""
    if "KitchensStreamName" in stack.outputs:
        text += "make stats KITCHENS=1\n"
    if "EstimatesApiUrl" in stack.outputs:
        text += f'curl -s {stack.outputs["EstimatesApiUrl"]}/orders/$ORDER/estimate -H "$ADA"; echo\n'
    return text


def _something_to_eat(stack: Stack) -> tuple[str, str]:
    """A restaurant of the menus table, one with a known person if there is one, and a dish of it."""
    items = stack.client("dynamodb").scan(TableName=stack.outputs["MenusTableName"])["Items"]

    def order(item: dict[str, Any]) -> tuple[bool, str]:
        restaurant: str = item["restaurant_id"]["S"]
        return answering_for(restaurant) not in KNOWN.values(), restaurant

    item: dict[str, Any] = min(items, key=order)
    return item["restaurant_id"]["S"], item["dishes"]["L"][0]["M"]["dish_id"]["S"]


def _from_here(path: Path) -> str:
    """A path as a shell takes it, short if it lies below where we are."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def show(stack: Stack, console: Console) -> None:
    """Print where everything is and what to try."""
    console.print()
    for name, value in stack.outputs.items():
        console.print(f"[bold]{name:<24}[/bold] {escape(value)}", soft_wrap=True, highlight=False)
    if web.URL in stack.outputs:
        people = "\n".join(f"  {person.email:<22} {person.role}" for person in stack.people.welcome())
        console.print(
            f"\n[bold]The console[/bold] is at {stack.outputs[web.URL]}. People sign in there by their address:"
        )
        console.print(people, highlight=False)
        console.print(
            f"  and everybody's password here, {escape(stack.people.password)}", highlight=False, soft_wrap=True
        )
    console.print(
        "\nTo be pasted as a block: tokens, good for 15 minutes; the menu; an order\n"
        "and all its moves; the customer's promo codes; what support is told.\n",
        highlight=False,
    )
    console.print(escape(requests_to_try(stack)), soft_wrap=True, highlight=False)
    if "EstimatesApiUrl" in stack.outputs:
        console.print(
            "A model, and its way into force, with AWS's CLI; who is accepted from then on gets an estimate:\n"
            "make model && aws s3 cp build/estimates.safetensors "
            f"s3://{stack.outputs['ModelsBucketName']}/estimates.safetensors\n",
            soft_wrap=True,
            highlight=False,
        )
    console.print(
        f"AWS's own tools, in a shell of their own: unset AWS_PROFILE; export $(cat {_from_here(STATE_DIR / AWS_ENV)})",
        soft_wrap=True,
        highlight=False,
    )
    console.print(
        f"It runs on {stack.endpoint}, reachable from this machine only. Stop it with: make down", soft_wrap=True
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Start the stack on this machine and leave it running.")
    parser.add_argument(
        "--clock",
        type=_faster,
        help="how much faster time passes for orders that begin from now on: 540 makes three hours of 20 seconds",
    )
    parser.add_argument(
        "--with", dest="services", nargs="+", choices=OPTIONAL, default=[], help="services that are off by default"
    )
    parser.add_argument(
        "--without",
        choices=DISPENSABLE,
        help="a service that is deleted from the stack that runs; it comes back without",
    )
    parser.add_argument(
        "--crowd",
        choices=("on", "off"),
        help="people who order all the time; by default as it is: none, or still there",
    )
    options = parser.parse_args(arguments)
    console = Console()
    # Like an interrupt: what was started so far ends in an orderly way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.without and options.crowd == "on":
        parser.error("a crowd asks for promo codes")
    asked = {OPTIONAL[name]: "true" for name in options.services}
    leave_out = DISPENSABLE.get(options.without, "")
    changed: list[str] | None = None
    try:
        try:
            stack = Stack.up(console, options.clock or 1.0, parameters=asked, stays=True)
            if leave_out:
                stack.update(console, leave_out=leave_out)
        except AlreadyRunning:
            stack = Stack.attach()
            changed = _update(stack, console, asked, options.clock, leave_out)
        crowd = _crowd(options.crowd)
    except EmulatorError as error:
        console.print(f"[red]✗[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped. What was running before this still is; nothing else is left.")
        return 130
    _build_console(console)
    show(stack, console)
    # Last, so that the addresses above do not hide it.
    if changed is not None:
        console.print("\nChanged:" if changed else "\nNothing changed.")
        for line in changed:
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if crowd:
        console.print(crowd, highlight=False, soft_wrap=True)
    return 0


def _build_console(console: Console) -> None:
    """Build the console if its sources changed. Without it all else works, so what fails here fails nothing."""
    if not web.changed():
        return
    try:
        with console.status("Building the console …"):
            web.build()
        console.print("[green]✓[/green] Building the console", highlight=False)
    except web.NotBuilt as why:
        console.print(f"[yellow]![/yellow] The console is left as it is: {escape(str(why))}", soft_wrap=True)
    except KeyboardInterrupt:
        console.print("The console is left as it is.")


def _crowd(asked: str | None) -> str:
    """Let the crowd come, or send it home, and say what became of it; nothing, if nobody asked."""
    if asked == "on":
        came = crowd_process.start()
        return (
            f"{'A crowd orders' if came else 'A crowd is there already'}: {_from_here(STATE_DIR / crowd_process.LOG)}"
        )
    if asked == "off":
        return "The crowd has gone home." if crowd_process.stop() else "There was no crowd."
    return ""


def _update(stack: Stack, console: Console, asked: dict[str, str], clock: float | None, leave_out: str) -> list[str]:
    """Deploy over a stack that runs; returns what changed, in lines."""
    console.print("It is running already; what changed since is deployed over it.")
    changed = stack.update(console, parameters=asked, leave_out=leave_out)
    if clock:
        changed.append(f"clock: {stack.keep_pace(clock).rate:g} times as fast, for orders that begin from now on")
    return changed


def _faster(text: str) -> float:
    """A clock's rate as it is typed."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0, and up to {FASTEST:g}")
    return rate


if __name__ == "__main__":
    sys.exit(main())
