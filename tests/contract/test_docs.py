"""What the documentation says is there is there, and what it shows runs."""

import ast
import doctest
import importlib
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml
from contracts import schemas
from lessons.pages import lessons
from worlds import ROOT
from worlds.docs import PAGES, RUN_BY, Block, blocks

CHANGED = json.loads((schemas.EVENTS / "messages" / "Changed.json").read_text("utf-8"))
RUN = {"python", "mermaid", "json"}
"""Languages of blocks that are run, drawn or read wherever they stand (`worlds.docs` says by what)."""
TYPED = {"sh", "diff", "text"}
"""Those of blocks that a test types, applies or compares, page by page."""
PASTED = ""
MARKS = {"output", "sketch", "drawing"}
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


@pytest.mark.parametrize("page", PAGES, ids=name)
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


@pytest.mark.parametrize("page", PAGES, ids=name)
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


@pytest.mark.parametrize("block", [block for block in blocks("python") if not block.needs_an_emulator], ids=str)
def test_a_block_of_python_on_a_page_runs(block: Block) -> None:
    block.run()


def test_a_block_is_run_by_a_named_test_or_pasted_or_marked_as_what_it_is() -> None:
    lost = [
        f"{block}: {block.language} {block.mark}"
        for block in blocks(mark=None)
        if not (
            block.mark in MARKS
            if block.mark
            else block.language in {*RUN, PASTED} or (block.language in TYPED and block.page in RUN_BY)
        )
    ]
    assert lost == []


def test_a_page_is_typed_by_the_test_that_is_named() -> None:
    # The lessons are found by their numbers.
    assert [page.name for page, test in RUN_BY.items() if not_named(page, (ROOT / test).read_text("utf-8"))] == []
    # Whose page has changes applies them.
    extending = (ROOT / "tests" / "contract" / "test_extending.py").read_text("utf-8")
    changed = {block.page for block in blocks("diff")} - {lesson.page for lesson in lessons().values()}
    assert {page.name for page in changed} <= set(re.findall(r'copy\.apply\("([^"]+)"\)', extending))


def not_named(page: Path, test: str) -> bool:
    return page not in {lesson.page for lesson in lessons().values()} and f'{page.name}"' not in test


@pytest.mark.parametrize("block", [each for each in blocks("sh") if each.page.name == "events.md"], ids=str)
def test_a_command_that_needs_no_more_than_the_tree_runs(block: Block) -> None:
    subprocess.run(["bash", "-e", "-c", block.code], cwd=ROOT, check=True)


@pytest.mark.parametrize("block", blocks("json", mark=None), ids=str)
def test_a_block_of_json_can_be_read_and_is_valid_if_it_has_a_contract(block: Block) -> None:
    content = json.loads(block.code)
    if "detail-type" in content:
        schemas.validate(content)
    if content.get("type") == "changed":
        jsonschema.validate(content, CHANGED, format_checker=jsonschema.FormatChecker())


def parsed_by_node(code: str) -> None:
    check = [str(ROOT / ".venv/bin/node"), "--input-type=module", "--check", "-"]
    done = subprocess.run(check, input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


FORMS: dict[str, Callable[[str], Any]] = {
    "python": ast.parse,
    "yaml": yaml.safe_load,
    "xml": ElementTree.fromstring,
    "js": parsed_by_node,
}


@pytest.mark.parametrize("block", blocks(mark="sketch"), ids=str)
def test_a_sketch_has_the_form_of_its_language(block: Block) -> None:
    FORMS[block.language](block.code)


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_in_a_docstring_gives_what_it_says(example: doctest.DocTest) -> None:
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    assert "".join(report) == ""
