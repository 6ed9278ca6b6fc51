"""The laptop: MiniStack in isolation, its gaps filled, and the real template deployed to it with the real SAM CLI."""

import sys

from .environment import ROOT

# The services say themselves how an order's id follows from its key, which statuses are ends, what the sandbox's ledger
# holds, which mails there are. At the end of the path: they must hide nothing.
sys.path.extend(str(folder) for folder in sorted((ROOT / "services").iterdir()) if folder.is_dir())

from .errors import (
    AlreadyRunning,
    BuildFailed,
    DeployFailed,
    EmulatorError,
    EventNotSeen,
    NoCaller,
    NotLoopback,
    NotRunning,
    NotSignedIn,
    StartFailed,
)
from .stack import Stack
from .tap import BusTap

__all__ = [
    "AlreadyRunning",
    "BuildFailed",
    "BusTap",
    "DeployFailed",
    "EmulatorError",
    "EventNotSeen",
    "NoCaller",
    "NotLoopback",
    "NotRunning",
    "NotSignedIn",
    "Stack",
    "StartFailed",
]
