"""What `make doctor` says before anybody deploys, of machines and accounts of every kind."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from operations.readiness import (
    MISSING,
    OK,
    OPEN,
    Account,
    Environment,
    UnknownEnvironment,
    of_the_build,
    of_this_machine,
    runs,
)
from samcli.cli.types import CfnParameterOverridesType
from worlds import ROOT

ROLE = "arn:aws:iam::123456789012:role/logs"


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Asked")


class Answering:
    """An AWS account that answers as it is told, by service and operation; an exception is raised."""

    fine: Mapping[str, Any] = {
        "sts.get_caller_identity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ada"},
        "cloudformation.describe_stacks": refused("ValidationError", "Stack with id tiffin does not exist"),
        "lambda.get_account_settings": {
            "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
        },
        "iam.get_account_summary": {"SummaryMap": {"Roles": 20, "RolesQuota": 1000}},
        "apigateway.get_account": {},
        "sesv2.get_account": {
            "SendingEnabled": True, "ProductionAccessEnabled": True, "SendQuota": {"MaxSendRate": 14.0},
        },
        "sesv2.get_email_identity": {"VerifiedForSendingStatus": True},
        "secretsmanager.describe_secret": {"Name": "tiffin/stripe"},
        "ec2.describe_vpcs": {"Vpcs": [{}]},
        "service-quotas.get_service_quota": {"Quota": {"Value": 5.0}},
    }  # fmt: skip

    def __init__(self, **answers: Any) -> None:
        self._answers = {**self.fine, **answers}

    def __call__(self, service: str) -> Any:
        answers = self._answers

        class Client:
            def __getattr__(self, operation: str) -> Callable[..., Any]:
                def answer(**_: Any) -> Any:
                    given = answers[f"{service}.{operation}"]
                    if isinstance(given, Exception):
                        raise given
                    return given

                return answer

        return Client()


def found(answers: Mapping[str, Any] | None = None, **parameters: str) -> dict[str, tuple[str, str]]:
    """State and text of each check of an account, with a stack of these parameters."""
    environment = Environment.read("default")
    environment = replace(environment, parameters={**environment.parameters, **parameters})
    account = Account(Answering(**(answers or {})), environment)
    return {finding.what: (finding.state, finding.told) for finding in account.findings()}


class TestThisMachine:
    def test_a_machine_with_all_of_it_lacks_nothing(self) -> None:
        assert {each.state for each in of_this_machine(lambda name: f"/bin/{name}", (3, 11))} == {OK}

    @pytest.mark.parametrize("program", ["make", "uv", "sam"])
    def test_a_program_that_is_needed_and_not_there_is_named(self, program: str) -> None:
        states = {
            each.what: each.state for each in of_this_machine(lambda name: None if name == program else "/bin", (3, 13))
        }
        assert [what for what, state in states.items() if state == MISSING] == [program]

    def test_docker_may_be_missing(self) -> None:
        states = {
            each.what: each.state for each in of_this_machine(lambda name: None if name == "docker" else "/", (3, 13))
        }
        assert states["Docker"] == OPEN
        assert MISSING not in states.values()

    def test_an_old_python_is_told_apart(self) -> None:
        first = next(of_this_machine(lambda name: "/bin", (3, 10)))
        assert first == ("Python", MISSING, "3.10: 3.11 or newer is needed")

    def test_another_architecture_than_the_makefile_s_must_be_told_to_the_build_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parameters = {"Runtime": "python3.13", "Architecture": "x86_64"}
        states = {each.what: each for each in of_the_build(parameters)}
        assert states["layers"].state == MISSING
        assert "TIFFIN_ARCHITECTURE=x86_64" in states["layers"].told
        monkeypatch.setenv("TIFFIN_ARCHITECTURE", "x86_64")
        assert "layers" not in {each.what for each in of_the_build(parameters)}

    def test_without_the_runtime_s_python_there_is_no_bytecode(self) -> None:
        parameters = {"Runtime": "python3.99", "Architecture": "arm64"}
        states = {each.what: each.state for each in of_the_build(parameters, lambda python: False)}
        assert states["bytecode"] == OPEN

    def test_a_python_that_does_not_start_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Such as a version manager's stand-in for one that it has not."""
        monkeypatch.setenv("PATH", str(tmp_path))
        assert not runs("python3.13")
        program = tmp_path / "python3.13"
        for status, there in ((127, False), (0, True)):
            program.write_text(f"#!/bin/sh\nexit {status}\n")
            program.chmod(0o755)
            assert runs("python3.13") == there


