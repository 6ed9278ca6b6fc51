"""Python and make are enough: one line says which Python will not do; what is fetched is kept where that can be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import ROOT

KEPT_BY_HOME = {"XDG_CACHE_HOME": "", "PIP_CACHE_DIR": "", "npm_config_cache": "", "__SAM_CLI_APP_DIR": ""}
CACHES = str(ROOT / ".tiffin" / "caches")
KEPT_HERE = {
    "XDG_CACHE_HOME": CACHES,
    "PIP_CACHE_DIR": f"{CACHES}/pip",
    "npm_config_cache": f"{CACHES}/npm",
    "__SAM_CLI_APP_DIR": f"{CACHES}/sam",
}


def make(folder: Path, *arguments: str, **changed: str | None) -> "subprocess.CompletedProcess[str]":
    """Run make, in a shell that has settings of its own neither for caches nor for make."""
    ours = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", *KEPT_BY_HOME, *(name for name in changed if changed[name] is None)}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {name: value for name, value in changed.items() if value is not None}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder in which nothing has been set up yet."""
    for name in ("Makefile", "requirements-dev.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"))
    return tmp_path


def python_with(folder: Path, lie: str) -> str:
    """An interpreter that differs from this one by a statement that it runs first."""
    path = folder / "python3.x"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; {lie}; exec(sys.argv[1])" "$2"\n')
    path.chmod(0o700)
    return str(path)


def test_a_python_that_is_too_old_is_named_with_its_version(clone: Path) -> None:
    python = python_with(clone, "sys.version_info = (3, 9, 2, 'final', 0)")
    done = make(clone, "demo", f"PYTHON={python}")
    line, *_ = done.stderr.splitlines()
    assert line == (
        f"Python 3.11 or newer is needed, and {python} is 3.9.2: say which, as in make demo PYTHON=python3.13"
    )
    assert done.returncode != 0
    assert not (clone / ".venv").exists()


def test_a_python_without_ensurepip_is_named_with_what_it_lacks(clone: Path) -> None:
    python = python_with(clone, "sys.modules['ensurepip'] = None")
    done = make(clone, "test", f"PYTHON={python}")
    line, *_ = done.stderr.splitlines()
    assert line == (
        f"{python} lacks venv or ensurepip: install it whole (on Debian and Ubuntu the package python3-venv), "
        "or say which other, as in make test PYTHON=python3.13"
    )
    assert done.returncode != 0
    assert not (clone / ".venv").exists()


def test_a_python_that_is_not_there_is_named(clone: Path) -> None:
    done = make(clone, ".venv/ready", "PYTHON=python3.99")
    line, *_ = done.stderr.splitlines()
    assert line == "There is no python3.99 here: say which Python, as in make .venv/ready PYTHON=python3.13"
    assert done.returncode != 0


def caches(folder: Path, **changed: str | None) -> dict[str, str]:
    """The caches that what make runs is told of."""
    told = folder / "told.mk"
    shown = " ".join(f"'{name}='\"$${name}\"" for name in KEPT_BY_HOME)
    told.write_text(f"include {ROOT / 'Makefile'}\ntold:\n\t@printf '%s\\n' {shown}\n")
    done = make(ROOT, "-f", str(told), "told", **changed)
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_caches_are_where_they_are_for_everybody_who_has_a_home(tmp_path: Path) -> None:
    assert caches(tmp_path, HOME=str(tmp_path)) == KEPT_BY_HOME
    (tmp_path / ".cache").mkdir()
    assert caches(tmp_path, HOME=str(tmp_path)) == KEPT_BY_HOME


@pytest.mark.parametrize("home", [None, "", "/nonexistent", os.devnull])
def test_caches_are_in_the_project_for_whoever_has_no_home(tmp_path: Path, home: str | None) -> None:
    assert caches(tmp_path, HOME=home) == KEPT_HERE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_caches_are_in_the_project_where_the_home_is_read_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    assert caches(tmp_path, HOME=str(home)) == KEPT_HERE
    home.chmod(0o700)
    (home / ".cache").mkdir(mode=0o500)
    assert caches(tmp_path, HOME=str(home)) == KEPT_HERE


def test_a_cache_that_was_named_is_taken(tmp_path: Path) -> None:
    named = str(tmp_path / "caches")
    told = caches(tmp_path, HOME="/nonexistent", XDG_CACHE_HOME=named, npm_config_cache="/elsewhere")
    assert told == {
        "XDG_CACHE_HOME": named,
        "PIP_CACHE_DIR": f"{named}/pip",
        "npm_config_cache": "/elsewhere",
        "__SAM_CLI_APP_DIR": f"{named}/sam",
    }
