"""`make test-stack`: scenarios on a stack that is reached as an account's would be, by its endpoint."""

import os
import subprocess
import sys

import pytest
from laptop import Stack
from laptop.environment import HOST, REGION
from laptop.pace import patience
from worlds import ROOT

pytestmark = pytest.mark.laptop("all")


def run(stack: Stack, *command: str) -> tuple[int, str]:
    """A command with the credentials of the stack's account; its status, and what it says."""
    environment = {**os.environ, **stack.access.variables(), "NO_PROXY": HOST}
    for name in ("AWS_PROFILE", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST"):
        environment.pop(name, None)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=patience(240)
    )
    return done.returncode, done.stdout + done.stderr


def test_scenarios_run_on_a_stack_that_is_named_and_those_that_did_not_are_counted_with_their_reasons(
    stack: Stack,
) -> None:
    which = "the_hold_is_released or wrong_password or three_hours or undelivered"
    status, said = run(stack, "make", "test-stack", "STACK=tiffin", f"REGION={REGION}", f"ONLY={which}")
    assert status == 0, said
    assert f"2 scenarios ran, in the stack tiffin in {REGION}; " in said
    assert " are the laptop's alone:" in said
    assert "need its clock" in said
    assert "break something, or make it up" in said


def test_what_is_not_for_any_stack_is_not_run_on_one(stack: Stack) -> None:
    pytest_on = (sys.executable, "-m", "pytest", "--stack", "tiffin", "--region", REGION)
    status, said = run(stack, *pytest_on, "tests/unit/test_money.py")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "Not for a stack that is deployed: tests/unit/test_money.py" in said
    status, said = run(stack, *pytest_on[:3], "--stack", "tiffin-nowhere", "--region", REGION, "tests/aws")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "tiffin-nowhere" in said
    assert "Traceback" not in said
