"""What a person types at make means what it says."""

import subprocess

import pytest
from worlds import ROOT

SWITCHES = [
    ("redrive QUEUE=promotions", "SEND", "--send"),
    ("prune", "DELETE", "--delete"),
    ("stats", "KITCHENS", "--kitchens"),
    ("reread SINCE=2026-01-31T12:00", "REBUILD", "--rebuild"),
]


def would_run(*arguments: str) -> str:
    # Below another make, such as that of the tests, it would also say which folder it is in.
    asked = ["make", "--dry-run", "--always-make", "--no-print-directory", *arguments]
    return subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("target", "switch", "option"), SWITCHES)
@pytest.mark.parametrize("value", ["1", "yes", "true"])
def test_a_switch_that_is_on_is_passed_on(target: str, switch: str, option: str, value: str) -> None:
    assert option in would_run(*target.split(), f"{switch}={value}")


@pytest.mark.parametrize(("target", "switch", "option"), SWITCHES)
@pytest.mark.parametrize("value", ["", "0", "no", "off", "false"])
def test_a_switch_that_is_off_stays_off(target: str, switch: str, option: str, value: str) -> None:
    assert option not in would_run(*target.split(), f"{switch}={value}")


@pytest.mark.parametrize(
    ("typed", "passed_on"),
    [
        ([], ""),
        (["CROWD="], ""),
        (["CROWD=1"], "--crowd on"),
        (["CROWD=yes"], "--crowd on"),
        (["CROWD=0"], "--crowd off"),
    ],
)
def test_a_crowd_comes_goes_or_stays_as_it_is(typed: list[str], passed_on: str) -> None:
    asked = would_run("up", *typed).partition("scripts/up.py")[2].replace("\\\n", "")
    assert asked.split() == passed_on.split()


@pytest.mark.parametrize(
    ("typed", "passed_on"),
    [
        ("order END=declined CUSTOMER=grace", "scripts/order.py --end declined --customer grace"),
        ("order", "scripts/order.py"),
        ("lesson", "scripts/lesson.py"),
        ("lesson N=2", "scripts/lesson.py begin 2"),
        ("check-lesson N=2", "scripts/lesson.py check 2"),
        ("check-lesson N=11 ORDER=ord_x", "scripts/lesson.py check 11 --answer ord_x"),
        ("up WITHOUT=promotions", "scripts/up.py --without promotions"),
    ],
)
def test_lessons_and_what_they_type_are_passed_on(typed: str, passed_on: str) -> None:
    ran = would_run(*typed.split()).replace("\\\n", "").splitlines()[-1].partition("scripts/")
    assert " ".join((ran[1] + ran[2]).split()) == passed_on


@pytest.mark.parametrize("target", ["export", "forget"])
def test_whose_data_it_is_must_be_said(target: str) -> None:
    assert '--customer "ada@tiffin.example" --region eu-central-1' in " ".join(
        would_run(target, "CUSTOMER=ada@tiffin.example", "REGION=eu-central-1").replace("\\\n", "").split()
    )
    with pytest.raises(subprocess.CalledProcessError):
        would_run(target)


def test_a_user_is_one_that_was_typed_and_not_the_shell_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "whoever-sits-here")
    assert "--user" not in would_run("token")
    assert "--user ada" in would_run("token", "USER=ada")


def test_isolation_takes_a_number_of_orders_and_a_page() -> None:
    assert "scripts/isolation.py --orders 20 --write page.md" in would_run("isolation", "ORDERS=20", "PAGE=page.md")
    assert "--" not in would_run("isolation").partition("scripts/isolation.py")[2]
