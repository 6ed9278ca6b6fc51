"""The page of threats names tests that are there, and each threat has one."""

import re

import pytest
from worlds import ROOT

PAGE = (ROOT / "docs" / "threats.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| threat |")]


def threat(row: str) -> str:
    return row.split("|")[1].strip()


@pytest.mark.parametrize("row", ROWS, ids=threat)
def test_a_threat_has_a_defence_and_a_test_that_is_there(row: str) -> None:
    _, _, defence, shown_by, _ = row.split("|")
    assert defence.strip()
    named = re.findall(r"`([^`]+)::([^`]+)`", shown_by)
    assert named
    for file, test in named:
        assert re.search(rf"^ *def {test}\(", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE), (
            f"{file}::{test}"
        )
