"""What is configured for a deployment, and what the pages say of it, are the same."""

import re

import pytest
from contracts.cloudformation import transformed
from operations.readiness import Environment
from worlds import ROOT

PAGE = (ROOT / "docs/deploying.md").read_text("utf-8")


def needed(template: str) -> set[str]:
    """The parameters of a template that have no default."""
    return {key for key, one in transformed()[template].get("Parameters", {}).items() if "Default" not in one}


def test_every_parameter_of_the_root_is_answered_by_enter() -> None:
    assert needed("template.yaml") == set()


def test_the_page_says_what_each_service_needs_of_the_others() -> None:
    rows = re.findall(r"^\| (`[a-z`, ]+`) \| (.*) \|$", PAGE[PAGE.index("| service | asks for") :], re.MULTILINE)
    told = {
        service: set(re.findall(r"`(\w+)`", row)) for names, row in rows for service in re.findall(r"`(\w+)`", names)
    }
    templates = {path.split("/")[1]: needed(path) for path in transformed() if "/" in path}
    assert told.keys() == templates.keys()
    # Its parameters are what all others are called.
    assert told.pop("observability") == {"EventBusName"}
    assert templates.pop("observability") > {"EventBusName"}
    assert told == templates


@pytest.mark.parametrize(
    ("row", "parameters"),
    [
        ("an address is kept for", ("KeepDeliveriesDays",)),
        ("log lines are kept for", ("LogRetentionDays",)),
        ("requests a second, orders a second", ("RequestsPerSecond", "OrdersPerSecond")),
        ("monthly budget, in US dollars", ("MonthlyBudget",)),
        ("requests of one address in five minutes", ("RequestsPerAddress",)),
    ],
)
def test_the_page_says_what_each_environment_has(row: str, parameters: tuple[str, ...]) -> None:
    [cells] = re.findall(rf"^\| {row} \| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    for environment, cell in zip(("default", "dev", "prod"), cells, strict=True):
        told = re.findall(r"\d+", cell.replace(",", "") if len(parameters) == 1 else cell) or ["0"]
        assert tuple(told) == tuple(Environment.read(environment).parameters[each] for each in parameters)
