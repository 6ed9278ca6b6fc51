"""Make `docs/access.md`, the page that says who gets which answer at which route.

    python scripts/render_access.py            write the page
    python scripts/render_access.py --check    exit with 1 if the committed page is stale

What stands on it is what `tests/e2e/test_access.py` asks: `scripts/contracts/access.py`.
"""

import argparse
import sys

from contracts import access


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make docs/access.md of the table of access.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed page is up to date")
    options = parser.parse_args(arguments)
    rendered = access.page()
    if not options.check:
        access.PAGE.write_text(rendered, "utf-8")
        return 0
    if not access.PAGE.exists() or access.PAGE.read_text("utf-8") != rendered:
        print("docs/access.md is stale: run `python scripts/render_access.py`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
