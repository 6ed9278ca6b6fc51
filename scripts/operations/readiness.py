"""What a deployment to AWS needs, looked at before it: this machine, the account, and what is configured.

Nothing is changed, and nothing is needed that a deployment would not need anyway. What the caller may not ask is no
reason to stop: it is said that it could not be asked.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected
from contracts.cloudformation import ROOT, ROOT_TEMPLATE, deploy, transformed

from .deployed import Clients

OK, MISSING, OPEN = "ok", "missing", "open"
"""It is there; it is needed and is not; or it is for a person to know."""
UNRESERVED = 100
"""Of an account's concurrency, what nobody may reserve (Lambda developer guide, "Configuring reserved concurrency")."""
CONCURRENCY, VPCS = "L-B99A9384", "L-F678F1CE"
"""Codes of Service Quotas: Lambda's concurrent executions, VPCs in a region."""
_ASK_FOR_MORE = "aws service-quotas request-service-quota-increase --service-code {} --quota-code {} --desired-value {}"
# A stack in one of these is updated by the next deployment.
_READY = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "REVIEW_IN_PROGRESS"}


class Finding(NamedTuple):
    """What one check found.

    Attributes:
        what: was looked at.
        state: `OK`, `MISSING` or `OPEN`.
        told: what there is, and what to do about it.
    """

    what: str
    state: str
    told: str


class UnknownEnvironment(Exception):
    """`samconfig.toml` has no such environment."""


