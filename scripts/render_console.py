"""Make `web/generated/`: what the console is built of that is said in the services' code, templates and events.

    python scripts/render_console.py            write the files
    python scripts/render_console.py --check    exit with 1 if a committed file is stale

The APIs' OpenAPI documents are asked of their handlers; no stack is needed.
"""

import argparse
import sys

import laptop  # noqa: F401 - it lets services be imported
from contracts import console


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make web/generated/ of the services, their documents and events.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed files are up to date")
    options = parser.parse_args(arguments)
    if not options.check:
        console.GENERATED.mkdir(parents=True, exist_ok=True)
        for path in console.stale():
            path.unlink(missing_ok=True)
        for path, text in console.files().items():
            path.write_text(text, "utf-8")
        return 0
    if stale := console.stale():
        names = ", ".join(path.name for path in stale)
        print(f"web/generated is stale ({names}): run `python scripts/render_console.py`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
