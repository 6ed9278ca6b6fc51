"""A layer's content is there before the function starts, and is the same files for every execution environment.

Source: AWS Lambda developer guide, "Managing Lambda dependencies with layers": Lambda mounts a layer at `/opt`.
MiniStack unpacks it again for every worker, which for a layer of thousands of files is most of a cold start.
"""

import hashlib
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

_lock = threading.Lock()


class _ZipFile(zipfile.ZipFile):
    """Unpacks a layer once, and then only points at it."""

    def extractall(self, path: Any = None, *args: Any, **kwargs: Any) -> None:
        target = Path(path or ".")
        if not target.name.startswith("layer_"):
            super().extractall(path, *args, **kwargs)
            return
        with Path(str(self.filename)).open("rb") as archive:
            digest = hashlib.file_digest(archive, "sha256").hexdigest()
        shared = Path(tempfile.gettempdir(), "layers", digest)
        with _lock:
            if not shared.is_dir():
                draft = shared.with_suffix(".new")
                super().extractall(draft)
                draft.rename(shared)
        target.rmdir()
        target.symlink_to(shared)


def fill() -> None:
    """Give the module that starts workers its own `zipfile`."""
    own = types.ModuleType("zipfile")
    own.__dict__.update({**zipfile.__dict__, "ZipFile": _ZipFile})
    lambda_runtime.zipfile = own
