"""`make doctor` asks an account, here the laptop's, by nothing but its endpoint and credentials."""

import os
import subprocess
import sys

import pytest
from laptop import Stack
from laptop.environment import REGION
from worlds import ROOT

pytestmark = pytest.mark.laptop("all")

PATH = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"


def doctor(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "scripts/doctor.py", *options]
    given = {"PATH": PATH, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nowhere", **environment}
    return subprocess.run(asked, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def marks(printed: str) -> dict[str, str]:
    """The mark of each check."""
    return {line[2:21].strip(): line[0] for line in printed.splitlines() if line[:1] in "✓✗–" and line}


def test_an_account_that_has_all_lacks_nothing(stack: Stack) -> None:
    ended = doctor(stack.access.variables(), "--region", REGION)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = marks(ended.stdout)
    assert {what for what, mark in found.items() if mark == "✗"} == set()
    assert "tiffin is CREATE_COMPLETE" in ended.stdout
    assert f"AWS_ENDPOINT_URL is set: what follows is told by {stack.endpoint}" in ended.stdout
    assert (found["credentials"], found["region"], found["stack"], found["access logs"]) == ("✓", "✓", "✓", "–")


def test_credentials_that_are_refused_are_told_in_a_line(stack: Stack) -> None:
    wrong = stack.access.variables() | {"AWS_SECRET_ACCESS_KEY": "of-another-start"}
    ended = doctor(wrong, "--region", REGION)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert marks(ended.stdout)["credentials"] == "✗"


def test_without_a_region_a_profile_or_an_environment_it_says_what_to_type() -> None:
    for options, told in (
        ((), "say REGION="),
        (("--profile", "nobody"), "aws configure list-profiles"),
        (("--environment", "staging"), "no environment staging"),
    ):
        ended = doctor({}, *options)
        assert (ended.returncode, ended.stderr) == (1, "")
        assert told in ended.stdout
