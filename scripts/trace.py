"""What `make trace ORDER=...` runs: where an order is, and why.

    python scripts/trace.py --order ord_... [--json] [--html FILE] [--profile NAME] [--region NAME] [--stack NAME]

It reads the laptop's running stack or, if there is none or it does not know the order, the record that earlier ones
left in `.tiffin/`. With `--profile`, `--region` or `--stack` it reads AWS. The first line
says what happened, in one sentence.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from operations import deployed
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape
from support import story, timeline
from support.facts import UnknownOrder
from tracing import html, sources, text


def as_json(told: timeline.Timeline, said: story.Story) -> dict[str, Any]:
    """The whole timeline for a program; moments are epoch seconds."""
    everything = asdict(told)
    # The history is in the visits, redacted; here it is not.
    everything["executions"] = [
        {key: getattr(e, key) for key in ("arn", "kind", "name", "status", "started", "stopped", "error", "clock")}
        for e in told.executions
    ]
    return {"story": asdict(said), **everything}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Where an order is, and why.")
    parser.add_argument("--order", required=True, help="the order's id")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        told = timeline.build(sources.source(options).facts(options.order))
    except UnknownOrder as unknown:
        console.print(str(unknown), soft_wrap=True, highlight=False)
        return 1
    except TROUBLE as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}", soft_wrap=True, highlight=False)
        return 1
    said = story.tell(told, time.time())
    if options.html:
        options.html.parent.mkdir(parents=True, exist_ok=True)
        options.html.write_text(html.page(told, said), encoding="utf-8")
    if options.json:
        print(json.dumps(as_json(told, said), indent=2))
    elif options.html:
        print(said.sentence)
        print(f"The whole of it: {options.html}")
    else:
        text.show(console, told, said)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever read the first line had what they wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
