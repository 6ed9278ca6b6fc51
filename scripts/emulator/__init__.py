"""The laptop: MiniStack in isolation, its gaps filled, and the real template deployed to it with the real SAM CLI."""

from .errors import (
    AlreadyRunning,
    BuildFailed,
    DeployFailed,
    EmulatorError,
    EventNotSeen,
    NotLoopback,
    NotRunning,
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
    "NotLoopback",
    "NotRunning",
    "Stack",
    "StartFailed",
]
