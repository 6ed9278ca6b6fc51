"""Make the tables of `docs/compare.md` that are counted: which files and places each way has, what it is made of.

    python scripts/render_compare.py            write them
    python scripts/render_compare.py --check    exit with 1 if the committed ones are stale

What is measured is written there by `make compare PAGE=docs/compare.md`.
"""

import sys

from contracts import made
from lab import columns


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return made.command(
        arguments,
        "Make the tables of docs/compare.md that are counted.",
        "render_compare.py",
        columns.files,
    )


if __name__ == "__main__":
    sys.exit(main())