class TestAnAccount:
    def test_a_fresh_one_with_credentials_lacks_nothing(self) -> None:
        states = {what: state for what, (state, _) in found().items()}
        assert [what for what, state in states.items() if state == MISSING] == []
        assert {what for what, state in states.items() if state == OPEN} == {"mails", "alarms"}

    def test_without_credentials_nothing_else_is_asked(self) -> None:
        ended = found({"sts.get_caller_identity": NoCredentialsError()})
        assert list(ended) == ["credentials"]
        assert ended["credentials"][0] == MISSING
        assert "PROFILE=" in ended["credentials"][1]

    def test_where_nothing_answers_the_region_is_looked_at(self) -> None:
        ended = found({"sts.get_caller_identity": EndpointConnectionError(endpoint_url="https://sts.mars-1")})
        assert {what: state for what, (state, _) in ended.items()} == {"region": MISSING}

    def test_what_may_not_be_asked_is_said_and_no_reason_to_stop(self) -> None:
        denied = {name: refused("AccessDeniedException") for name in Answering.fine if not name.startswith("sts.")}
        states = found(denied, Estimates="true")
        assert {state for what, (state, _) in states.items() if what not in {"credentials", "payments"}} == {OPEN}
        for what in ("stack", "Lambda concurrency", "roles", "access logs", "VPCs"):
            assert states[what][1] == "could not be asked: AccessDeniedException: no"

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("CREATE_COMPLETE", OK), ("UPDATE_COMPLETE", OK), ("UPDATE_ROLLBACK_COMPLETE", OK),
            ("REVIEW_IN_PROGRESS", OK),
            ("ROLLBACK_COMPLETE", MISSING), ("ROLLBACK_FAILED", MISSING), ("DELETE_FAILED", MISSING),
            ("CREATE_FAILED", MISSING), ("UPDATE_ROLLBACK_FAILED", MISSING), ("UPDATE_IN_PROGRESS", MISSING),
        ],
    )  # fmt: skip
    def test_a_stack_that_cannot_be_updated_is_told(self, status: str, state: str) -> None:
        assert found({"cloudformation.describe_stacks": {"Stacks": [{"StackStatus": status}]}})["stack"][0] == state

    @pytest.mark.parametrize(
        ("most", "free", "asked", "state"),
        [
            (1000, 1000, "0", OK),
            (10, 10, "0", OPEN),
            (1000, 150, "50", OK),
            (1000, 149, "50", MISSING),
            (10, 10, "5", MISSING),
        ],
    )
    def test_what_is_reserved_must_leave_a_hundred(self, most: int, free: int, asked: str, state: str) -> None:
        limit = {"AccountLimit": {"ConcurrentExecutions": most, "UnreservedConcurrentExecutions": free}}
        told = found({"lambda.get_account_settings": limit}, PaymentsConcurrency=asked)["Lambda concurrency"]
        assert told[0] == state
        assert ("request-service-quota-increase" in told[1]) == (state != OK)

    def test_too_few_roles_are_told(self) -> None:
        asked = int(found()["roles"][1].split()[4].rstrip(","))
        assert asked > 10
        for left, state in ((asked, OK), (asked - 1, MISSING)):
            summary = {"SummaryMap": {"Roles": 100, "RolesQuota": 100 + left}}
            assert found({"iam.get_account_summary": summary})["roles"][0] == state

    @pytest.mark.parametrize(
        ("role", "sets", "state"),
        [(None, "true", OK), (ROLE, "true", OPEN), (ROLE, "false", OK), (None, "false", MISSING)],
    )
    def test_api_gateway_must_have_a_role_to_log_by(self, role: str | None, sets: str, state: str) -> None:
        account = {"cloudwatchRoleArn": role} if role else {}
        assert found({"apigateway.get_account": account}, AccessLogsRole=sets)["access logs"][0] == state

    def test_mails_need_a_sender_that_ses_knows(self) -> None:
        sender = "orders@your.domain"
        assert found(NotificationsSender=sender)["mails"] == (OK, "from orders@your.domain")
        unknown = {"sesv2.get_email_identity": refused("NotFoundException")}
        assert found(unknown, NotificationsSender=sender)["mails"][0] == MISSING
        sandbox = {"sesv2.get_account": {"ProductionAccessEnabled": False, "SendQuota": {"MaxSendRate": 1.0}}}
        assert "sandbox" in found(sandbox, NotificationsSender=sender)["mails"][1]
        assert found(sandbox, NotificationsSender=sender, MailsPerSecond="2")["mails"][0] == MISSING

    def test_stripe_needs_its_secret(self) -> None:
        gone = {"secretsmanager.describe_secret": refused("ResourceNotFoundException")}
        assert found(gone)["payments"][0] == OK
        assert found(gone, PaymentProvider="stripe")["payments"][0] == MISSING
        assert found(PaymentProvider="stripe")["payments"][0] == OK

    def test_a_file_system_needs_a_vpc(self) -> None:
        full: dict[str, Any] = {"ec2.describe_vpcs": {"Vpcs": [{}] * 5}}
        assert "VPCs" not in found(full)
        assert found(Estimates="true")["VPCs"] == (OK, "1 of 5 are there")
        assert found(full, Estimates="true")["VPCs"][0] == MISSING


