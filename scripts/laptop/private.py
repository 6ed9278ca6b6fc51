"""Files and folders for this user's eyes alone: they hold credentials, and what customers wrote."""

import os
from pathlib import Path


def folder(path: Path) -> Path:
    """Make a folder that nobody else may enter, or make it so, if it is there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def file(path: Path) -> Path:
    """Make a file that nobody else may read, empty, or make it so and keep what is in it. So does its folder."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    return path
