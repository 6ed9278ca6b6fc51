"""No table is read from end to end by what is deployed: neither may it be, nor does any code of a service's ask for it.

What was really asked for in a whole day is in tests/unit/test_a_day_of_all_services.py, and of a running stack in
tests/e2e/test_metered.py.
"""

import json
import re
from fnmatch import fnmatchcase

import pytest
from contracts.cloudformation import deploy, transformed
from contracts.permissions import listed, statements
from lab.isolating import PARAMETERS
from worlds import ROOT

END_TO_END = ["Scan", "PartiQLSelect", "PartiQLUpdate", "PartiQLDelete", "ExportTableToPointInTime"]
ASKS = re.compile(r"\.scan\(|get_paginator\(\s*\"scan\"|execute_statement|dynamodb:scan", re.IGNORECASE)
# Over figures that are kept for days; by two commands of a person, `make stats KITCHENS=1` and `make reread REBUILD=1`.
EXCEPTIONS = {"services/kitchens/kitchens/store.py"}


def allowed() -> list[tuple[str, str, str]]:
    """Whose policies allow what: stack and resource, statement, action."""
    return [
        ("/".join((*stack.path, name)), statement.get("Sid", "-"), action)
        for stack in deploy(transformed(), "tiffin", PARAMETERS)
        for _, name, kind, own in stack.resources()
        if kind.startswith("AWS::IAM::")
        for statement in statements({key: value for key, value in own.items() if key != "AssumeRolePolicyDocument"})
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    ]


@pytest.mark.parametrize("operation", END_TO_END)
def test_no_role_may_read_a_table_from_end_to_end(operation: str) -> None:
    found = allowed()
    assert [one for one in found if fnmatchcase(f"dynamodb:{operation}".lower(), one[2].lower())] == []
    assert ("Orders/ApiFunctionRole", "ReadMenus", "dynamodb:GetItem") in found


def test_no_code_of_a_service_asks_for_it_but_what_is_listed() -> None:
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py")}
    assert {path for path, text in sources.items() if ASKS.search(text)} == EXCEPTIONS


def test_no_workflow_asks_for_it() -> None:
    machines = {path.name: json.loads(path.read_text("utf-8")) for path in (ROOT / "statemachines").glob("*.asl.json")}
    assert len(machines) == 2
    assert {name for name, machine in machines.items() if ASKS.search(json.dumps(machine))} == set()
