"""What the documentation says is there is there, and what it shows runs."""

import doctest
import importlib
import re
import tomllib
from pathlib import Path

import pytest
from worlds import ROOT
from worlds.docs import PAGES, Block, blocks

HERE = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "tests").rglob("README.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: headings in small letters, without punctuation, joined by hyphens."""
    headings = re.findall(r"^#+ (.*)", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def examples() -> list[doctest.DocTest]:
    """Every example in a docstring of the services and the scripts."""
    found = []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for folder in project["tool"]["pytest"]["ini_options"]["pythonpath"]:
        if folder != "tests":
            for path in sorted((ROOT / folder).rglob("*.py")):
                if "node_modules" not in path.parts and ">>> " in path.read_text("utf-8"):
                    module = ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
                    tests = doctest.DocTestFinder().find(importlib.import_module(module))
                    found += [test for test in tests if test.examples]
    return found


@pytest.mark.parametrize("page", HERE, ids=name)
def test_links_lead_to_something(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not re.match(r"[a-z]+:", link) and not (
            target.exists() and (not anchor or target.suffix != ".md" or anchor in anchors(target))
        ):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", HERE, ids=name)
def test_make_has_the_targets_that_pages_name(page: Path) -> None:
    text = page.read_text("utf-8")
    fenced = "".join(re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL))
    named = re.findall(r"`make (?:-s )?([a-z-]+)", text) + re.findall(r"^ *make ([a-z-]+)", fenced, re.MULTILINE)
    assert sorted(set(named) - TARGETS) == []


def test_the_page_on_the_laptop_lists_every_gap() -> None:
    (package,) = (ROOT / "scripts").rglob("gaps/__init__.py")
    filled = {path.stem for path in package.parent.glob("*.py") if "\n\ndef fill(" in path.read_text("utf-8")}
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "laptop.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(filled - {"__init__"})


@pytest.mark.parametrize("block", [block for block in blocks() if not block.needs_an_emulator], ids=str)
def test_a_block_of_python_on_a_page_runs(block: Block) -> None:
    block.run()


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_in_a_docstring_gives_what_it_says(example: doctest.DocTest) -> None:
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    assert "".join(report) == ""
