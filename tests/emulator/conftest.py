"""One emulator for all the tests here.

To see what a filler is for, leave it out: TIFFIN_GAPS_LEFT_OPEN=task_tokens pytest tests/emulator
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from laptop.emulator import gaps
from laptop.emulator.launcher import Emulator
from worlds.emulator import CLOCK, World


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def world(state_dir: Path) -> Iterator[World]:
    left_open = {gaps.LEFT_OPEN: os.environ.get(gaps.LEFT_OPEN, "")}
    emulator = Emulator(CLOCK, left_open, state_dir)
    try:
        yield World(emulator.start().access)
    finally:
        emulator.stop()