@dataclass(frozen=True)
class Environment:
    """What is deployed, as `sam deploy --config-env` reads it.

    Attributes:
        stack: the stack's name.
        parameters: the root template's, all of them.
        unknown: those that are given, and the template does not have or does not take.
    """

    stack: str
    parameters: Mapping[str, str]
    unknown: tuple[str, ...] = ()

    @classmethod
    def read(cls, name: str, file: Path = ROOT / "samconfig.toml") -> "Environment":
        """An environment of the configuration file.

        Raises:
            UnknownEnvironment: it is not there, or the file cannot be read.
        """
        try:
            environments = tomllib.loads(file.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise UnknownEnvironment(f"{file.name} cannot be read: {error}") from error
        if not isinstance(environments.get(name), dict):
            known = ", ".join(key for key, value in environments.items() if isinstance(value, dict))
            raise UnknownEnvironment(f"{file.name} has no environment {name}, but {known}.")
        at = environments[name]
        own = at.get("global", {}).get("parameters", {}) | at.get("deploy", {}).get("parameters", {})
        given = _overrides(own.get("parameter_overrides", []))
        declared = transformed()[ROOT_TEMPLATE]["Parameters"]
        unknown = [
            key
            for key, value in given.items()
            if key not in declared or value not in map(str, declared[key].get("AllowedValues", [value]))
        ]
        defaults = {key: str(one.get("Default", "")) for key, one in declared.items()}
        known_ones = {key: value for key, value in given.items() if key in declared}
        return cls(own.get("stack_name", "sam-app"), defaults | known_ones, tuple(unknown))


def _overrides(written: str | list[str]) -> dict[str, str]:
    """`parameter_overrides`, as a person writes them or as `sam deploy --guided` saves them."""
    pairs = shlex.split(written) if isinstance(written, str) else written
    return {key: value.strip("\"'") for key, _, value in (pair.partition("=") for pair in pairs)}


# This machine.


def of_this_machine(
    found: Callable[[str], str | None] = shutil.which, version: tuple[int, int] = sys.version_info[:2]
) -> Iterator[Finding]:
    """Whether a package can be built here.

    Args:
        found: the path of a program, if there is one.
        version: of the Python that runs this.
    """
    dotted = ".".join(map(str, version))
    old = version < (3, 11)
    yield Finding("Python", MISSING if old else OK, dotted + (": 3.11 or newer is needed" if old else ""))
    needed = {"make": "it builds the layers", "uv": "it fetches the layers' packages", "sam": "it deploys"}
    for program, why in needed.items():
        if path := found(program):
            yield Finding(program, OK, path)
        else:
            advice = "install it" if program == "make" else f'here: export PATH="{ROOT / ".venv/bin"}:$PATH"'
            yield Finding(program, MISSING, f"not on the PATH, and {why}; {advice}")
    docker = found("docker")
    yield Finding("Docker", OK if docker else OPEN, docker or "not there; only `make sam-local` needs it")


def runs(python: str) -> bool:
    """Whether a Python of a runtime, such as `python3.13`, is on the PATH and starts: as the layers' build asks."""
    asked = "import sys; sys.exit('python%d.%d' % sys.version_info[:2] != sys.argv[1])"
    for name in (python, "python3", "python"):
        path = shutil.which(name)
        if path and not subprocess.run([path, "-c", asked, python], capture_output=True, check=False).returncode:
            return True
    return False


def of_the_build(parameters: Mapping[str, str], found: Callable[[str], bool] = runs) -> Iterator[Finding]:
    """Whether what is built here fits where it will run.

    Args:
        parameters: of the root template.
        found: whether a Python of a runtime is on the PATH.
    """
    runtime, target = parameters["Runtime"], parameters["Architecture"]
    here = platform.machine()
    yield Finding(
        "architecture",
        OK,
        f"from {here}, for {target}: uv fetches that one's wheels, nothing is compiled",
    )
    # As services/shared/Makefile has them.
    told = {"TIFFIN_RUNTIME": runtime, "TIFFIN_ARCHITECTURE": target}
    defaults = {"TIFFIN_RUNTIME": "python3.13", "TIFFIN_ARCHITECTURE": "arm64"}
    differing = [name for name, value in told.items() if os.environ.get(name, defaults[name]) != value]
    if differing:
        asked = " ".join(f"{name}={told[name]}" for name in differing)
        yield Finding("layers", MISSING, f"would be built for another target: put {asked} before `sam build`")
    if found(runtime):
        yield Finding("bytecode", OK, f"compiled by this machine's {runtime}")
    else:
        yield Finding(
            "bytecode",
            OPEN,
            f"no {runtime} here: deployed without, so that each cold start compiles anew",
        )


# The account.


class Account:
    """The account that a deployment would reach.

    Args:
        client: makes clients of it; None if there is no region.
        environment: what would be deployed there.
    """

    def __init__(self, client: Clients, environment: Environment) -> None:
        self._client, self._environment = client, environment
        self._parameters = environment.parameters
        stacks = deploy(transformed(), environment.stack, dict(self._parameters))
        self._resources = [(kind, own) for stack in stacks for _, _, kind, own in stack.resources()]

    def findings(self) -> Iterator[Finding]:
        """Everything that is looked at, in the order in which a person would mend it."""
        try:
            caller = self._client("sts").get_caller_identity()
        except (NotConnected, HTTPClientError) as error:
            yield Finding(
                "region", MISSING, f"nothing answers there: {_said(error)}. Is it one, is this machine online?"
            )
            return
        except (BotoCoreError, ClientError) as error:
            yield Finding(
                "credentials", MISSING, f"{_said(error)}. Sign in (aws login, aws configure), or say PROFILE="
            )
            return
        yield Finding("credentials", OK, f"account {caller['Account']}, as {caller['Arn']}")
        checks = (
            ("stack", self._stack),
            ("Lambda concurrency", self._concurrency),
            ("roles", self._roles),
            ("access logs", self._access_logs),
            ("mails", self._mails),
            ("alarms", self._alarms),
            ("payments", self._payments),
            ("VPCs", self._vpcs),
        )
        for what, check in checks:
            try:
                state, told = check()
            except (BotoCoreError, ClientError) as error:
                state, told = OPEN, f"could not be asked: {_said(error)}"
            if told:
                yield Finding(what, state, told)

    def _stack(self) -> tuple[str, str]:
        name = self._environment.stack
        try:
            (stack,) = self._client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return OK, f"{name} is not there yet"
            raise
        status = stack["StackStatus"]
        if status in _READY:
            return OK, f"{name} is {status}: a deployment updates it"
        if status.endswith("_IN_PROGRESS"):
            return MISSING, f"{name} is {status}: wait until that has ended"
        if status == "UPDATE_ROLLBACK_FAILED":
            return MISSING, f"{name} is {status}: aws cloudformation continue-update-rollback --stack-name {name}"
        return MISSING, f"{name} is {status}, and cannot be updated: make undeploy STACK={name}"

    def _concurrency(self) -> tuple[str, str]:
        limit = self._client("lambda").get_account_settings()["AccountLimit"]
        most, free = int(limit["ConcurrentExecutions"]), int(limit["UnreservedConcurrentExecutions"])
        asked = sum(int(own.get("ReservedConcurrentExecutions", 0)) for _, own in self._resources)
        more = _ASK_FOR_MORE.format("lambda", CONCURRENCY, max(1000, most))
        if asked and free - asked < UNRESERVED:
            return MISSING, (
                f"PaymentsConcurrency reserves {asked}, {free} of {most} are free, and {UNRESERVED} must stay so. "
                f"Ask for more: {more}"
            )
        if most < UNRESERVED:
            return OPEN, f"{most} at once in the whole account: enough to try it, not for a crowd. Ask for more: {more}"
        return OK, f"{free} of {most} are free" + (f", {asked} will be reserved" if asked else "")

    def _roles(self) -> tuple[str, str]:
        summary = self._client("iam").get_account_summary()["SummaryMap"]
        asked = sum(kind == "AWS::IAM::Role" for kind, _ in self._resources)
        if "RolesQuota" not in summary:
            return OPEN, "could not be asked: no quota is told"
        free = int(summary["RolesQuota"]) - int(summary.get("Roles", 0))
        return (OK if free >= asked else MISSING), f"a new stack makes {asked}, and {free} more are allowed"

    def _access_logs(self) -> tuple[str, str]:
        if self._parameters["AccessLogs"] != "true":
            return OPEN, "off: nobody sees who was refused what"
        role = self._client("apigateway").get_account().get("cloudwatchRoleArn")
        sets = self._parameters["AccessLogsRole"] == "true"
        if not role:
            return (OK, "the stack makes the account's role for them") if sets else (
                MISSING, "AccessLogsRole is false, and the account has no role for them: leave it at true"
            )  # fmt: skip
        if sets:
            return (
                OPEN,
                f"the account's role for them, {role}, is replaced unless you say AccessLogsRole=false",
            )
        return OK, f"by the account's role, {role}"

    def _mails(self) -> tuple[str, str]:
        sender = self._parameters["NotificationsSender"]
        if not sender:
            return OPEN, "nobody gets any: NotificationsSender is empty"
        ses = self._client("sesv2")
        account = ses.get_account()
        if not account.get("SendingEnabled", True):
            return MISSING, "Amazon SES has stopped this account's mails: see its console"
        if not any(self._is_verified(ses, identity) for identity in (sender, sender.rpartition("@")[2])):
            return MISSING, f"{sender} is not verified: aws sesv2 create-email-identity --email-identity {sender}"
        if float(account.get("SendQuota", {}).get("MaxSendRate", 1)) < float(self._parameters["MailsPerSecond"]):
            return MISSING, "MailsPerSecond is more than Amazon SES takes from this account"
        if not account.get("ProductionAccessEnabled"):
            return OPEN, f"from {sender}, to verified addresses only: the account is in the SES sandbox"
        return OK, f"from {sender}"

    @staticmethod
    def _is_verified(ses: Any, identity: str) -> bool:
        try:
            return bool(ses.get_email_identity(EmailIdentity=identity).get("VerifiedForSendingStatus"))
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                return False
            raise

    def _alarms(self) -> tuple[str, str]:
        address = self._parameters["AlarmEmail"]
        return (OK, f"to {address}, once it has confirmed") if address else (
            OPEN, "nobody hears them: AlarmEmail is empty"
        )  # fmt: skip

    def _payments(self) -> tuple[str, str]:
        if self._parameters["PaymentProvider"] != "stripe":
            return OK, "by the sandbox: no money moves"
        name = self._parameters["StripeSecretName"]
        try:
            self._client("secretsmanager").describe_secret(SecretId=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return (
                MISSING,
                f"there is no secret {name}: aws secretsmanager create-secret --name {name} --secret-string sk_test_…",
            )
        return OK, f"by Stripe, with the key in {name}"

    def _vpcs(self) -> tuple[str, str]:
        if not (asked := sum(kind == "AWS::EC2::VPC" for kind, _ in self._resources)):
            return OK, ""
        there = len(self._client("ec2").describe_vpcs()["Vpcs"])
        quota = self._client("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode=VPCS)["Quota"]["Value"]
        if there + asked > quota:
            return (
                MISSING,
                f"{there} of {quota:g} are there. Ask for more: {_ASK_FOR_MORE.format('vpc', VPCS, there + 5)}",
            )
        return OK, f"{there} of {quota:g} are there"


def _said(error: BotoCoreError | ClientError) -> str:
    """What an error says, in one line."""
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return f"{told.get('Code', 'an error')}: {told.get('Message', '')}".split("\n")[0].strip(": ")
    return str(error).split("\n")[0].rstrip(".")
