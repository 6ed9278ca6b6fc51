"""What an emulator leaves that was killed with all its processes is removed at the next start, and nothing else is."""

import os
import signal
from pathlib import Path

from laptop.emulator.launcher import Emulator
from laptop.pace import patience
from worlds.emulator import nothing_remains_of, with_a_worker


def test_the_next_start_removes_what_a_killed_one_left_and_nothing_of_one_that_runs(tmp_path: Path) -> None:
    running, killed, later = (Emulator(state_dir=tmp_path / name) for name in ("running", "killed", "later"))
    try:
        beside, gone = running.start(), killed.start()
        with_a_worker(gone)
        os.killpg(gone.pid, signal.SIGKILL)
        assert killed._popen is not None
        killed._popen.wait(timeout=patience(20))
        assert Path(gone.scratch).exists()

        later.start()

        assert not Path(gone.scratch).exists()
        assert beside.running()
        with_a_worker(beside)
    finally:
        for emulator in (running, killed, later):
            emulator.stop()
    assert nothing_remains_of(beside)
