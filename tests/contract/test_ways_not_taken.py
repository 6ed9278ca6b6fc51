"""The page on the ways not taken: sketches that a machine can read, whole tables, and the workflow's own figures."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from worlds import ROOT

PAGE = ROOT / "docs" / "ways-not-taken.md"
TEXT = PAGE.read_text("utf-8")
SKETCHES = re.findall(r"^```(python|yaml|xml) sketch\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in SKETCHES if language == "python"]
(YAML,) = [code for language, code in SKETCHES if language == "yaml"]
(XML,) = [code for language, code in SKETCHES if language == "xml"]

#: What a step of Google Workflows may hold ("Search the syntax"), and what a branch of its `switch`.
STEP = {"assign", "call", "args", "result", "switch", "try", "except", "raise", "return", "next", "steps"}
BRANCH = {"condition", "next", "steps", "return", "raise"}


def tables() -> list[list[list[str]]]:
    """Each table of the page, its heading first: rows of cells."""
    found = re.findall(r"(?:^\|.*\|\n)+", TEXT, re.MULTILINE)
    return [[[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()] for table in found]


def ways() -> list[list[list[str]]]:
    return [table for table in tables() if table[0][0] == "way"]


def sources() -> dict[int, list[str]]:
    return {int(row[0]): row[1:] for table in tables() if table[0][1] == "what" for row in table[2:]}


def steps(within: Any) -> Iterator[dict[str, Any]]:
    """Every step of a Google workflow, however deep."""
    if isinstance(within, list):
        for named in within:
            (step,) = named.values()
            assert len(named) == 1
            yield step
            for key in "try", "except":
                yield from steps(step.get(key, {}).get("steps", []))


def test_there_are_five_sketches() -> None:
    assert Counter(language for language, _ in SKETCHES) == {"python": 3, "yaml": 1, "xml": 1}


@pytest.mark.parametrize(
    ("code", "restaurant", "whole"),
    [
        (PYTHON[0], "timedelta(minutes=15)", "timedelta(hours=3)"),
        (YAML, "sys.now() + 900", "sys.now() + 10800"),
        (XML, "PT15M", "PT3H"),
        (PYTHON[1], "timedelta(minutes=15)", "3 * 60 * 60"),
        (PYTHON[2], "15 * 60", 'order["overdue_at"]'),
    ],
    ids=["azure", "google", "camunda", "temporal", "lambda"],
)
def test_a_sketch_authorizes_captures_releases_and_knows_both_clocks(code: str, restaurant: str, whole: str) -> None:
    assert [word for word in ("authorize", "capture", "release", restaurant, whole) if word not in code] == []


@pytest.mark.parametrize("code", PYTHON, ids=["azure", "temporal", "lambda"])
def test_a_sketch_in_python_compiles(code: str) -> None:
    compile(code, str(PAGE), "exec")


def test_the_sketch_in_yaml_has_the_shape_of_a_google_workflow() -> None:
    workflow = yaml.safe_load(YAML)
    found = [step for part in workflow.values() for step in steps(part["steps"])]
    assert "main" in workflow
    assert [set(step) - STEP for step in found if set(step) - STEP] == []
    assert [set(one) - BRANCH for step in found for one in step.get("switch", []) if set(one) - BRANCH] == []
    # A call without a dot in its name is one of a part of this very file, with the parameters that it declares.
    for step in found:
        if "call" in step and "." not in step["call"]:
            assert set(step["args"]) == set(workflow[step["call"]]["params"])


def test_the_sketch_in_xml_is_a_process_that_hangs_together() -> None:
    elements = list(ElementTree.fromstring(XML).iter())  # noqa: S314
    ids = Counter(element.get("id") for element in elements if element.get("id"))
    named = {value for e in elements for key, value in e.items() if key.endswith("Ref") or key == "attachedToRef"}
    kinds = Counter(element.tag.rpartition("}")[2] for element in elements)
    flows = [(e.get("sourceRef"), e.get("targetRef")) for e in elements if e.tag.endswith("}sequenceFlow")]
    assert [name for name, times in ids.items() if times > 1] == []
    assert named - set(ids) == set()
    # Whatever is no end leads on, and whatever begins nothing is led to.
    ends = {e.get("id") for e in elements if e.tag.endswith("}endEvent")}
    begins = {e.get("id") for e in elements if e.tag.endswith(("}startEvent", "}boundaryEvent"))}
    nodes = {e.get("id") for e in elements if e.tag.endswith(("Event", "}serviceTask", "}subProcess", "Gateway"))}
    assert nodes - {source for source, _ in flows} == ends
    assert nodes - {target for _, target in flows} == begins
    # Both ways out of the life other than its end lead to the release.
    borders = {e.get("id") for e in elements if e.tag.endswith("}boundaryEvent")}
    assert {target for source, target in flows if source in borders} == {"release"}
    assert kinds["serviceTask"] == kinds["taskDefinition"] == 3


def test_each_row_of_each_table_has_all_its_cells() -> None:
    short = [row for table in tables() for row in table if len(row) != len(table[0]) or "" in row[1:]]
    assert short == []


def test_the_three_tables_list_the_same_nine_ways() -> None:
    first, *others = [[row[0] for row in table[2:]] for table in ways()]
    assert (len(first), len(others)) == (9, 2)
    assert others == [first, first]


def test_every_number_has_a_source_with_an_address_and_a_date_and_every_source_is_named() -> None:
    listed = sources()
    prose = re.sub(r"^```.*?^```$", "", TEXT.partition("## Sources")[0], flags=re.MULTILINE | re.DOTALL)
    named = {int(number) for group in re.findall(r"\((\d+(?:, \d+)*)\)", prose) for number in group.split(", ")}
    assert named == set(listed)
    assert [number for number, (what, _) in listed.items() if "](https://" not in what] == []
    assert [number for number, (_, date) in listed.items() if not re.search(r"20\d\d|stored cop|of 8\.\d", date)] == []


def test_what_an_order_counts_is_what_the_workflow_does() -> None:
    states = json.loads((ROOT / "statemachines" / "order.asl.json").read_text("utf-8"))["States"]
    kinds: Counter[str] = Counter()
    name = "AnnouncePlaced"
    while name:
        state = states[name]
        waits = ".waitForTaskToken" in state.get("Resource", "")
        kinds["decision" if state["Type"] == "Choice" else "wait" if waits else "call"] += 1
        # The first choice of each decision is the good one: authorized, accepted.
        name = state["Choices"][0]["Next"] if "Choices" in state else state.get("Next", "")
    assert kinds == {"call": 8, "wait": 3, "decision": 2}
    said = re.search(r"is (\d+) calls .*? (\d+) waits .*? (\d+) decisions\. That is (\d+) transitions", TEXT, re.DOTALL)
    assert said is not None
    assert [int(number) for number in said.groups()] == [8, 3, 2, 13]
    assert "13 × $25 = **$325**" in TEXT
