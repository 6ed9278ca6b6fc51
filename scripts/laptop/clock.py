"""How much faster time passes for Step Functions than for everybody else, and how slow the machine is meanwhile.

Scaled by the clock: the `TimeoutSeconds` of a state machine that waits for anybody, and of a task that waits for a
callback, `Wait` states, and the delay of a retry. An execution keeps the clock that it began with. Work is not faster:
the `TimeoutSeconds` of what only works, and a function's `Timeout`, are left as they are on a quiet machine, and are
longer on a busy one.

Both numbers stand in a file in the emulator's temporary directory. The launcher writes it, before the start and when
they change; the emulator's own process reads it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from . import private

FILE = "clock.json"


@dataclass(frozen=True)
class Clock:
    """How time passes in an emulator.

    Attributes:
        rate: how much faster it passes for Step Functions: 2160 makes three hours of five seconds.
        slowness: how many times as long work takes as on a quiet machine.
    """

    rate: float = 1.0
    slowness: float = 1.0

    def real_seconds(self, seconds: float) -> float:
        """How long a span of Step Functions' time really takes.

        Args:
            seconds: the span, as a state machine's definition has it.
        """
        return seconds / self.rate

    def enough_seconds(self, seconds: float) -> float:
        """How long work may really take that may take so many seconds on AWS."""
        return seconds * self.slowness

    def write(self, folder: Path) -> None:
        """Let it count from now on, in the emulator with this temporary directory."""
        draft = private.file(folder / f"{FILE}.new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What counts in the emulator with this temporary directory."""
        return cls(**json.loads((folder / FILE).read_text()))


def paced(rate: float, slowness: float) -> Clock:
    """The clock that a machine can follow: a fast one goes as much slower as the machine is, down to the true one.

    Args:
        rate: what is wanted on a quiet machine.
        slowness: the machine's.
    """
    return Clock(max(rate / slowness, min(rate, 1.0)), slowness)


def current() -> Clock:
    """What counts now; asked in the emulator's own process."""
    return Clock.read(Path(os.environ["TMPDIR"]))


def of(execution: Mapping[str, Any] | None) -> Clock:
    """What an execution began with, or what counts now if there is none; asked in the emulator's own process."""
    return getattr(execution, "clock", None) or current()
