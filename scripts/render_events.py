"""Make `docs/events.html`, one browsable page of the event contracts.

    python scripts/render_events.py            write the page
    python scripts/render_events.py --check    exit with 1 if the committed page is stale

What stands on it is said in `events/` and nowhere else.
"""

import sys

from contracts import made, page


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return made.command(
        arguments,
        "Make docs/events.html of the event contracts.",
        "render_events.py",
        lambda: {page.PAGE: page.render()},
    )


if __name__ == "__main__":
    sys.exit(main())
