"""Make `web/generated/`: what the console is built of that is said in services, templates, workflows and events.

    python scripts/render_console.py            write the files
    python scripts/render_console.py --check    exit with 1 if a committed file is stale

The APIs' OpenAPI documents are asked of their handlers; no stack is needed.
"""

import sys

import laptop  # noqa: F401 - it lets services be imported
from contracts import console, made


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return made.command(
        arguments,
        "Make web/generated/ of the services, their documents, events and rules.",
        "render_console.py",
        console.files,
        console.GENERATED / "*.json",
    )


if __name__ == "__main__":
    sys.exit(main())
