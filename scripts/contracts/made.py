"""Files that are made of others, and committed: written anew, or held against what they would be now."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def stale(wanted: Mapping[Path, str], there: Iterable[Path] = ()) -> list[Path]:
    """The files that are not as they would be made now, and those that would not be there.

    Args:
        wanted: each file, and what belongs into it.
        there: further files beside them, which are made too.
    """
    return sorted(
        path
        for path in wanted.keys() | set(there)
        if not path.exists() or path not in wanted or path.read_text("utf-8") != wanted[path]
    )


def command(
    arguments: list[str] | None, what: str, script: str, wanted: Callable[[], Mapping[Path, str]], *made: Path
) -> int:
    """Run the command line of a script that makes files.

    Args:
        arguments: of the command line; the process's own, if not given.
        what: it makes, in a sentence.
        script: its name.
        wanted: gives each file, and what belongs into it.
        made: patterns, as paths, of all files that it makes; what matches and is not wanted goes.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--check", action="store_true", help="only say whether what is committed is up to date")
    check = parser.parse_args(arguments).check
    files = wanted()
    old = stale(files, (path for pattern in made for path in pattern.parent.glob(pattern.name)))
    if check and old:
        names = ", ".join(os.path.relpath(path, ROOT) for path in old)
        print(f"{names}: stale, run `python scripts/{script}`.", file=sys.stderr)
        return 1
    for path in [] if check else old:
        path.unlink(missing_ok=True)
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
    return 0
