"""What `make permissions` runs: take each statement of the templates' policies away, and see that something fails.

    python scripts/permissions.py [--only PATTERN] [--write docs/permissions.md]

What is taken away, and which story needs it: `scripts/lab/permissions.py`.
"""

import argparse
import os
import platform
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from lab import permissions
from lab.isolating import PARAMETERS
from lab.permissions import NotNeeded, Piece, Verdict, World
from laptop import EmulatorError, Stack
from rich.console import Console
from rich.markup import escape


def page(verdicts: list[Verdict], hidden: list[tuple[Piece, str]], seconds: float) -> str:
    """The run as a page of the documentation."""
    shown = "\n".join(
        f"| `{v.piece.resource}` | {v.piece.sid} | `{v.piece.action}` | {v.story} | {_short(v.failed or '')} |"
        for v in verdicts
    )
    reasons = Counter(reason for _, reason in hidden)
    of = {reason: sorted({f"`{p.resource}` {p.sid}" for p, r in hidden if r == reason}) for reason in reasons}
    rest = "\n".join(f"| {reason} | {number} | {', '.join(of[reason])} |" for reason, number in reasons.items())
    machine = f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}, Python {platform.python_version()})"
    return f"""# Permissions

<!-- Written by `make permissions`. Do not edit: run it. -->

{len(verdicts) + len(hidden)} actions stand in the templates' policies, with all deployed that can be asked for and the
sandbox as card gateway. {len(verdicts)} of them were taken away, one at a time, from the running stack: each time
the smallest story that needs it failed, and once it was back, the story ended well. Before that, each story
was seen to end well within the same {permissions.QUICK:g} seconds for a step (more on a busy machine): so an
effect that was missing was not just late.

{len(hidden)} of them the emulator cannot show, each for a reason below: nothing here says that these are needed, or
that they suffice. [deploying.md](deploying.md#not-yet-proven-on-aws) has rows for most of them. Not taken
away either: who may take a role (trust policies), and the right to read Stripe's key, which is there with
Stripe alone.

One run of {seconds / 60:.0f} minutes on {machine}, {datetime.now(UTC):%d %B %Y}.

## Taken away, and missed

| policy | statement | action | the story | what failed |
|---|---|---|---|---|
{shown}

## Not shown by the emulator

| why | actions | where |
|---|---|---|
{rest}
"""


def _short(text: str) -> str:
    plain = text.replace("|", "/")
    for word in plain.split():
        if word.startswith(("ord_", "arn:", "http")):
            plain = plain.replace(word, word.split("_")[0] + "_…" if word.startswith("ord_") else "…")
    return plain if len(plain) <= 110 else f"{plain[:109]}…"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Take each statement away, and see that something fails.")
    parser.add_argument("--only", default="*", help="what is taken away, as a pattern of resource/statement/action")
    parser.add_argument("--write", type=Path, help="where the page goes")
    options = parser.parse_args(arguments)
    if options.write and not options.write.parent.is_dir():
        parser.error(f"there is no folder {options.write.parent}")
    console = Console(width=None if sys.stdout.isatty() else 160)
    began = time.monotonic()
    chosen = [piece for piece in permissions.pieces() if fnmatchcase(str(piece), options.only)]
    judged: list[tuple[Piece, str]] = []
    hidden: list[tuple[Piece, str]] = []
    wrong = []
    for piece in chosen:
        if story := permissions.story_of(piece):
            judged.append((piece, story))
        elif reason := permissions.reason_of(piece):
            hidden.append((piece, reason))
        else:
            wrong.append(f"{piece} is in neither list of scripts/lab/permissions.py")
    verdicts = []
    try:
        with Stack.up(console, parameters=PARAMETERS) as stack, closing(World(stack)) as world:
            permissions.prepare(world, {story for _, story in judged})
            for piece, story in judged:
                verdict = world.judge(piece, story)
                verdicts.append(verdict)
                bad = [
                    *([] if verdict.failed else [f"{piece}: without it, {story} all the same"]),
                    *([f"{piece}: once it is back, not yet: {story}: {verdict.well}"] if verdict.well else []),
                ]
                wrong += bad
                mark = "[red]✗[/red]" if bad else "[green]✓[/green]"
                console.print(
                    f"{mark} {piece} [dim]{verdict.seconds:.1f} s[/dim] {escape(_short(verdict.failed or ''))}"
                )
    except (NotNeeded, EmulatorError) as error:
        wrong.append(str(error))
    except KeyboardInterrupt:
        return 130
    for line in wrong:
        console.print(f"[red]✗[/red] {escape(line)}", highlight=False, soft_wrap=True)
    console.print(f"{len(verdicts)} taken away, {len(hidden)} that the emulator cannot show, {len(wrong)} wrong")
    if options.write and not wrong:
        options.write.write_text(page(verdicts, hidden, time.monotonic() - began))
        console.print(f"Written: {options.write}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
