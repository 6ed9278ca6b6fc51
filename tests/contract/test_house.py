"""The rule of the house that import-linter cannot see, as it knows packages only."""

import ast
from collections.abc import Iterator
from pathlib import Path

from worlds import ROOT

COMMANDS = {path.stem for path in (ROOT / "scripts").glob("*.py")}


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
