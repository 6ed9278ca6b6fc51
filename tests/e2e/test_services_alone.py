"""Each service is a stack by itself: its own template, and what it needs of the others as parameters."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from laptop import Stack
from laptop.deployment import ARTIFACTS, NO_CONFIGURATION, overriding
from laptop.environment import ROOT, STATE_DIR, sam_environment
from worlds.stack import delete
from worlds.templates import applications

pytestmark = pytest.mark.laptop("own")

IN_A_FOLDER = STATE_DIR / "sam" / "tiffin" / "build"


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> dict[str, "subprocess.CompletedProcess[str]"]:
    """How the deployment of each service ended, with the parameters that the root gives it."""
    cloudformation = stack.client("cloudformation")
    environment = sam_environment(stack.access)

    def deploy(application: str) -> "subprocess.CompletedProcess[str]":
        nested = cloudformation.describe_stack_resource(StackName="tiffin", LogicalResourceId=application)
        its = cloudformation.describe_stacks(StackName=nested["StackResourceDetail"]["PhysicalResourceId"])["Stacks"][0]
        given = overriding({one["ParameterKey"]: one["ParameterValue"] for one in its.get("Parameters", [])})
        return subprocess.run(
            [sys.executable, "-m", "samcli", "deploy", *NO_CONFIGURATION,
             "--template-file", str(IN_A_FOLDER / application / "template.yaml"),
             "--stack-name", name(application), "--s3-bucket", ARTIFACTS, "--region", environment["AWS_REGION"],
             "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset",
             "--parameter-overrides", *given],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(applications(), pool.map(deploy, applications()), strict=True))


def name(application: str) -> str:
    return f"alone-{applications()[application]}"


@pytest.mark.parametrize("application", applications())
def test_a_service_is_deployed_and_deleted_alone(
    stack: Stack, deployed: dict[str, "subprocess.CompletedProcess[str]"], application: str
) -> None:
    assert deployed[application].returncode == 0, deployed[application].stdout[-2000:]
    (made,) = stack.client("cloudformation").describe_stacks(StackName=name(application))["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"
    delete(stack, name(application))
