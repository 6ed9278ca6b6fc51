"""How much longer work takes than a processor works on it: once as long on a quiet machine, longer beside other work.

`pace` asks in its own process, and in another one, which runs this file. It imports nothing but the standard library.
"""

import statistics
import time
from collections.abc import Callable

# One slice is many turns of a scheduler, which gives a process some milliseconds at a time: few would be chance.
_PROCESSOR_SECONDS = 0.02
_SLICES = 5
# What has been found by then must do: on a machine that is very busy, a slice takes that long.
_ENOUGH_SECONDS = 0.8


def slowdown(
    clock: Callable[[], float] = time.perf_counter,
    processor: Callable[[], float] = time.thread_time,
    work: Callable[[], object] = lambda: sum(range(2000)),
) -> float:
    """Work a little, in slices, and tell how long the median one took, as a multiple of its processor time.

    Args:
        clock: seconds that pass.
        processor: seconds that a processor worked for this thread.
        work: takes a small part of a slice.
    """
    found: list[float] = []
    began = clock()
    while len(found) < _SLICES and not (found and clock() - began > _ENOUGH_SECONDS):
        at, worked = clock(), processor()
        while processor() - worked < _PROCESSOR_SECONDS:
            work()
        found.append((clock() - at) / (processor() - worked))
    return statistics.median(found)


if __name__ == "__main__":
    print(slowdown())
