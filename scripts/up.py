"""What `make up` runs: start the stack on this machine, and leave it running.

    python scripts/up.py [--clock N] [--with kitchens estimates]

It prints where everything is, and requests to try, and ends. `make down` stops the stack.
"""

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from laptop import AlreadyRunning, EmulatorError, Stack
from laptop.environment import STATE_DIR
from laptop.people import KNOWN, answering_for
from laptop.stack import AWS_ENV
from rich.console import Console
from rich.markup import escape

OPTIONAL = {"kitchens": ("Kitchens", "KitchensStreamName"), "estimates": ("Estimates", "EstimatesApiUrl")}
"""Services that are there if asked for, by what a person types: parameter and an output of the root template."""


def requests_to_try(stack: Stack) -> str:
    """Shell commands that take one order through its life, with ids from the seeded menu.

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
    told = "" if cook in KNOWN.values() else f" ROLE={cook.role} RESTAURANT={restaurant}"
    return f"""\
API={stack.outputs["ApiUrl"]}
PROMOTIONS={stack.outputs["PromotionsApiUrl"]}

# who calls, by a token that is good for 15 minutes: a customer, the restaurant, a courier
CUSTOMER="Authorization: Bearer $(make -s token USER=ada)"
RESTAURANT="Authorization: Bearer $(make -s token USER={cook.name}{told})"
COURIER="Authorization: Bearer $(make -s token USER=carl)"

# the menu, and an order with its id
curl -s $API/restaurants/{restaurant}/menu
ORDER=$(curl -s $API/orders -H "$CUSTOMER" -H 'Content-Type: application/json' \\
  -H "Idempotency-Key: $(python3 -c 'import uuid; print(uuid.uuid4())')" \\
  -d '{order}' | grep -o 'ord_[a-z2-7]*' | head -1)

# where it is; then the restaurant accepts, the courier leaves and hands it over
curl -s $API/orders/$ORDER -H "$CUSTOMER"
curl -s -X POST $API/orders/$ORDER/accept -H "$RESTAURANT"
curl -s -X POST $API/orders/$ORDER/dispatch -H "$COURIER"
curl -s -X POST $API/orders/$ORDER/deliver -H "$COURIER"

# a customer's promo codes
curl -s $PROMOTIONS/promo-codes -H "$CUSTOMER"
{_optional_requests(stack)}"""


def _optional_requests(stack: Stack) -> str:
    text = ""
    if "KitchensStreamName" in stack.outputs:
        text += "\n# what each kitchen did\nmake stats KITCHENS=1\n"
    if "EstimatesApiUrl" in stack.outputs:
        text += f"""
# a model, and its way into force, with AWS's CLI; who is accepted from then on gets an estimate
make model && aws s3 cp build/estimates.safetensors s3://{stack.outputs["ModelsBucketName"]}/estimates.safetensors
curl -s {stack.outputs["EstimatesApiUrl"]}/orders/$ORDER/estimate -H "$CUSTOMER"
"""
    return text


def _something_to_eat(stack: Stack) -> tuple[str, str]:
    """A restaurant of the menus table and a dish of it."""
    items = stack.client("dynamodb").scan(TableName=stack.outputs["MenusTableName"])["Items"]
    item: dict[str, Any] = min(items, key=lambda each: str(each["restaurant_id"]["S"]))
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
    console.print()
    console.print(escape(requests_to_try(stack)), soft_wrap=True, highlight=False)
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
        "--clock", type=float, default=1.0, help="how much faster time passes for workflows; 2160 makes 3 h of 5 s"
    )
    parser.add_argument(
        "--with", dest="services", nargs="+", choices=OPTIONAL, default=[], help="services that are off by default"
    )
    options = parser.parse_args(arguments)
    console = Console()
    # Like an interrupt: what was started so far ends in an orderly way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stack = Stack.up(
            console, options.clock, parameters={OPTIONAL[name][0]: "true" for name in options.services}, stays=True
        )
    except AlreadyRunning:
        stack = Stack.attach()
        console.print("It is running already, as it was started.")
        if missing := [name for name in options.services if OPTIONAL[name][1] not in stack.outputs]:
            wanted = " ".join(options.services)
            console.print(
                f'[red]✗[/red] It has no {" and no ".join(missing)}: make down, then make up WITH="{wanted}"',
                highlight=False,
                soft_wrap=True,
            )
            return 1
    except EmulatorError as error:
        console.print(f"[red]✗[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return 130
    show(stack, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
