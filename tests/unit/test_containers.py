"""What `make sam-local` makes of samples, templates and answers before it starts a container."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sam_local
import yaml
from laptop import NotRunning, Stack
from operations import containers
from operations.container_tour import told
from operations.containers import Call, NoEngine
from worlds import ROOT
from worlds.templates import functions


@pytest.mark.parametrize("function", ["/".join(function) for function in functions()])
def test_every_function_has_a_sample_to_begin_with(function: str) -> None:
    assert containers.samples(function)


def test_a_sample_comes_first_that_needs_no_earlier_one_and_leaves_no_dead_letter() -> None:
    first = {function: next(iter(containers.samples(function))) for function in map("/".join, functions())}
    assert first == {
        "Orders/ApiFunction": "place-order",
        "Orders/ConsumerFunction": "issued",
        "Orders/MenusFunction": "refused",
        "Orders/ReconcilerFunction": "each-minute",
        "Payments/PaymentsFunction": "authorize",
        "Payments/OutboxRelayFunction": "authorized",
        "Promotions/ApiFunction": "list",
        "Promotions/ConsumerFunction": "delivered",
        "Promotions/OutboxRelayFunction": "issued",
        "Support/ApiFunction": "get-definitions",
        "Notifications/ConsumerFunction": "cancelled",
        "Observability/ConsumerFunction": "delivered",
        "Live/ApiFunction": "issue-ticket",
        "Live/GateFunction": "disconnect",
        "Live/ConsumerFunction": "delivered",
        "KitchensService/ConsumerFunction": "prepared",
        "EstimatesService/ApiFunction": "openapi",
        "EstimatesService/ConsumerFunction": "accepted",
        "EstimatesService/CopyFunction": "uploaded",
    }


@pytest.mark.parametrize(
    ("answer", "failure", "in_a_word"),
    [
        ({"statusCode": 201, "body": "{}"}, "", "201"),
        ({"statusCode": 409, "body": '{"type": "…"}'}, '409: {"type": "…"}', ""),
        ({"batchItemFailures": []}, "", "all taken"),
        ({"batchItemFailures": [{"itemIdentifier": "m-1"}]}, "not taken: [{'itemIdentifier': 'm-1'}]", ""),
        ({"status": "AUTHORIZED"}, "", "AUTHORIZED"),
        ({"errorType": "ClientError", "errorMessage": "AccessDenied"}, "ClientError: AccessDenied", ""),
        (None, "", "done"),
    ],
)
def test_an_answer_is_good_or_says_why_not(answer: Any, failure: str, in_a_word: str) -> None:
    assert containers.failure(answer) == failure
    if not failure:
        assert told(answer) == in_a_word


def test_a_call_took_what_the_report_says() -> None:
    cold = "REPORT RequestId: 1\tInit Duration: 0.50 ms\tDuration: 300.25 ms\tBilled Duration: 301 ms\tMemory"
    warm = "REPORT RequestId: 1\tDuration: 5.25 ms\tBilled Duration: 6 ms\tMemory"
    assert [Call.of("null", said).milliseconds for said in (cold, warm, "")] == [300.75, 5.25, None]


def test_a_container_that_says_nothing_is_a_failure() -> None:
    assert Call.of("", "").failure == "no answer: nothing at all"


def test_what_was_built_declares_where_aws_is_and_is_as_patient_as_the_machine_is_slow(tmp_path: Path) -> None:
    own = {
        "Type": "AWS::Serverless::Function",
        "Properties": {"Environment": {"Variables": {"A": {"Ref": "B"}}}, "Timeout": 30},
    }
    usual = {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b"}}
    service = {"Globals": {"Function": {"Timeout": 15}}, "Resources": {"Own": own, "Usual": usual, "T": {"Type": "X"}}}
    (tmp_path / "Orders").mkdir()
    (tmp_path / "template.yaml").write_text(
        yaml.safe_dump({"Resources": {"Orders": {"Type": "AWS::CloudFormation::Stack"}}})
    )
    (tmp_path / "Orders" / "template.yaml").write_text(yaml.safe_dump(service))

    assert sorted(containers.declare(tmp_path, 2.0)) == ["Orders/Own", "Orders/Usual"]

    made = yaml.safe_load((tmp_path / "Orders" / "template.yaml").read_text())["Resources"]
    declared = dict.fromkeys(
        [
            "AWS_ENDPOINT_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "http_proxy",
            "no_proxy",
        ],
        "",
    )
    assert made["Own"]["Properties"] == {"Environment": {"Variables": {"A": {"Ref": "B"}} | declared}, "Timeout": 60}
    assert made["Usual"]["Properties"] == {"Handler": "a.b", "Environment": {"Variables": declared}, "Timeout": 30}
    assert made["T"] == {"Type": "X"}


def test_a_machine_without_an_engine_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # In a process of its own: Docker's library leaves the socket open that it could not connect.
    program = (
        "from operations import containers\ntry: containers.engine()\nexcept containers.NoEngine as e: print(e.reason)"
    )
    environment = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "No such file or directory" in done.stdout

    def engine() -> None:
        raise NoEngine(done.stdout.strip())

    monkeypatch.setattr(containers, "engine", engine)
    monkeypatch.setattr(Stack, "attach", lambda: SimpleNamespace())
    assert sam_local.main([]) == 1
    assert "`sam local` needs a Docker engine, and none answers" in capsys.readouterr().out


def test_whoever_has_no_stack_is_told_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def attach() -> None:
        raise NotRunning

    monkeypatch.setattr(Stack, "attach", attach)
    assert sam_local.main([]) == 1
    assert "Start one with: make up" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ('{"statusCode": 200, "body": "{}"}', 0),
        ('{"statusCode": 422, "body": "{}"}', 0),
        ('{"statusCode": 500, "body": "{}"}', 1),
        ('{"batchItemFailures": [{"itemIdentifier": "m-1"}]}', 0),
        ('{"errorMessage": "no model", "errorType": "NotTaken", "stackTrace": []}', 1),
        ("null", 0),
        ("", 1),
    ],
)
def test_one_call_ends_with_a_status_that_says_whether_the_function_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, answer: str, status: int
) -> None:
    """To refuse a bad request or a poisonous message is what a function is for, and some samples show just that."""

    class Answering(containers.Containers):
        def _sam(self, arguments: Sequence[str]) -> list[str]:
            return [sys.executable, "-c", f"print({answer!r})", *arguments]

        def _arguments(self, application: str | None = None) -> list[str]:
            return []

    monkeypatch.setattr(containers, "engine", SimpleNamespace)
    stack: Any = SimpleNamespace()
    assert Answering(stack, tmp_path).call_by_hand("Orders/ApiFunction", tmp_path / "event.json", None) == status
    assert answer in capsys.readouterr().out


def test_one_call_ends_with_the_status_of_a_sam_that_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Failing(containers.Containers):
        def _sam(self, arguments: Sequence[str]) -> list[str]:
            return [sys.executable, "-c", "raise SystemExit(3)"]

        def _arguments(self, application: str | None = None) -> list[str]:
            return []

    monkeypatch.setattr(containers, "engine", SimpleNamespace)
    stack: Any = SimpleNamespace()
    assert Failing(stack, tmp_path).call_by_hand("Orders/ApiFunction", tmp_path / "event.json", None) == 3
