"""Make the pages of `docs/reference/`, and the list of decisions.

    python scripts/render_reference.py            write the pages
    python scripts/render_reference.py --check    exit with 1 if a committed page is stale

What stands on them is said in the templates, the services' code, the event contracts and the documents of the APIs.
"""

import sys

import laptop  # noqa: F401 - it lets services be imported
from contracts import made, reference


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return made.command(
        arguments,
        "Make docs/reference/ of the templates, the code, the contracts and the APIs.",
        "render_reference.py",
        reference.files,
        reference.REFERENCE / "*.md",
    )


if __name__ == "__main__":
    sys.exit(main())
