"""What measures writes a page of the documentation if it is told to, and leaves the tree alone otherwise."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faults
import isolation
import pytest
from lab.isolating import Phase
from lab.results import Result
from worlds import ROOT

DOCS = ROOT / "docs"


def state() -> dict[Path, bytes]:
    return {page: page.read_bytes() for page in DOCS.rglob("*.md")}


@contextmanager
def nothing_is_started(*_: Any, **__: Any) -> Iterator[Any]:
    yield SimpleNamespace(clock=180.0, say=None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many orders `make isolation` asked for; it measured at once."""
    orders: list[int] = []

    def measure(_: Any, __: int, count: int, ___: Any) -> list[Phase]:
        orders.append(count)
        return [Phase("All well", [1.0]), Phase("Both broken", [1.0], 2.0)]

    monkeypatch.setattr(isolation, "measure", measure)
    monkeypatch.setattr(isolation, "Stack", SimpleNamespace(up=nothing_is_started))
    return orders


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `make faults`: it was tried at once."""
    row = SimpleNamespace(fault="a crash", place="between", name="row")
    result = SimpleNamespace(case=row, ended="DELIVERED", wrong={}, mark=lambda _: "✓")
    results: list[Result] = [result]  # type: ignore[list-item]
    monkeypatch.setattr(faults, "run_matrix", lambda *_: results)
    monkeypatch.setattr(faults, "Lab", SimpleNamespace(up=nothing_is_started))


def test_isolation_measures_and_leaves_the_page_alone(asked: list[int]) -> None:
    before = state()
    assert isolation.main(["--orders", "20"]) == 0
    assert asked == [20]
    assert state() == before


def test_isolation_writes_the_page_that_it_is_told_to(asked: list[int], tmp_path: Path) -> None:
    before = state()
    assert isolation.main(["--write", str(tmp_path / "page.md")]) == 0
    assert asked == [200]
    assert "| Both broken | 1.00 | 1.00 | 1.00 | 2 |" in (tmp_path / "page.md").read_text("utf-8")
    assert state() == before


@pytest.mark.usefixtures("matrix")
def test_the_fault_matrix_leaves_its_page_alone_unless_it_is_told_to_write_one(tmp_path: Path) -> None:
    before = state()
    assert faults.main([]) == 0
    assert faults.main(["--write", str(tmp_path / "page.md")]) == 0
    assert "| a crash | between | DELIVERED |" in (tmp_path / "page.md").read_text("utf-8")
    assert state() == before


@pytest.mark.parametrize("command", [isolation, faults])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(
    command: Any, asked: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--write", str(tmp_path / "nowhere" / "page.md")])
    assert ended.value.code == 2
    assert f"there is no folder {tmp_path / 'nowhere'}" in capsys.readouterr().err
    assert asked == []


def test_no_command_writes_a_page_by_default() -> None:
    told = [line for path in (ROOT / "scripts").glob("*.py") for line in re.findall(r'.*"--write".*', path.read_text())]
    assert len(told) >= 4
    assert [line for line in told if "default" in line] == []
