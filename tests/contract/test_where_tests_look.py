"""A test that looks for a secret where nobody writes can never fail: so logs are looked at in one way."""

import re
from pathlib import Path

import pytest
from worlds import ROOT

TESTS = sorted(path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_what_is_logged_is_read_from_the_logger(path: Path) -> None:
    """By `worlds.logs`: the logger's stream is older than any capture of pytest's, and `caplog.text` has no keys."""
    text = path.read_text("utf-8")
    assert "capfd" not in text
    assert "caplog.text" not in text
    assert not re.search(r"registered_handler, .stream.", text)
