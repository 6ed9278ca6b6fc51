"""Draw the workflows of `statemachines/` into the pages of `docs/tour`, and lay their files out for people to read.

    python scripts/render_workflows.py            draw, and lay out
    python scripts/render_workflows.py --check    exit with 1 if a diagram is stale or a file is out of shape

Where a diagram belongs is said by a page: between `<!-- drawn from FILE -->` and `<!-- end of the drawing -->`.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from contracts.diagrams import mermaid
from contracts.layout import WIDTH, laid_out, too_long

ROOT = Path(__file__).resolve().parent.parent
STATEMACHINES = ROOT / "statemachines"
TOUR = ROOT / "docs" / "tour"

_PLACE = re.compile(r"(<!-- drawn from (\S+) -->\n).*?(<!-- end of the drawing -->)", re.DOTALL)


def drawn(page: str) -> str:
    """A page with the diagrams that it asks for.

    Args:
        page: Markdown.

    Raises:
        FileNotFoundError: it asks for a file that `statemachines/` does not have.
    """

    def diagram(place: re.Match[str]) -> str:
        definition = json.loads((STATEMACHINES / place[2]).read_text("utf-8"))
        return f"{place[1]}```mermaid\n{mermaid(definition)}```\n{place[3]}"

    return _PLACE.sub(diagram, page)


def renew(path: Path, made: Callable[[str], str]) -> None:
    """Write a file as it should be, if it is not: whoever looks what changed finds nothing else."""
    text = path.read_text("utf-8")
    if (wanted := made(text)) != text:
        path.write_text(wanted, "utf-8")


def problems() -> Iterator[str]:
    """What a person would stumble over, one sentence each."""
    places = set[str]()
    for page in sorted(TOUR.glob("*.md")):
        text = page.read_text("utf-8")
        places |= {place[1] for place in _PLACE.findall(text)}
        if drawn(text) != text:
            yield f"{page.name} is stale: run `make format`."
    for path in sorted(STATEMACHINES.glob("*.asl.json")):
        text = path.read_text("utf-8")
        if path.name not in places:
            yield f"No page of {TOUR.name} has a diagram of {path.name}."
        if laid_out(text) != text:
            yield f"{path.name} is out of shape: run `make format`."
        yield from (f"{path.name}:{number} is longer than {WIDTH} characters." for number in too_long(laid_out(text)))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Draw the workflows into docs/tour, and lay their files out.")
    parser.add_argument("--check", action="store_true", help="only say what is stale or out of shape")
    if not parser.parse_args(arguments).check:
        for path in STATEMACHINES.glob("*.asl.json"):
            renew(path, laid_out)
        for page in TOUR.glob("*.md"):
            renew(page, drawn)
    found = list(problems())
    print("".join(f"{problem}\n" for problem in found), end="", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
