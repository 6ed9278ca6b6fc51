"""The documentation as a site: built as `make docs` builds it."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from worlds import ROOT


def build(to: Path, root: Path = ROOT, **environment: str) -> str:
    """Build the site.

    Args:
        to: the folder of the site.
        root: the repository.
        environment: what a runner of GitHub's says of the repository.

    Returns:
        What there is to complain about, empty if there is nothing.
    """
    asked = [sys.executable, "-m", "sphinx", "-q", "-E", "-c", str(root / "scripts" / "site")]
    known = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    done = subprocess.run(
        [*asked, "-d", f"{to}-read", str(root), str(to)],
        env=known | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stderr


class Page(HTMLParser):
    """What a page of a site names.

    Args:
        path: of the page.

    Attributes:
        ids: what a link may name behind `#`.
        links: where it leads to.
        loaded: what a browser loads for it: scripts, styles, pictures.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        found = {name: value for name, value in attrs if value is not None}
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(found["href"])
        if "src" in found:
            self.loaded.append(found["src"])
