"""AWS clients: each call ends while its function still runs, and what is made of them is made once."""

import pytest
from cfnlint.decode.cfn_yaml import load
from tiffin import clients
from worlds import ROOT
from worlds.templates import applications, functions

EVERY_CALL = 9
"""Seconds: two attempts of a second to connect and three to answer, and a second between them."""


@pytest.mark.parametrize(("application", "function"), functions())
def test_a_call_ends_while_its_function_runs(application: str, function: str) -> None:
    template = load(str(ROOT / "services" / applications()[application] / "template.yaml"))
    properties = template.get("Globals", {}).get("Function", {}) | template["Resources"][function]["Properties"]
    assert properties["Timeout"] > EVERY_CALL


def test_the_time_limits_of_a_client_add_up_to_the_longest_call() -> None:
    config = clients.client("sqs").meta.config
    assert (config.connect_timeout + config.read_timeout) * config.retries["total_max_attempts"] + 1 == EVERY_CALL


def test_whoever_asks_alike_gets_the_same_client() -> None:
    assert clients.client("sqs") is clients.client("sqs")
    assert clients.client("sqs") is not clients.client("sqs", attempts=1)


@pytest.mark.parametrize(("in_lambda", "at_first"), [(True, 1), (False, 0)])
def test_a_thing_is_made_once_at_import_in_lambda_and_at_first_use_elsewhere(
    monkeypatch: pytest.MonkeyPatch, in_lambda: bool, at_first: int
) -> None:
    if in_lambda:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    made: list[str] = []

    @clients.once
    def thing() -> str:
        made.append("thing")
        return made[-1]

    assert len(made) == at_first
    assert thing() == thing() == "thing"
    assert len(made) == 1
