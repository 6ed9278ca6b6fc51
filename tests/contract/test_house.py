"""The rules of the house about commands, which import-linter cannot see, as it knows packages only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import ROOT

SCRIPTS = ROOT / "scripts"
COMMANDS = {path.stem for path in SCRIPTS.glob("*.py")}


def imported(path: Path) -> Iterator[str]:
    """The top-level names that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_commands_are_run_and_only_libraries_are_imported() -> None:
    importers = [
        path
        for folder in ("scripts", "services")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "node_modules" not in path.parts
    ]
    assert len(importers) > 100
    assert {str(path.relative_to(ROOT)): found for path in importers if (found := COMMANDS & set(imported(path)))} == {}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_finds_what_it_imports(command: str) -> None:
    """By itself, as a person starts it: the tests' own path has more on it."""
    program = f"import runpy, sys; sys.path[0] = {str(SCRIPTS)!r}; runpy.run_path({str(SCRIPTS / command)!r} + '.py')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
