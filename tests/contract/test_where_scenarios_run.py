"""Each scenario says where it runs: on any stack, or on the laptop alone and why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import ROOT
from worlds.any_stack import ANYWHERE, WHY

LAPTOP = [path for folder in ("workflow", "e2e") for path in sorted((ROOT / "tests" / folder).glob("test_*.py"))]
# Fixtures of an emulator that tests start.
EMULATORS = {"stack", "fast_stack", "fast", "fast_tap"}


def reason(node: ast.expr) -> str | None:
    """The word in `pytest.mark.laptop("clock")`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.laptop":
        [word] = node.args
        return str(ast.literal_eval(word))
    return None


def scenarios(
    body: list[ast.stmt], inherited: tuple[str, ...] = ()
) -> Iterator[tuple[ast.FunctionDef, tuple[str, ...]]]:
    """Each test with the reasons that it, its class and its module give."""
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            inherited += tuple(word for word in [reason(node.value)] if word)
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            own = inherited + tuple(word for word in map(reason, node.decorator_list) if word)
            if isinstance(node, ast.ClassDef):
                yield from scenarios(node.body, own)
            elif node.name.startswith("test_"):
                yield node, own


def marked(path: Path) -> dict[str, tuple[str, ...]]:
    return {test.name: why for test, why in scenarios(ast.parse(path.read_text("utf-8")).body)}


@pytest.mark.parametrize("path", LAPTOP, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_the_laptop_alone_can_says_why_in_one_word(path: Path) -> None:
    found = marked(path)
    assert found
    assert {name: why for name, why in found.items() if len(why) != 1 or why[0] not in WHY} == {}


@pytest.mark.parametrize("path", sorted(ANYWHERE.glob("test_*.py")), ids=lambda path: path.stem)
def test_what_runs_anywhere_asks_for_no_emulator(path: Path) -> None:
    for test, why in scenarios(ast.parse(path.read_text("utf-8")).body):
        assert not EMULATORS & {argument.arg for argument in test.args.args} or why, test.name
