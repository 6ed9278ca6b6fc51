"""GitHub's workflows, which nothing here can run: each step's commands exist, and nobody gets more than needed."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.decode.cfn_yaml import load
from contracts.cloudformation import deploy, transformed
from worlds import ROOT
from worlds.templates import EVERYTHING

GITHUB = ROOT / ".github"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted(GITHUB.glob("workflows/*.yml"))}
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)) | {".venv/ready"}
# The image of GitHub's runners has them, or the environment that `make .venv/ready` makes.
PROGRAMS = {"make", "sam", "gh", "git"}
# What a job may do besides reading: be told apart by AWS or GitHub Pages, which trust its token, and publish.
MAY_WRITE = {("deploy.yml", "deploy"): {"id-token"}, ("docs.yml", "publish"): {"id-token", "pages"}}
# Where IAM's name for a service is not CloudFormation's in small letters.
IAM_PREFIX = {
    "apigatewayv2": "apigateway",
    "cognito": "cognito-idp",
    "efs": "elasticfilesystem",
    "stepfunctions": "states",
}


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of every job, with its place."""
    for name, workflow in WORKFLOWS.items():
        for job, described in workflow["jobs"].items():
            for number, step in enumerate(described.get("steps", [])):
                yield f"{name}/{job}/{step.get('name', number)}", step


RUNS = {place: step["run"] for place, step in steps() if "run" in step}


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A folder of programs that only note how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in PROGRAMS:
        stub = folder / program
        stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "{program} $*" >> "$CALLS"\necho 0123abc\n')
        stub.chmod(0o755)
    return folder


def called(command: str, stubs: Path) -> list[str]:
    """What a step's commands would call, run as GitHub's runner does."""
    calls = stubs.parent / "calls"
    calls.touch()
    environment = {
        "PATH": f"{stubs}:/usr/bin:/bin", "CALLS": str(calls), "TO": "dev", "AWS_REGION": "eu-central-1",
        "STACK_ROLE": "arn:aws:iam::123456789012:role/stack", "COMMIT": "0123abc", "QUERY": "query",
        "GITHUB_REPOSITORY": "you/tiffin", "GITHUB_REPOSITORY_OWNER": "you",
        "GITHUB_OUTPUT": str(stubs.parent / "output"), "GITHUB_PATH": str(stubs.parent / "path"),
    }  # fmt: skip
    subprocess.run(["bash", "-eo", "pipefail", "-uc", command], cwd=ROOT, env=environment, check=True)
    return calls.read_text().splitlines()


@pytest.mark.parametrize("place", [place for place in RUNS if "engine.sh" not in RUNS[place]])
def test_a_step_runs_make_targets_and_programs_that_exist(place: str, stubs: Path) -> None:
    asked = called(RUNS[place], stubs)
    assert asked
    for program, *arguments in (line.split() for line in asked):
        if program == "make":
            target, *given = arguments
            assert target in TARGETS
            dry = ["make", "--dry-run", target, *given]
            done = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        if program == "sam":
            how = next(part.split("=")[-1] for part in arguments[1:] if not part.startswith("--"))
            assert f"[{how}.{arguments[0]}.parameters]" in (ROOT / "samconfig.toml").read_text()


def test_a_script_that_a_step_runs_is_there() -> None:
    [script] = [run for run in RUNS.values() if "engine.sh" in run]
    assert os.access(ROOT / script, os.X_OK)


def test_a_deployment_deploys_and_asks_and_a_rollback_does_so_with_the_commit_of_before(stubs: Path) -> None:
    did = {place.rpartition("/")[2]: run for place, run in RUNS.items() if place.startswith("deploy.yml")}
    role = "--role-arn arn:aws:iam::123456789012:role/stack"
    deployed = [
        "sam build --config-env dev",
        f"sam deploy --config-env dev {role} --no-confirm-changeset --no-fail-on-empty-changeset",
    ]
    tested = ["make smoke STACK=tiffin-dev REGION=eu-central-1"]
    assert called(did["Deploy"], stubs) == deployed
    assert called(did["Smoke test"], stubs) == [*deployed, *tested]
    (stubs.parent / "calls").unlink()
    called(did["Which commit runs there now"], stubs)
    assert (stubs.parent / "output").read_text() == "commit=0123abc\n"
    (stubs.parent / "calls").unlink()
    back = ["git checkout --quiet --detach 0123abc", "make .venv/ready"]
    assert called(did["Roll back"], stubs) == [*back, *deployed, *tested]


def test_ci_here_runs_what_ci_there_runs() -> None:
    def targets(text: str) -> set[str]:
        return set(re.findall(r"^ *make ([a-z.-]+)", text, re.MULTILINE)) - {"."}

    there = {target for place, run in RUNS.items() if place.startswith("ci.yml") for target in targets(run)}
    here = targets((ROOT / ".ci" / "run").read_text("utf-8"))

    def looked_at(target: str) -> set[str]:
        [recipe] = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
        return {word for word in recipe.split() if word.startswith("tests/") or word in ("$(IN_DOCKER)", "$(EMULATED)")}

    assert "test" in here
    assert looked_at("test") == looked_at("emulated") | looked_at("containers")
    here |= {"emulated", "containers"}
    assert there >= {"lint", "emulated", "containers", "packages", "faults"}
    assert there - here - {".venv"} == set()
    assert here - there == {"test"}


