"""A person at a terminal, who presses Enter whenever a command asks."""

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from laptop.pace import Deadline

_BOLD = re.compile(r"\x1b\[[0-9;]*m")


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        status: its exit status.
        text: what it printed.
        questions: the lines at which Enter was pressed.
    """

    status: int
    text: str
    questions: list[str]


def with_enter_at_every_question(
    arguments: list[str], environment: Mapping[str, str], folder: Path, seconds: float = 120
) -> Ended:
    """Run a command in a terminal of its own, and press Enter at each question (what ends in `]: `, as click's do).

    Args:
        arguments: arguments of this interpreter, such as `["-m", "samcli", "deploy", "--guided"]`.
        environment: all of it.
        folder: where it runs.
        seconds: for the whole, on a quiet machine.
    """
    terminal, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=dict(environment), stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    printed, answered, questions = b"", 0, list[str]()
    ends = Deadline(seconds)
    while not ends.passed():
        readable, _, _ = select.select([terminal], [], [], 1)
        try:
            some = os.read(terminal, 65536) if readable else None
        except OSError:  # Linux says so when the other side has closed
            some = b""
        if some == b"":
            break
        printed += some or b""
        if printed[answered:].endswith(b"]: "):
            questions.append(_BOLD.sub("", printed.rpartition(b"\n")[2].decode()).strip())
            os.write(terminal, b"\n")
            answered = len(printed)
    else:
        process.kill()
    os.close(terminal)
    return Ended(process.wait(), printed.decode(errors="replace"), questions)
