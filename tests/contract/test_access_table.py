"""The table of access names every route, and says of each what its API says: a route without a row is found here."""

import importlib
from typing import Any

import pytest
from contracts import access
from contracts.cloudformation import transformed
from tiffin.callers import Access
from worlds import ROOT

SERVICES = sorted(path.parents[1].name for path in ROOT.glob("services/*/*/api.py"))


def access_of(service: str) -> Access:
    app: Any = importlib.import_module(f"{service}.api").app
    table: Access = app.access
    return table


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_of_an_api_and_of_its_template_has_a_row(service: str) -> None:
    rows = {row.route for row in access.ROWS if row.service == service}
    [document] = [
        resource["Properties"]["Body"]
        for resource in transformed()[f"services/{service}/template.yaml"]["Resources"].values()
        if resource["Type"] == "AWS::ApiGateway::RestApi"
    ]
    deployed = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method != "options"
    }
    assert rows == set(access_of(service)) == deployed
    assert access.ASKED[service] in rows


@pytest.mark.parametrize("row", access.ROWS, ids=str)
def test_a_row_says_who_a_route_is_for(row: access.Row) -> None:
    roles = access_of(row.service)[row.route]
    for who, answer in row.answers.items():
        role = who.removeprefix("another ")
        assert (answer == "401") == (roles is not None and who == "nobody"), who
        assert (answer == "403") == (roles is not None and who != "nobody" and role not in roles), who


def test_the_page_is_the_table() -> None:
    assert access.PAGE.read_text("utf-8") == access.page(), "run `python scripts/render_access.py`"
