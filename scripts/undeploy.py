"""What `make undeploy` runs: delete a stack, and what its deletion leaves behind.

    python scripts/undeploy.py --stack tiffin-dev --region eu-central-1 [--profile NAME]
    python scripts/undeploy.py --stack tiffin-dev --list      what there is to lose; nothing is deleted

It lists first what outlives the stack, and goes on only once the stack's name has been typed. What `make up` started is
stopped by `make down`, and leaves nothing.
"""

import argparse
import sys

from operations import deployed
from operations.trouble import TROUBLE, plain
from operations.undeploying import CannotUndeploy, Left, Undeployed
from rich.console import Console
from rich.markup import escape


def _show(console: Console, heading: str, things: list[Left]) -> None:
    if things:
        console.print(f"\n[bold]{heading}[/bold]")
    for one in things:
        console.print(escape(f"  {one.kind} {one.name}" + (f": {one.note}" if one.note else "")))


def _is_meant(console: Console, name: str) -> bool:
    """Whether a person typed the name."""
    console.print(
        f"\nWhat is deleted cannot be got back. To delete all of this, type the stack's name, {escape(name)}:"
    )
    return sys.stdin.readline().strip() == name


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Delete a stack, and what its deletion leaves behind.")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    if not options.stack:
        parser.error("say which: --stack")
    console = Console(soft_wrap=True, highlight=False)
    try:
        stack = Undeployed(deployed.clients(options), options.stack)
        status = stack.status()
        removed, stays = stack.left()
        if not status and not removed:
            console.print(f"There is no stack {escape(options.stack)}, and nothing that one of that name left.")
            return 0
        console.print(f"The stack {escape(options.stack)} is {status}." if status else "The stack is deleted already.")
        _show(console, "A deletion leaves these behind; they are deleted after it:", removed)
        _show(console, "These stay:", stays)
        if options.list:
            return 0
        if not _is_meant(console, options.stack):
            console.print("[red]✗[/red] That is not its name. Nothing was deleted.")
            return 1
        for step in stack.delete():
            console.print(f"[green]✓[/green] {escape(step)}")
    except (CannotUndeploy, *TROUBLE) as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped. What is still there is listed when you type the same again.")
        return 130
    console.print("Nothing of it is left.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
