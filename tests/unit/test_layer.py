"""The layer's Makefile says what is missing rather than fail somewhere else."""

import shutil
import subprocess
from pathlib import Path

import pytest
from worlds import ROOT

SHARED = ROOT / "services" / "shared"
TOOLS = ("make", "sh", "cat", "cksum", "cut", "rm", "cp", "mkdir")


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


def test_it_fetches_wheels_for_the_target_rather_than_for_this_machine(tmp_path: Path, bare_path: str) -> None:
    """Whatever runs here: the defaults of the template are Python 3.13 on arm64."""
    uv = Path(bare_path) / "uv"
    uv.write_text('#!/bin/sh\necho "$@" > "$UV_CALLED"\n')
    uv.chmod(0o755)
    called = tmp_path / "called"
    environment = {"PATH": bare_path, "ARTIFACTS_DIR": str(tmp_path / "artifacts"), "UV_CALLED": str(called)}
    source = tmp_path / "source"
    shutil.copytree(SHARED, source)
    (tmp_path / "artifacts" / "python").mkdir(parents=True)
    uv.write_text(uv.read_text() + f'mkdir -p "{tmp_path}/artifacts/python"\n')

    built = subprocess.run(
        ["make", "build-RuntimeLayer"], cwd=source, env=environment, capture_output=True, text=True, check=False
    )

    assert built.returncode == 0, built.stderr
    arguments = called.read_text()
    assert "--python-version 3.13 --python-platform aarch64-manylinux2014" in arguments
    assert "--require-hashes --only-binary :all:" in arguments
    assert "no bytecode" in built.stdout
    assert (tmp_path / "artifacts" / "python" / "tiffin" / "money.py").is_file()
