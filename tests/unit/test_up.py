"""What `make up` tells a person to try is something that works."""

import re
import subprocess
from functools import partial
from types import SimpleNamespace
from typing import Any

import down
import pytest
import up
from cfnlint.decode.cfn_yaml import load
from lab import crowd_process
from laptop import AlreadyRunning
from laptop.people import RESTAURANT
from orders.commands import PlaceOrder
from worlds import ROOT


class Table:
    """The menus table."""

    def __init__(self, *more: str) -> None:
        """With more restaurants than r-zaika, which cooks nothing, and r-annapurna."""
        self.more = more

    def scan(self, TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        dish = {"M": {"dish_id": {"S": "dal-tadka"}}}
        restaurants = [("r-zaika", []), ("r-annapurna", [dish]), *((name, [dish]) for name in self.more)]
        return {"Items": [{"restaurant_id": {"S": name}, "dishes": {"L": dishes}} for name, dishes in restaurants]}


def test_the_order_to_try_is_a_valid_one_from_the_menu() -> None:
    outputs = {
        "ApiUrl": "http://127.0.0.1:1/v1",
        "PromotionsApiUrl": "http://127.0.0.1:1/v2",
        "SupportApiUrl": "http://127.0.0.1:1/v3",
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


def test_a_restaurant_whose_person_is_known_is_tried_before_one_of_a_smaller_name() -> None:
    outputs = {
        "ApiUrl": "http://127.0.0.1:1/v1",
        "PromotionsApiUrl": "http://127.0.0.1:1/v2",
        "SupportApiUrl": "http://127.0.0.1:1/v3",
        "MenusTableName": "menus",
    }
    stack: Any = SimpleNamespace(outputs=outputs, client=lambda _: Table(RESTAURANT))

    assert "make -s token USER=bella)" in up.requests_to_try(stack)


class Running:
    """A stack that runs already, and what it is asked for."""

    endpoint = "http://127.0.0.1:1"

    def __init__(self, changes: list[str]) -> None:
        self.changes = changes
        self.asked: list[dict[str, str]] = []
        self.paced: list[float] = []
        self.left_out: list[str] = []
        names = ("ApiUrl", "PromotionsApiUrl", "SupportApiUrl")
        apis = {name: f"{self.endpoint}/v{number}" for number, name in enumerate(names, 1)}
        self.outputs = {**apis, "MenusTableName": "menus"}

    def client(self, _: str) -> Table:
        return Table()

    def update(self, _: Any, *, parameters: dict[str, str], leave_out: str) -> list[str]:
        self.asked.append(parameters)
        self.left_out.append(leave_out)
        return list(self.changes)

    def keep_pace(self, rate: float) -> Any:
        self.paced.append(rate)
        return SimpleNamespace(rate=rate)


def again(monkeypatch: pytest.MonkeyPatch, stack: Running, *typed: str) -> int:
    """`make up` where a stack runs already; its exit status."""

    def up_(*_: Any, **__: Any) -> None:
        raise AlreadyRunning(stack.endpoint)

    monkeypatch.setattr(up, "Stack", SimpleNamespace(up=up_, attach=lambda: stack))
    return up.main(list(typed))


def test_a_stack_that_runs_gets_what_changed_and_is_told_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Running(["Orders/ApiFunction: Code", "menu r-zaika"])
    assert again(monkeypatch, stack, "--with", "estimates", "--clock", "540") == 0
    assert (stack.asked, stack.paced) == ([{"Estimates": "true"}], [540.0])
    told = capsys.readouterr().out
    changed = "Changed:\n  Orders/ApiFunction: Code\n  menu r-zaika\n  clock: 540 times as fast"
    # Below the addresses, which fill a screen.
    assert changed in told.partition("Stop it with: make down")[2]


def test_where_nothing_changed_the_clock_stays_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Running([])
    assert again(monkeypatch, stack) == 0
    assert (stack.asked, stack.paced) == ([{}], [])
    assert "Nothing changed." in capsys.readouterr().out


def test_a_service_is_left_out_once_and_comes_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Running(["Promotions/Api: removed"])
    assert again(monkeypatch, stack, "--without", "promotions") == 0
    assert again(monkeypatch, stack) == 0
    assert stack.left_out == ["Promotions", ""]
    # A crowd uses promo codes.
    with pytest.raises(SystemExit):
        again(monkeypatch, stack, "--without", "promotions", "--crowd", "on")


def test_who_tries_it_without_promotions_asks_for_no_promo_codes() -> None:
    stack: Any = Running([])
    del stack.outputs["PromotionsApiUrl"]
    asked = "\n".join(re.findall(r"for turn in \$\(seq 100\); do.*?done", up.requests_to_try(stack), re.DOTALL))
    run = subprocess.run(
        ["sh", "-c", f"ORDER=ord_x; PROMOTIONS=; {asked}"], capture_output=True, check=True, timeout=10
    )
    assert run.stdout == run.stderr == b""


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--crowd", "on"], ["A crowd orders: ", "A crowd is there already: "]),
        (["--crowd", "off"], ["The crowd has gone home.", "There was no crowd."]),
        ([], []),
    ],
)
def test_a_crowd_comes_and_goes_if_that_was_asked_for_and_else_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: list[str], said: list[str]
) -> None:
    asked = list[str]()

    def does(what: str) -> bool:
        """The second time there is nothing left to do."""
        asked.append(what)
        return len(asked) == 1

    for name in ("start", "stop"):
        monkeypatch.setattr(crowd_process, name, partial(does, name))
    for line in said or [""]:
        assert again(monkeypatch, Running([]), *typed) == 0
        assert line in capsys.readouterr().out
    assert asked == ([{"on": "start", "off": "stop"}[typed[1]]] * 2 if typed else [])


def test_make_down_sends_the_crowd_home_first(monkeypatch: pytest.MonkeyPatch) -> None:
    done = list[str]()
    stack = SimpleNamespace(endpoint="http://127.0.0.1:1", stop=lambda: done.append("stack"))
    monkeypatch.setattr(crowd_process, "stop", lambda: done.append("crowd"))
    monkeypatch.setattr(down, "Stack", SimpleNamespace(attach=lambda: stack))
    assert down.main() == 0
    assert done == ["crowd", "stack"]


@pytest.mark.parametrize("typed", ["0", "-1", "fast", "nan", "inf", "1e9"])
def test_a_clock_that_is_none_is_refused(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        up.main(["--clock", typed])
    assert refused.value.code == 2
    assert f"'{typed}' is no number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "parameter"), up.OPTIONAL.items())
def test_what_is_off_by_default_can_be_switched_on(typed: str, parameter: str) -> None:
    declared = load(str(ROOT / "template.yaml"))["Parameters"][parameter]
    assert (declared["Default"], declared["AllowedValues"]) == ("false", ["true", "false"])
    assert (ROOT / "services" / typed / "template.yaml").is_file()
