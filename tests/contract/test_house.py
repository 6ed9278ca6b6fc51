"""The rules of the house about commands, which import-linter cannot see, as it knows packages only."""

import ast
import json
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


# In a process of its own for each command. What they share, packages that are installed, is imported once before; but
# gevent, which `load` runs by, is to be there before whatever opens sockets.
IMPORTING = """
import json, os, runpy, sys, traceback

sys.path[0], *commands = sys.argv[1:]
failed = {}
for command in sorted(commands, key=lambda each: each != "load"):
    if command != "load":
        import boto3, cfnlint, httpx, pydantic, rich.console
    reads, writes = os.pipe()
    if not (child := os.fork()):
        try:
            runpy.run_path(f"{sys.path[0]}/{command}.py")
        except BaseException:
            os.write(writes, traceback.format_exc().encode()[-4000:])
            os._exit(1)
        os._exit(0)
    os.close(writes)
    with open(reads) as told:
        problem = told.read()
    if status := os.waitpid(child, 0)[1]:
        failed[command] = problem or f"ended with {status}"
print(json.dumps(failed))
"""


@pytest.fixture(scope="module")
def not_importing() -> dict[str, str]:
    """Why commands do not find what they import, by the commands' names."""
    command = [sys.executable, "-c", IMPORTING, str(SCRIPTS), *sorted(COMMANDS)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed: dict[str, str] = json.loads(told.splitlines()[-1])
    return failed


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_finds_what_it_imports(not_importing: dict[str, str], command: str) -> None:
    """By itself, as a person starts it: the tests' own path has more on it."""
    assert command not in not_importing, not_importing[command]
