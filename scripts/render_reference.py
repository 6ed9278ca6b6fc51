"""Make the pages of `docs/reference/`, and the list of decisions.

    python scripts/render_reference.py            write the pages
    python scripts/render_reference.py --check    exit with 1 if a committed page is stale

What stands on them is said in the templates, the services' code and the documents of their APIs.
"""

import argparse
import sys

import laptop  # noqa: F401 - it lets services be imported
from contracts import reference


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make docs/reference/ of the templates, the code and the APIs.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed pages are up to date")
    options = parser.parse_args(arguments)
    if not options.check:
        reference.REFERENCE.mkdir(parents=True, exist_ok=True)
        for path in reference.stale():
            path.unlink(missing_ok=True)
        for path, text in reference.files().items():
            path.write_text(text, "utf-8")
        return 0
    if stale := reference.stale():
        names = ", ".join(str(path.relative_to(reference.ROOT)) for path in stale)
        print(f"{names}: stale, run `python scripts/render_reference.py`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
