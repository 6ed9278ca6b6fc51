"""A layer's content is there before the function starts, and is the same files for every execution environment.

Source: AWS Lambda developer guide, "Managing Lambda dependencies with layers": Lambda mounts a layer at `/opt`.
MiniStack unpacks it again for every worker, which for a layer of thousands of files is most of a cold start. Here it is
unpacked once, and is there for the next start of an emulator too.
"""

import hashlib
import os
import shutil
import tempfile
import threading
import time
import types
import zipfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

from .. import scratch

# Of a layer that changes with each line of a developer's, the older ones are of no use to anybody.
_KEPT = 16
_DAY = 24 * 3600.0
_DRAFT = "draft-"

_lock = threading.Lock()


class _ZipFile(zipfile.ZipFile):
    """Unpacks a layer once, and then only points at it."""

    @cached_property
    def _shared(self) -> Path:
        with Path(str(self.filename)).open("rb") as archive:
            digest = hashlib.file_digest(archive, "sha256").hexdigest()
        return Path(os.environ[scratch.LAYERS], digest)

    def namelist(self) -> list[str]:
        """The names in it; MiniStack looks at each of them before it unpacks, so none where that is over."""
        if Path(str(self.filename)).name.startswith("layer_") and self._shared.is_dir():
            return []
        return super().namelist()

    def extractall(self, path: Any = None, *args: Any, **kwargs: Any) -> None:
        target = Path(path or ".")
        if not target.name.startswith("layer_"):
            super().extractall(path, *args, **kwargs)
            return
        with _lock:
            try:
                os.utime(self._shared)
            except FileNotFoundError:
                self._unpack()
                _forget_old(self._shared.parent)
        target.rmdir()
        target.symlink_to(self._shared)

    def _unpack(self) -> None:
        """Unpack it, whole or not at all; another emulator may be doing the same."""
        self._shared.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=self._shared.parent))
        try:
            super().extractall(draft)
            with suppress(OSError):
                draft.rename(self._shared)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _forget_old(folder: Path) -> None:
    """Remove all layers but the last ones, and none that an emulator of today may use."""
    found = [(each.lstat().st_mtime, each) for each in folder.iterdir() if _is_there(each)]
    for used, each in sorted(found, reverse=True)[_KEPT:]:
        if used < time.time() - _DAY:
            draft = each.with_name(f"{_DRAFT}{each.name}")
            with suppress(OSError):
                # Never half a layer under a layer's name.
                each.rename(draft)
                shutil.rmtree(draft, ignore_errors=True)


def _is_there(folder: Path) -> bool:
    return not folder.name.startswith(_DRAFT) and folder.is_dir()


def fill() -> None:
    """Give the module that starts workers its own `zipfile`."""
    own = types.ModuleType("zipfile")
    own.__dict__.update({**zipfile.__dict__, "ZipFile": _ZipFile})
    lambda_runtime.zipfile = own
