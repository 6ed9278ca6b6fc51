"""Make `docs/events.html`, one browsable page of the event contracts.

    python scripts/render_events.py            write the page
    python scripts/render_events.py --check    exit with 1 if the committed page is stale

What stands on it is said in `events/` and nowhere else.
"""

import argparse
import sys

from contracts import page


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make docs/events.html of the event contracts.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed page is up to date")
    options = parser.parse_args(arguments)
    rendered = page.render()
    if not options.check:
        page.PAGE.write_text(rendered, "utf-8")
        return 0
    if not page.PAGE.exists() or page.PAGE.read_text("utf-8") != rendered:
        print("docs/events.html is stale: run `python scripts/render_events.py`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
