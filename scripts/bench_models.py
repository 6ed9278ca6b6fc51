"""What `make bench-models` runs: how long a model's file takes to load, by its size, read whole and mapped.

    python scripts/bench_models.py [--sizes 10MB,100MB,500MB,1GB,2GB] [--repeats 5] [--folder DISK] [--write PAGE]

What is measured, and what cold means: `scripts/learning/loading.py`. With `--write`, the table between the marks in the
page is replaced. It needs as much free disk, and twice as much free memory, as the largest file has.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from laptop import measured
from learning.loading import Loaded, NotCold, measure
from rich.console import Console

SIZES = {"10MB": 10**7, "100MB": 10**8, "500MB": 5 * 10**8, "1GB": 10**9, "2GB": 2 * 10**9}
COMMAND = "make bench-models"


def table(found: list[Loaded], repeats: int, folder: Path) -> str:
    """The figures, with where and how they were taken."""
    rows = [
        [
            *(f"{one.size / 10**6:,.0f}", "cold" if one.cold else "warm"),
            *map(ms, (one.whole, one.first, one.pages)),
            f"{one.touched / 1024:,.0f}" if one.cold else "",
        ]
        for one in found
    ]
    headings = ["MB", "cache", "read whole, one prediction", "mapped, one prediction", "mapped, every page touched"]
    lines = [[*headings, "KiB fetched by one"], ["---"] * 6, *rows]
    return "\n".join(
        [
            f"{measured.where()},",
            f"file system {_file_system(folder)}, median of {repeats}, milliseconds:",
            "",
            *(f"| {' | '.join(line)} |" for line in lines),
        ]
    )


def ms(seconds: float) -> str:
    """Milliseconds, with as many digits as mean something."""
    return f"{seconds * 1000:,.0f}" if seconds >= 0.1 else f"{seconds * 1000:.2g}"


def _file_system(folder: Path) -> str:
    """Type of the file system that a folder is on, as /proc/mounts has it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    real = str(folder.resolve())
    on = [(point, kind) for _, point, kind, *_ in mounts if real == point or real.startswith(point.rstrip("/") + "/")]
    return max(on)[1] if on else "unknown"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="How long a model's file takes to load, by its size.")
    parser.add_argument("--sizes", default=",".join(SIZES), help=f"which, of {', '.join(SIZES)}")
    parser.add_argument("--repeats", type=int, default=5, help="of which the medians are taken")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on the disk in question")
    parser.add_argument("--write", type=Path, help="the page whose table is replaced")
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    if not hasattr(os, "posix_fadvise"):
        console.print("[red]✗[/red] Only Linux forgets a file when it is asked to.")
        return 1
    found = []
    try:
        with tempfile.TemporaryDirectory(dir=options.folder.resolve()) as folder, console.status("") as status:
            for name in options.sizes.split(","):
                found += measure(SIZES[name], Path(folder), options.repeats, status.update)
    except NotCold as error:
        console.print(f"[red]✗[/red] {error}")
        return 1
    text = table(found, options.repeats, options.folder)
    console.print(text)
    if options.write:
        measured.replace(options.write, COMMAND, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
