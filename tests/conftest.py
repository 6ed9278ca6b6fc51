"""The deployed stack that workflow and end-to-end tests share: started once, when the first of them asks."""

import os
import random
import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, settings

# As each template sets it. Powertools reads it when the services are imported: before any fixture, and just below.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Tiffin/test"

from lab.costing import METER
from laptop import BusTap, Stack
from laptop.client import Client
from laptop.emulator.launcher import free_port
from laptop.pace import AT_LEAST
from laptop.stack import LANE
from worlds import any_stack
from worlds.aws import aws_in_process
from worlds.described import Described, look, served
from worlds.stack import SENDER, errors_logged
from worlds.templates import EVERYTHING

aws_in_process()
# Speed is no test's matter: on a busy machine anything takes long, and nothing is wrong.
settings.register_profile("however slow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("however slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which stack `make test-stack` is about."""
    any_stack.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find the stack, if one is named; and give the generated tests a seed, unless the command line does."""
    _keep_to_its_lane(config)
    any_stack.find(config)
    if config.getoption("hypothesis_seed") is None:
        config.option.hypothesis_seed = str(random.getrandbits(32))
    if reporter := config.pluginmanager.get_plugin("terminalreporter"):
        reporter.write_line(f"--hypothesis-seed={config.getoption('hypothesis_seed')} repeats what is generated")


def _keep_to_its_lane(config: pytest.Config) -> None:
    """Give a process among several a log and a temporary directory of its own: emulators sweep theirs."""
    told: dict[str, Any] = getattr(config, "workerinput", {})
    # Not by the variable that says so: a test that starts pytest hands it on.
    if lane := told.get("workerid"):
        os.environ[LANE] = f"-{lane}"
        own = Path(config.option.basetemp).with_name(f"{lane}-tmp")
        own.mkdir(exist_ok=True)
        os.environ["TMPDIR"], tempfile.tempdir = str(own), None
        # Whoever measures while the other lanes wait is as slow as they make it, a moment later.
        os.environ.setdefault(AT_LEAST, str(max(1.0, told["workercount"] / (os.cpu_count() or 1))))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the laptop can, on a stack that is named."""
    any_stack.leave_out(config, items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Below a test that failed, what functions logged as errors meanwhile: nobody can look for it afterwards."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        # What failed may be the emulator itself.
        with suppress(BotoCoreError, ClientError):
            report.sections.append(("Errors in functions' logs", "\n".join(errors_logged(stack, call.start))))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many scenarios ran there, and why the others did not."""
    any_stack.say(terminalreporter)


@pytest.fixture(scope="session")
def meter_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stack's emulator counts into: each call to DynamoDB, each invocation, each event."""
    return tmp_path_factory.mktemp("meter") / "meter.jsonl"


@pytest.fixture(scope="session")
def faults_port() -> int:
    """Where the stack's emulator takes faults; as long as nobody puts one in force, all passes."""
    return free_port()


@pytest.fixture(scope="session")
def stack(meter_file: Path, faults_port: int) -> Iterator[Stack]:
    """The real template on the emulator, with all that may be asked for, on a clock that runs true."""
    asked = EVERYTHING | {"NotificationsSender": SENDER}
    # The console has no origin yet; a browser of its pages would say this one.
    asks = {METER: str(meter_file), "TIFFIN_FAULTS": str(faults_port)}
    with Stack.up(env=asks, parameters=asked, lets_in=["https://console.invalid"]) as running:
        yield running


@pytest.fixture(scope="session")
def tap(stack: Stack) -> BusTap:
    """Every event on the bus since the first test that looked."""
    return stack.tap()


@pytest.fixture(scope="session")
def described(stack: Stack) -> dict[str, Described]:
    """What each API of the running stack says of itself, by its URL."""
    return served(stack.outputs)


@pytest.fixture
def client(stack: Stack, described: dict[str, Described]) -> Iterator[Client]:
    """The REST APIs of the running stack. Each answer must be one that the API's own document knows."""
    with closing(Client(stack.outputs, stack.people, look=look(described))) as calls:
        yield calls


@pytest.fixture
def customer(request: pytest.FixtureRequest) -> str:
    """The name of a customer of this test alone."""
    return "cust-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-50:].strip("-")


@pytest.fixture
def subject(stack: Stack, customer: str) -> str:
    """What the services call that customer."""
    return stack.people.subject(customer)