class TestWhatIsConfigured:
    @pytest.mark.parametrize("name", ["default", "dev", "prod"])
    def test_an_environment_is_read_as_sam_reads_it(self, name: str) -> None:
        read = Environment.read(name)
        at = tomllib.loads((ROOT / "samconfig.toml").read_text())[name]["deploy"]["parameters"]
        given = CfnParameterOverridesType().convert(at.get("parameter_overrides", []), None, None)
        assert read.unknown == ()
        assert given.items() <= read.parameters.items()
        assert read.stack == {"default": "tiffin"}.get(name, f"tiffin-{name}")

    def test_what_a_guided_deployment_saved_is_read_too(self, tmp_path: Path) -> None:
        file = tmp_path / "samconfig.toml"
        file.write_text(
            '[default.deploy.parameters]\nstack_name = "mine"\n'
            'parameter_overrides = "Runtime=\\"python3.12\\" AlarmEmail=\\"\\" Kitchens=\\"maybe\\" Nonsense=\\"1\\""\n'
        )
        read = Environment.read("default", file)
        assert (read.stack, read.parameters["Runtime"], read.parameters["AlarmEmail"]) == ("mine", "python3.12", "")
        assert read.unknown == ("Kitchens", "Nonsense")

    def test_an_environment_that_is_not_there_is_told_with_those_that_are(self) -> None:
        with pytest.raises(UnknownEnvironment, match="no environment staging, but default, dev, prod"):
            Environment.read("staging")

    def test_production_keeps_what_it_has_and_dev_does_not(self) -> None:
        dev, prod = Environment.read("dev").parameters, Environment.read("prod").parameters
        assert (dev["DeletionProtection"], prod["DeletionProtection"]) == ("INACTIVE", "ACTIVE")
        for more in ("LogRetentionDays", "KeepDeliveriesDays", "MonthlyBudget", "RequestsPerSecond", "OrdersPerSecond"):
            assert int(dev[more]) < int(prod[more]), more
