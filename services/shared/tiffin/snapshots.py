"""What holds where a function starts from a snapshot of its INIT (Lambda SnapStart): the hooks around the snapshot.

All environments that are restored from one snapshot begin with the same memory, at a moment that may be weeks after
INIT (Lambda developer guide, "Handling uniqueness with Lambda SnapStart"). So INIT keeps no moment, no id and no
secret, and opens no connection: `tests/unit/test_snapshots.py` looks. Two things are left, and are done here: a
connection that INIT did open is closed before the snapshot, as the other side will long have hung up; and the
generator behind `random` gets a seed of its own after it, or all environments would wait out the same jitter. Ids,
here and in the libraries, come from the operating system, which Lambda seeds anew.

Where there is no SnapStart, nothing of this runs, and the library of the hooks, which the runtime has, is not imported.
"""

import os
import random
from collections.abc import Callable

_closes: list[Callable[[], None]] = []


def closed_before_snapshots(close: Callable[[], None]) -> None:
    """Name what closes connections that may be open when a snapshot is taken.

    Args:
        close: closes them, so that the next call opens new ones.
    """
    _closes.append(close)


def before_snapshot() -> None:
    """Close what is open: it would be dead in every environment that is restored."""
    for close in _closes:
        close()


def after_restore() -> None:
    """Make what every environment has of its own."""
    random.seed()


if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    register_before_snapshot(before_snapshot)
    register_after_restore(after_restore)
