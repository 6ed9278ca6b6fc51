"""How slow this machine is right now, and what follows from it: how long to wait, and how fast to let time pass.

A deadline is written down for a quiet machine. Beside other work all takes longer, and nothing is wrong: a deadline
that stood still would find fault with the machine. So whoever waits asks a `Deadline`, which comes later in proportion,
and the accelerated clock of the workflows (`clock`) goes as much slower. On a quiet machine all is as it is written.

What slows work down is that others share the processors. So it is measured, in a few tenths of a second, how much
longer work takes than a processor works on it (`share`): here, where orders are placed and answers awaited, and in a
session of its own, as the emulator and its functions have one. Linux divides processors among sessions first (sched(7),
"The autogroup feature"), so the two can be far apart.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from . import share
from .errors import NotInTime

T = TypeVar("T")

# Of the processor time that an order takes, whoever places, moves and polls it spends a twentieth to a tenth, measured
# with one order and with eight at once; the emulator and its functions spend the rest.
_HERE = 0.1
# Chance; or a machine with a little to do, which is quick enough.
_QUIET = 1.25
# A measurement is as good as new for so many seconds.
_FRESH = 2.0

AT_LEAST = "TIFFIN_SLOWNESS"
"""A variable of the environment: how slow a machine is whatever is measured, as others work beside who measures, now
and then. Processes that are started know it too."""

_lock = threading.Lock()
_slowness = 1.0
_measured = float("-inf")


def mixed(here: float, there: float) -> float:
    """How many times as long an order takes as on a quiet machine: 1 or more.

    Args:
        here: by how much this process is slowed down.
        there: by how much the emulator is.
    """
    slowness = _HERE * here + (1 - _HERE) * there
    return 1.0 if slowness < _QUIET else round(slowness, 1)


def slowness() -> float:
    """How many times as long things take as on a quiet machine, by the last measurement."""
    return max(_slowness, float(os.environ.get(AT_LEAST, 1)))


def measure() -> float:
    """Measure anew. Whoever asks while another measures gets what that one finds."""
    global _slowness, _measured
    with _lock:
        if time.monotonic() - _measured > _FRESH:
            _slowness = mixed(share.slowdown(), _elsewhere())
            _measured = time.monotonic()
        return slowness()


def patience(seconds: float) -> float:
    """Seconds that are enough on a quiet machine, as many as are enough on this one now."""
    return seconds * slowness()


class Deadline:
    """The moment at which waiting is given up. It comes later on a busy machine, also on one that becomes so meanwhile.

    Args:
        seconds: from now on, on a quiet machine.
        besides: more of them, which are the same on every machine: what is waited for takes these by a clock.
        clock: seconds that pass.
        measured: how slow the machine is now, measured anew.
    """

    def __init__(
        self,
        seconds: float,
        besides: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        measured: Callable[[], float] = measure,
    ) -> None:
        self._seconds, self._besides, self._clock, self._measured = seconds, besides, clock, measured
        self._began, self._slowness = clock(), slowness()

    def left(self) -> float:
        """Seconds until then, by what is known of the machine."""
        return self._began + self._besides + self._seconds * self._slowness - self._clock()

    def passed(self) -> bool:
        """Whether it has come. Before it says so, it measures whether the machine has become slower."""
        if self.left() <= 0:
            # What was slow for a while has been slow: it does not come earlier again.
            self._slowness = max(self._slowness, self._measured())
        return self.left() <= 0


def eventually(probe: Callable[[], T | None], deadline: float = 30.0, what: str = "it", pause: float = 0.05) -> T:
    """Ask until the answer is true, and return that.

    Args:
        probe: what to ask.
        deadline: seconds, on a quiet machine.
        what: for the failure's message.
        pause: seconds between two questions, at most; the first follow sooner.

    Raises:
        NotInTime: time ran out.
    """
    until, often = Deadline(deadline), pauses(pause)
    while not (answer := probe()):
        if until.passed():
            raise NotInTime(what, deadline)
        time.sleep(next(often))
    return answer


def pauses(longest: float) -> Iterator[float]:
    """Seconds between one question and the next: most answers come soon, and who waits long need not ask often.

    Args:
        longest: seconds that they grow to.
    """
    pause = longest / 8
    while True:
        yield pause
        pause = min(longest, pause * 1.5)


def _elsewhere() -> float:
    """By how much a process in a session of its own is slowed down."""
    command = [sys.executable, "-I", "-S", share.__file__]
    told = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True)
    return float(told.stdout)
