"""Make `docs/access.md`, the page that says who gets which answer at which route.

    python scripts/render_access.py            write the page
    python scripts/render_access.py --check    exit with 1 if the committed page is stale

What stands on it is what `tests/e2e/test_access.py` asks: `scripts/contracts/access.py`.
"""

import sys

from contracts import access, made


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return made.command(
        arguments,
        "Make docs/access.md of the table of access.",
        "render_access.py",
        lambda: {access.PAGE: access.page()},
    )


if __name__ == "__main__":
    sys.exit(main())
