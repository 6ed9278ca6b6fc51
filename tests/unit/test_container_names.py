"""What `make sam-local` is asked for by name is found, or refused with the reason, before anything is built."""

from types import SimpleNamespace
from typing import Never

import pytest
import sam_local
from laptop import Stack
from operations.container_names import Names, NotHere
from operations.containers import Containers
from operations.deployed import Deployed, Resource
from worlds.templates import applications

USUAL = [f"{each}/Function" for each in applications() if each not in ("KitchensService", "EstimatesService")]
ALL = [f"{each}/Function" for each in applications()]


@pytest.mark.parametrize("wanted", ["Kitchens/ConsumerFunction", "KitchensService/ConsumerFunction"])
def test_a_function_is_found_with_and_without_the_ending_of_its_application(wanted: str) -> None:
    assert Names.of(ALL).function(wanted) == "KitchensService/ConsumerFunction"


@pytest.mark.parametrize(
    ("wanted", "application"),
    [("Orders", "Orders"), ("Estimates", "EstimatesService"), ("EstimatesService", "EstimatesService")],
)
def test_an_api_is_found_by_its_application(wanted: str, application: str) -> None:
    assert Names.of(ALL).api(wanted) == application


def test_a_function_that_is_not_deployed_is_refused_with_how_to_deploy_it() -> None:
    with pytest.raises(NotHere, match=r"^Kitchens/ConsumerFunction is not deployed here: .*make up WITH=kitchens$"):
        Names.of(USUAL).function("KitchensService/ConsumerFunction")


@pytest.mark.parametrize("deployed", [USUAL, ALL])
def test_a_function_on_a_file_system_is_refused_with_the_reason(deployed: list[str]) -> None:
    with pytest.raises(NotHere, match=r"^Estimates/ConsumerFunction works on a file system, and SAM mounts none"):
        Names.of(deployed).function("Estimates/ConsumerFunction")


def test_a_misspelt_function_is_answered_with_those_that_can_run() -> None:
    with pytest.raises(NotHere) as refused:
        Names.of([*USUAL, "EstimatesService/ApiFunction"]).function("Order/ApiFunction")
    assert str(refused.value) == (
        "There is no function Order/ApiFunction. There are Orders/ApiFunction, Orders/ReconcilerFunction, "
        "Orders/ConsumerFunction, Orders/MenusFunction, Payments/PaymentsFunction, Payments/OutboxRelayFunction, "
        "Promotions/ApiFunction, Promotions/ConsumerFunction, Promotions/OutboxRelayFunction, "
        "Support/ApiFunction, Notifications/ConsumerFunction, Observability/ConsumerFunction, Live/ApiFunction, "
        "Live/GateFunction, Live/ConsumerFunction, Estimates/ApiFunction."
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--api", "promotions"],
            "There is no API promotions. There are Orders, Promotions, Support, Live, Estimates.",
        ),
        (["--api", "Estimates"], "Estimates is not deployed here: make down, and make up WITH=estimates"),
        (["--function", "Foo"], "There is no function Foo."),
        (["--function", "Orders/ApiFunction", "--sample", "foo"], "Orders/ApiFunction has no sample 'foo'; it has"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    def build(_: Containers) -> Never:
        raise AssertionError("It was built.")

    def resources(_: Deployed) -> list[Resource]:
        return [Resource(path, "AWS::Lambda::Function", "") for path in USUAL]

    monkeypatch.setattr("operations.containers.engine", lambda: None)
    monkeypatch.setattr(Stack, "attach", lambda: SimpleNamespace(client=None, outputs={}))
    monkeypatch.setattr(Deployed, "resources", resources)
    monkeypatch.setattr(Containers, "__enter__", build)
    assert sam_local.main(arguments) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--port", "--debug"])
@pytest.mark.parametrize("port", ["0", "70000", "-1", "http"])
def test_a_port_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], option: str, port: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        sam_local.main(["--api", "Orders", f"{option}={port}"])
    assert f"a port is a number from 1 to 65535, not {port!r}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["1", "3000", "65535"])
def test_a_port_is_a_number(text: str) -> None:
    assert sam_local.port(text) == int(text)
