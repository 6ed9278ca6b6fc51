"""How long a model's file takes to load: whole and mapped, from the disk and from memory.

Each measurement is a process of its own, as a cold start is, and takes the time of the work alone: the interpreter and
the imports are over by then. Whole: all of it is read, and one prediction is made. Mapped: one prediction is made, by
which only the pages of its weights are touched; then one octet of each page of the file is read, which is what a model
would take that needs all of its weights.

Cold means that the kernel has none of the file in memory. It was told to forget it (`posix_fadvise`,
POSIX_FADV_DONTNEED, after `fsync`, as dirty pages stay), and then asked what it still has (`mincore`): with more than a
thousandth there, the measurement is refused. A disk has a cache of its own, which nobody here can empty.
"""

import ctypes
import mmap
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from estimates.model import AcceptedOrder, minutes
from estimates.model_file import ModelFile
from tiffin.money import Money

from .simulated import orders
from .training import learn, write

PAGE = mmap.PAGESIZE
ORDER = AcceptedOrder("r-bella-napoli", datetime(2026, 11, 23, 19, tzinfo=UTC), Money(amount=2390, currency="EUR"))
MOST_LEFT = 0.001
"""Share of a file that may still be in memory when it counts as cold."""


class NotCold(Exception):
    """The kernel did not forget the file, so that no cold measurement of it can be made here."""


@dataclass(frozen=True)
class Loaded:
    """Medians in seconds, of one size and one state of the cache.

    Attributes:
        size: of the file in octets.
        cold: whether nothing of it was in memory.
        whole: all of it read, and one prediction made.
        first: mapped, and one prediction made.
        pages: mapped, and all of its pages touched.
        touched: how much of the file was in memory after the first prediction, if it was cold.
    """

    size: int
    cold: bool
    whole: float
    first: float
    pages: float
    touched: int


def in_memory(path: Path) -> int:
    """How many octets of a file the kernel has in memory, by whole pages. On Linux: it asks by `mincore`."""
    size = path.stat().st_size
    libc = ctypes.CDLL(None, use_errno=True)
    count = (size + PAGE - 1) // PAGE
    present = (ctypes.c_ubyte * count)()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as mapped:
        start = ctypes.c_char.from_buffer(mapped)
        try:
            if libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), present):
                raise OSError(ctypes.get_errno(), "mincore")
        finally:
            del start
    return sum(one & 1 for one in present) * PAGE


def forget(path: Path) -> None:
    """Have the kernel forget what it has of a file.

    Raises:
        NotCold: it did not.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    left = in_memory(path)
    if left > max(PAGE, MOST_LEFT * path.stat().st_size):
        raise NotCold(f"{left:,} octets of {path} are still in memory")


def whole(path: Path) -> None:
    """Read all of it, and predict."""
    minutes(ModelFile.whole(path), ORDER)


def first(path: Path) -> None:
    """Map it, and predict."""
    minutes(ModelFile.mapped(path), ORDER)


def pages(path: Path) -> None:
    """Map it, predict, and touch each page."""
    model = ModelFile.mapped(path)
    minutes(model, ORDER)
    sum(model.octets[::PAGE])


WAYS: dict[str, Callable[[Path], None]] = {"whole": whole, "first": first, "pages": pages}


def measure(size: int, folder: Path, repeats: int, told: Callable[[str], None] = lambda _: None) -> list[Loaded]:
    """Measure a file of a size, cold and warm.

    Args:
        size: in octets.
        folder: on the disk in question; the file is removed afterwards.
        repeats: of which the medians are taken.
        told: called with what is being done.

    Raises:
        NotCold: the kernel did not forget the file.
    """
    path = folder / f"{size}.safetensors"
    try:
        told(f"{size:,} octets: writing")
        write(path, learn(orders(2000, seed=1)), size)
        found = []
        for cold in (True, False):
            told(f"{size:,} octets: {'cold' if cold else 'warm'}")
            times = {way: [_timed(way, path, cold) for _ in range(repeats)] for way in WAYS}
            touched = 0
            if cold:
                forget(path)
                first(path)
                touched = in_memory(path)
            medians = {way: statistics.median(taken) for way, taken in times.items()}
            found.append(Loaded(path.stat().st_size, cold, **medians, touched=touched))
        return found
    finally:
        path.unlink(missing_ok=True)


def _timed(way: str, path: Path, cold: bool) -> float:
    if cold:
        forget(path)
    else:
        whole(path)
    run = subprocess.run(
        [sys.executable, "-m", __name__, way, str(path)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(run.stdout)


def _main() -> None:
    way, path = WAYS[sys.argv[1]], Path(sys.argv[2])
    begun = time.perf_counter()
    way(path)
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    _main()
