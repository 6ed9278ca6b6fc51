"""Figures in a page: with the machine and the day, between marks that name the command which writes them."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

END = "<!-- and here. -->"


def where() -> str:
    """The day and the machine, as a sentence goes on with how it was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
    return (
        f"Measured {datetime.now(UTC):%d %B %Y} on {os.cpu_count()} cores ({machine}), {memory:.0f} GiB of memory, "
        f"Python {platform.python_version()}"
    )


def mark(command: str) -> str:
    """How the mark begins before what a command writes."""
    return f"<!-- Measured: `{command}` writes what stands between here"


def replace(page: Path, command: str, text: str) -> None:
    """Put figures where a page has its marks for them.

    Args:
        page: has the mark of the command, and `END` after it.
        command: as a person types it.
        text: what stands between the marks from then on.

    Raises:
        ValueError: the page has no such marks.
    """
    between = re.compile(f"({re.escape(mark(command))}[^\n]*\n).*?({re.escape(END)})", re.DOTALL)
    written, places = between.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page.read_text("utf-8"))
    if places != 1:
        raise ValueError(f"{page} has {places} places for what {command} measures")
    page.write_text(written, "utf-8")