def test_an_action_is_one_of_five_and_pinned_by_the_hash_of_a_commit() -> None:
    used = set()
    for path in GITHUB.glob("workflows/*.yml"):
        for line in re.findall(r"uses: (.*)", path.read_text("utf-8")):
            if not line.startswith("./"):
                match = re.fullmatch(r"([\w-]+/[\w-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
                assert match, line
                used.add(match[1])
    ours = {"checkout", "setup-python", "upload-pages-artifact", "deploy-pages"}
    assert used == {f"actions/{name}" for name in ours} | {"aws-actions/configure-aws-credentials"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_may_do_what_it_names_and_no_key_is_stored(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert "secrets" not in (GITHUB / "workflows" / name).read_text("utf-8")
    for job, described in WORKFLOWS[name]["jobs"].items():
        writes = {what for what, how in described["permissions"].items() if how == "write"}
        assert writes == MAY_WRITE.get((name, job), set())
        assert "timeout-minutes" in described or "uses" in described


def test_every_python_that_is_promised_is_tested() -> None:
    tested = WORKFLOWS["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert tested == ["3.11", "3.12", "3.13"]
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
    # Bytecode is the deployed runtime's, so that Python builds the packages.
    [runtime] = [
        step["with"]["python-version"]
        for place, step in steps()
        if place.startswith("ci.yml/packages") and "python-version" in step.get("with", {})
    ]
    assert f"python{runtime}" == transformed()["template.yaml"]["Parameters"]["Runtime"]["Default"]


def test_dependabot_looks_where_there_is_something() -> None:
    manifest = {
        "pip": "*requirements*.in",
        "npm": "package.json",
        "github-actions": ".github/workflows/*.yml",
        "devcontainers": ".devcontainer/devcontainer.json",
    }
    seen = []
    for update in yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]:
        for directory in update.get("directories", [update.get("directory")]):
            assert list((ROOT / directory.lstrip("/")).glob(manifest[update["package-ecosystem"]])), directory
            seen.append(update["package-ecosystem"])
    assert set(seen) == set(manifest)
    locks = [*ROOT.glob("scripts/*/package-lock.json"), ROOT / "web" / "package-lock.json"]
    assert seen.count("npm") == len(locks)


def test_the_dev_container_is_set_up_by_make_and_nothing_in_it_is_the_latest() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["updateContentCommand"] == "make .venv/ready"
    assert re.fullmatch(r"\S+/python:\d+-3\.13-\w+", container["image"])
    assert [name for name in container["features"] if not re.fullmatch(r"\S+:\d+\.\d+\.\d+", name)] == []


def test_what_makes_the_stack_may_make_every_kind_of_resource() -> None:
    everything = EVERYTHING | {"RequestsPerAddress": "100"}
    kinds = {kind for stack in deploy(transformed(), "tiffin-dev", everything) for _, _, kind, _ in stack.resources()}
    # SAM makes CodeDeploy's resources where `ShiftGradually` says so.
    services = {kind.split("::")[1].lower() for kind in kinds} - {"iam"} | {"codedeploy"}
    [role, *_] = load(str(GITHUB / "oidc.yaml"))["Resources"]["StackRole"]["Properties"]["Policies"]
    allowed = {action.removesuffix(":*") for action in role["PolicyDocument"]["Statement"][0]["Action"]}
    assert allowed == {IAM_PREFIX.get(service, service) for service in services}


def test_a_role_of_the_stack_is_not_one_that_the_stack_may_change() -> None:
    [line] = re.findall(r"--stack-name (\S+) --template-file .github/oidc.yaml", (ROOT / "docs/forking.md").read_text())
    assert not line.startswith("tiffin-")


@pytest.mark.parametrize(
    ("written", "instead", "finding"),
    [
        (r"actions/checkout@[0-9a-f]{40} # v5.0.0", "actions/checkout@v5", "unpinned-uses"),
        (r"        with:\n          persist-credentials: false\n", "", "artipacked"),
        (r"run: make lint", "run: echo ${{ github.head_ref }}", "template-injection"),
        (r"    permissions:\n      contents: read", "    permissions: write-all", "excessive-permissions"),
    ],
)
def test_the_linter_sees_what_would_be_dangerous(tmp_path: Path, written: str, instead: str, finding: str) -> None:
    zizmor = shutil.which("zizmor", path=str(ROOT / ".venv" / "bin"))
    assert zizmor
    text = (GITHUB / "workflows" / "ci.yml").read_text()
    workflow = tmp_path / "ci.yml"
    for content, found in ((text, False), (re.sub(written, instead, text), True)):
        workflow.write_text(content)
        asked = [zizmor, "--offline", "--no-progress", "--no-config", str(workflow)]
        ended = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert (ended.returncode != 0, finding in ended.stdout) == (found, found), ended.stdout
