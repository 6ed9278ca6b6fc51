"""An engine for containers, and one tour of the functions in them, which all tests of this folder look at."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from docker.errors import DockerException
from laptop import Stack
from operations import container_tour
from operations.containers import Containers, NoEngine, base_image, engine
from rich.console import Console
from worlds.containers import Been, lambdas

_shown = pytest.StashKey[str]()
_SHOWN = "sam local"


@pytest.fixture(scope="session", autouse=True)
def docker() -> Iterator[Any]:
    """A client of the engine, with Lambda's base image at hand. Without them no test of this folder starts a stack."""
    try:
        client = engine()
    except NoEngine as missing:
        pytest.skip(str(missing))
    if not client.images.list(name=base_image()):
        try:
            client.images.pull(base_image())
        except DockerException as error:
            pytest.skip(f"Lambda's image is not here, and cannot be fetched: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def been(docker: Any, stack: Stack, request: pytest.FixtureRequest) -> Been:
    """Every function and both APIs, once around."""
    before = lambdas(docker)
    events = stack.tap()
    with Containers(stack) as containers:
        tour = container_tour.make(containers)
        deployed, elsewhere = containers.functions, [*containers.elsewhere, *containers.unmounted]
    out = StringIO()
    Console(file=out, width=120).print(container_tour.shown(tour))
    request.config.stash[_shown] = out.getvalue()
    return Been(tour, deployed, elsewhere, lambdas(docker) - before, events)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was measured in a lane of tests to the process that shows it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_SHOWN] = session.config.stash.get(_shown, "")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a lane measured, if it was the one that ran these tests."""
    if shown := getattr(node, "workeroutput", {}).get(_SHOWN):
        node.config.stash[_shown] = shown


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured, whether or not something failed."""
    if shown := terminalreporter.config.stash.get(_shown, ""):
        terminalreporter.section("sam local")
        terminalreporter.write(shown)
