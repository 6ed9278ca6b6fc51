"""The layers' Makefile says what is missing rather than fail elsewhere; bills of materials list what locks hold."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from worlds import ROOT
from worlds.templates import applications, resources

SHARED = ROOT / "services" / "shared"
TOOLS = ("make", "sh", "cat", "cksum", "cut", "rm", "cp", "mkdir", "ls", "sed", "tr", "grep")
LOCKS = ("requirements", "stripe")

Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with the common tools, and neither uv nor a Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        if not found:
            pytest.skip(f"{tool} is not here")
        (folder / tool).symlink_to(found)
    return str(folder)


def test_without_uv_it_says_how_to_get_it(tmp_path: Path, bare_path: str) -> None:
    environment = {"PATH": bare_path, "ARTIFACTS_DIR": str(tmp_path / "artifacts")}

    built = subprocess.run(
        ["make", "build-RuntimeLayer"], cwd=SHARED, env=environment, capture_output=True, text=True, check=False
    )

    assert built.returncode != 0
    assert "pip install uv" in built.stderr
    assert not (tmp_path / "artifacts").exists()


@pytest.fixture
def build(tmp_path: Path, bare_path: str) -> Build:
    """Builds a layer of a copy, with a uv that notes its arguments in `called`, and installs one package."""
    uv = Path(bare_path) / "uv"
    # Its fifth argument is the folder to install into.
    uv.write_text('#!/bin/sh\necho "$@" > "$UV_CALLED"\nmkdir -p "$5/$UV_INSTALLS.dist-info"\n')
    uv.chmod(0o755)
    source = tmp_path / "source"
    shutil.copytree(SHARED, source)

    def run(target: str, installs: str = "pydantic_core-2.46.5") -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": bare_path,
            "ARTIFACTS_DIR": str(tmp_path / "artifacts"),
            "UV_CALLED": str(tmp_path / "called"),
            "UV_INSTALLS": installs,
        }
        return subprocess.run(
            ["make", target], cwd=source, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_it_fetches_wheels_for_the_target_rather_than_for_this_machine(tmp_path: Path, build: Build) -> None:
    """Whatever runs here: the defaults of the template are Python 3.13 on arm64."""
    version = re.search(r"(?m)^pydantic-core==(\S+)", (SHARED / "requirements.txt").read_text())
    assert version

    built = build("build-RuntimeLayer", f"pydantic_core-{version[1]}")

    assert built.returncode == 0, built.stderr
    arguments = (tmp_path / "called").read_text()
    assert "--python-version 3.13 --python-platform aarch64-manylinux2014 -r requirements.txt" in arguments
    assert "--require-hashes --only-binary :all:" in arguments
    assert "no bytecode" in built.stdout
    artifacts = tmp_path / "artifacts"
    assert (artifacts / "python" / "tiffin" / "money.py").is_file()
    assert (artifacts / "sbom" / "requirements.cdx.json").read_bytes() == (
        SHARED / "requirements.cdx.json"
    ).read_bytes()


def test_stripe_comes_by_a_layer_of_its_own(tmp_path: Path, build: Build) -> None:
    version = re.search(r"(?m)^stripe==(\S+)", (SHARED / "stripe.txt").read_text())
    assert version

    built = build("build-StripeLayer", f"stripe-{version[1]}")

    assert built.returncode == 0, built.stderr
    assert "-r stripe.txt" in (tmp_path / "called").read_text()
    assert [path.name for path in (tmp_path / "artifacts" / "sbom").iterdir()] == ["stripe.cdx.json"]
    assert not (tmp_path / "artifacts" / "python" / "tiffin").exists()


def test_what_is_installed_and_not_on_the_bill_ends_the_build(build: Build) -> None:
    built = build("build-RuntimeLayer", "Smuggled_in-1.0")

    assert built.returncode != 0
    assert "smuggled-in@1.0 is not in requirements.cdx.json" in built.stderr


@pytest.mark.parametrize("lock", LOCKS)
def test_a_bill_of_materials_is_the_locks_and_written_again_is_the_same(lock: str, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"]
    subprocess.run([*command, str(SHARED / f"{lock}.txt"), "-o", str(again)], check=True)
    text = (SHARED / f"{lock}.cdx.json").read_text()

    assert again.read_text() == text, "make lock"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert not {"serialNumber", "timestamp"} & (bill.keys() | bill["metadata"].keys())
    listed = {
        part["purl"]: {mark["content"] for place in part["externalReferences"] for mark in place["hashes"]}
        for part in bill["components"]
    }
    assert listed == locked(lock)


def test_no_package_is_in_both_layers() -> None:
    names = [{package.split("@")[0] for package in locked(lock)} for lock in LOCKS]
    assert names[0].isdisjoint(names[1])
    assert names[1] == {f"pkg:pypi/{name}" for name in ("certifi", "charset-normalizer", "idna", "requests", "stripe")}


def test_one_function_alone_has_the_layer_with_stripe() -> None:
    having = {
        (application, logical_id)
        for application, service in applications().items()
        for logical_id, resource in resources(service).items()
        if "StripeLayer" in str(resource["Properties"].get("Layers"))
    }
    assert having == {("Payments", "PaymentsFunction")}


def test_payments_alone_imports_stripe() -> None:
    importing = {
        path.relative_to(ROOT / "services").parts[0]
        for path in (ROOT / "services").rglob("*.py")
        if re.search(r"(?m)^\s*(?:import|from) (?:stripe|requests)\b", path.read_text())
    }
    assert importing == {"payments"}


def locked(lock: str) -> dict[str, set[str]]:
    """What a lock holds: package URLs, each with its hashes."""
    entries = re.findall(r"(?m)^([a-z0-9-]+)==(\S+) \\\n((?: +--hash=.*\n)+)", (SHARED / f"{lock}.txt").read_text())
    return {
        f"pkg:pypi/{name}@{version}": set(re.findall(r"sha256:([0-9a-f]+)", hashes))
        for name, version, hashes in entries
    }
