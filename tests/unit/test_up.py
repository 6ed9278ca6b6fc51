"""What `make up` tells a person to try is something that works."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import up
from cfnlint.decode.cfn_yaml import load
from laptop import AlreadyRunning
from orders.commands import PlaceOrder
from worlds import ROOT


class Table:
    """The menus table."""

    def scan(self, TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        dish = {"M": {"dish_id": {"S": "dal-tadka"}}}
        restaurants = [("r-zaika", []), ("r-annapurna", [dish])]
        return {"Items": [{"restaurant_id": {"S": name}, "dishes": {"L": dishes}} for name, dishes in restaurants]}


def test_the_order_to_try_is_a_valid_one_from_the_menu() -> None:
    outputs = {
        "ApiUrl": "http://127.0.0.1:1/v1",
        "PromotionsApiUrl": "http://127.0.0.1:1/v2",
        "MenusTableName": "menus",
    }
    stack: Any = SimpleNamespace(outputs=outputs, client=lambda _: Table())

    text = up.requests_to_try(stack)

    body = re.search(r"-d '([^']*)'", text)
    assert body
    order = PlaceOrder.model_validate_json(body[1])
    assert (order.restaurant_id, order.lines[0].dish_id) == ("r-annapurna", "dal-tadka")
    assert outputs["ApiUrl"] in text
    # Whoever is no restaurant's person by name is made one.
    assert "make -s token USER=r-annapurna ROLE=restaurant RESTAURANT=r-annapurna" in text
    assert "date +%s" not in text


def test_a_stack_that_runs_without_what_is_asked_for_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def running(*_: Any, **__: Any) -> None:
        raise AlreadyRunning("http://127.0.0.1:1")

    stack: Any = SimpleNamespace(up=running, attach=lambda: SimpleNamespace(outputs={"EstimatesApiUrl": "http://e"}))
    monkeypatch.setattr(up, "Stack", stack)

    assert up.main(["--with", "estimates", "kitchens"]) == 1

    assert 'It has no kitchens: make down, then make up WITH="estimates kitchens"' in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "known"), up.OPTIONAL.items())
def test_what_is_off_by_default_can_be_switched_on(typed: str, known: tuple[str, str]) -> None:
    parameter, output = known
    template = load(str(ROOT / "template.yaml"))
    declared = template["Parameters"][parameter]
    assert template["Outputs"][output]["Condition"] == f"Has{parameter}"
    assert (declared["Default"], declared["AllowedValues"]) == ("false", ["true", "false"])
    assert (ROOT / "services" / typed / "template.yaml").is_file()
