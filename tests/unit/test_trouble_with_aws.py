"""What a person is told who names a stack that cannot be worked on: one line, and an exit status, by every command."""

import importlib
import re
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, NoCredentialsError, UnauthorizedSSOTokenError
from operations import deployed
from operations.trouble import NotReached, Outputs, plain
from worlds import ROOT

COMMANDS = {
    "export": ["--customer", "ada@tiffin.example"],
    "prune": [],
    "publish": [],
    "forget": ["--customer", "ada@tiffin.example"],
    "load": ["--rate", "1"],
    "redrive": [],
    "replay": ["--consumer", "promotions", "--order", "ord_1"],
    "reread": ["--since", "2026-01-31T12:00"],
    "sam_local": ["--environment"],
    "sign_in": [],
    "smoke": [],
    "stats": [],
    "trace": ["--order", "ord_1"],
    "undeploy": ["--stack", "tiffin"],
}
REGION = ["--region", "eu-central-1"]
SIGN_IN = "sign in again (aws sso login), or name a profile: PROFILE=, --profile"


def refused(code: str, message: str = "No.") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


TROUBLES: dict[str, tuple[list[str], Exception | None, str]] = {
    "no region": (
        ["--stack", "tiffin"],
        None,
        "No region is set: say which, REGION=eu-central-1 (--region), or name a profile that has one",
    ),
    "no profile": (
        [*REGION, "--profile", "nobody"],
        None,
        "The config profile (nobody) could not be found: `aws configure list-profiles` shows those that there are",
    ),
    "no credentials": (REGION, NoCredentialsError(), f"There are no whole AWS credentials here: {SIGN_IN}"),
    "expired credentials": (
        REGION,
        refused("ExpiredToken", "The security token included in the request is expired"),
        f"AWS does not take these credentials (ExpiredToken): {SIGN_IN}",
    ),
    "expired session": (
        REGION,
        UnauthorizedSSOTokenError(),
        "The SSO session associated with this profile has expired or is otherwise invalid. To refresh this SSO session "
        f"run aws sso login with the corresponding profile: {SIGN_IN}",
    ),
    "no stack": (
        [*REGION, "--stack", "nowhere"],
        refused("ValidationError", "Stack with id nowhere does not exist"),
        "The stack nowhere in eu-central-1 does not exist: say which, STACK= (--stack), and where, REGION=",
    ),
    "no permission": (
        REGION,
        refused("AccessDenied", "User: arn:aws:iam::1:user/ada\nis not authorized"),
        "An error occurred (AccessDenied) when calling the DescribeStacks operation: "
        "User: arn:aws:iam::1:user/ada is not authorized",
    ),
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell with no settings for AWS, in a process that waits as others do: `load` would change that."""
    monkeypatch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


def fails_with(error: Exception | None) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> None:
        assert error, "AWS was asked"
        raise error

    return call


def test_every_command_that_works_on_aws_is_tried_here() -> None:
    found = [path.stem for path in (ROOT / "scripts").glob("*.py") if "deployed.add_options" in path.read_text("utf-8")]
    assert sorted(found) == sorted(COMMANDS)


# A stack that is gone is no trouble to what removes what it left.
MET = [
    (command, trouble) for command in COMMANDS for trouble in TROUBLES if (command, trouble) != ("undeploy", "no stack")
]


@pytest.mark.parametrize(("command", "trouble"), MET)
def test_trouble_is_one_line(
    command: str, trouble: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options, error, line = TROUBLES[trouble]
    monkeypatch.setattr(BaseClient, "_make_api_call", fails_with(error))
    assert importlib.import_module(command).main([*COMMANDS[command], *options]) == 1
    told = capsys.readouterr()
    assert re.sub("^. ", "", told.out + told.err) == f"{line}\n"


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"sign_in", "sam_local", "undeploy"}))
def test_make_says_where(command: str) -> None:
    """Each is a make target that takes the three, as the contract of the Makefile has it."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipes = re.findall(rf"scripts/{command}\.py((?:.*\\\n)*.*)", makefile)
    assert recipes
    assert [recipe for recipe in recipes if "$(ON_AWS)" not in recipe] == []


def test_a_stack_of_somebody_else_is_no_traceback() -> None:
    outputs = Outputs({"BucketName": "b"}, "The stack shop in eu-central-1")
    assert outputs["BucketName"] == "b"
    assert "UserPoolId" not in outputs
    with pytest.raises(NotReached, match="The stack shop in eu-central-1 has no output UserPoolId"):
        outputs["UserPoolId"]


@pytest.mark.parametrize(
    "command", sorted(COMMANDS.keys() - {"prune", "undeploy", "redrive", "sam_local", "stats", "reread"})
)
def test_commands_on_a_stack_of_somebody_else_say_so(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = {"StackName": "shop", "Outputs": [{"OutputKey": "BucketName", "OutputValue": "b"}]}
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda *_: {"Stacks": [shop]})
    status = importlib.import_module(command).main([*COMMANDS[command], *REGION, "--stack", "shop"])
    told = capsys.readouterr()
    assert status == 1
    assert re.fullmatch(r". The stack shop in eu-central-1 has no output \w+: .*\n", told.out + told.err)


def test_a_stack_alone_means_aws() -> None:
    parser = ArgumentParser()
    deployed.add_options(parser)
    assert deployed.on_aws(parser.parse_args(["--stack", "tiffin"]))
    assert not deployed.on_aws(parser.parse_args([]))


def test_a_log_s_last_lines_stay_lines() -> None:
    assert plain(NotReached("one\ntwo")) == "one\ntwo"
