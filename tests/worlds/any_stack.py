"""Scenarios on a stack that the command line names, and why the others are the laptop's alone."""

from collections import Counter
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from laptop import EmulatorError
from operations import deployed
from operations.deployed import Deployed
from operations.scenarios import RealMoney, must_be_for_tests

from worlds import ROOT

ANYWHERE = ROOT / "tests" / "aws"
"""The scenarios that run on any stack. Whatever lies elsewhere never reaches an account."""
WHY = {
    "clock": "need its clock",
    "fault": "break something, or make it up",
    "inside": "look at what the emulator alone shows",
    "all": "look at all that is in an account",
    "many": "are more at once than a stack lets through",
    "harm": "do what a guarded front door takes for an attack",
    "own": "deploy a stack of their own",
}
"""Why a scenario is the laptop's alone, by the word that its marker `laptop` has."""
STACK = pytest.StashKey[Deployed]()
_LEFT_OUT = pytest.StashKey[Counter[str]]()


def add_options(parser: pytest.Parser) -> None:
    """The options that say which stack; without them tests start their own on this machine."""
    group = parser.getgroup("tiffin", "a stack that is deployed")
    group.addoption("--stack", metavar="NAME", help="run the scenarios of tests/aws on it")
    group.addoption("--profile", help="it is on AWS, for this profile")
    group.addoption("--region", help="it is on AWS, in this region")


def find(config: pytest.Config) -> None:
    """Find the stack that is named, if one is.

    Raises:
        UsageError: there is none, or it is not for tests.
    """
    if not config.option.stack:
        if config.option.profile or config.option.region:
            raise pytest.UsageError("Say which stack: --stack tiffin")
        return
    try:
        there = deployed.reach(config.option)
        must_be_for_tests(there)
    except (EmulatorError, ClientError, BotoCoreError, RealMoney) as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[STACK] = there


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the laptop can, if a stack is named.

    Raises:
        UsageError: something else is asked for that no account is to see.
    """
    if STACK not in config.stash:
        return
    marked = [(item, item.get_closest_marker("laptop")) for item in items]
    config.stash[_LEFT_OUT] = Counter(str(marker.args[0]) for _, marker in marked if marker)
    config.hook.pytest_deselected(items=[item for item, marker in marked if marker])
    items[:] = [item for item, marker in marked if not marker]
    if stray := {str(item.path.relative_to(ROOT)) for item in items if not _is_for_any(item.path)}:
        raise pytest.UsageError(f"Not for a stack that is deployed: {', '.join(sorted(stray))}")


def say(reporter: pytest.TerminalReporter) -> None:
    """Say how many scenarios ran on the stack that is named, and how many did not and why."""
    there = reporter.config.stash.get(STACK, None)
    if there is None:
        return
    left_out = reporter.config.stash.get(_LEFT_OUT, Counter())
    ran = sum(len(reporter.getreports(outcome)) for outcome in ("passed", "failed"))
    reporter.write_line(f"{_scenarios(ran)} ran, {there}; {left_out.total()} are the laptop's alone:")
    for why, number in left_out.most_common():
        reporter.write_line(f"  {number:>4} {WHY[why]}")


def _scenarios(number: int) -> str:
    return f"{number} scenario{'' if number == 1 else 's'}"


def _is_for_any(path: Path) -> bool:
    return path.is_relative_to(ANYWHERE)
