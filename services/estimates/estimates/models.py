"""The folder of models, a file system that several functions see: the only module that knows its file names.

A model's file is named by the sequencer of its upload, and the newest by that name is the one in force. So a reader has
the old one or the new one, whole; a late copy of an older upload becomes a file that nobody opens; and two copies at
once need no lock. What is written has another name until it is complete.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tiffin.sequencers import in_order

from estimates.model_file import ModelFile

_SUFFIX, _DRAFT = ".safetensors", ".draft"
# The one in force, and the one before: whoever began by it a moment ago still looks at it, and a file that is removed
# under a mapping ends the process (EFS user guide, "Troubleshooting": stale file handles).
KEPT = 2
# No function runs that long, so nobody writes to a draft of that age any more.
_ABANDONED_SECONDS = 60 * 60


class NoModel(Exception):
    """There is none yet: the next attempt may find one."""


class Models:
    """The models that there are.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._current: tuple[str, ModelFile] | None = None

    def current(self) -> ModelFile:
        """The model in force: mapped when it is first asked for, and again once there is a newer one.

        Raises:
            NoModel: there is none.
            UnusableModel, OSError: it cannot be read.
        """
        name = self._newest()
        if name is None:
            raise NoModel("no model has been uploaded yet")
        if self._current is None or self._current[0] != name:
            self._current = name, ModelFile.mapped(self._folder / name)
        return self._current[1]

    def has(self, sequencer: str) -> bool:
        """Whether the model in force is of this upload, or of a later one."""
        name = self._newest()
        return name is not None and name >= _name(sequencer)

    @contextmanager
    def taking_over(self, sequencer: str) -> Iterator[BinaryIO]:
        """A file to write a model to, which is in force once this is left. What is raised in here leaves all as it was.

        Args:
            sequencer: of its upload, as S3 gives it.
        """
        # Of two attempts at one upload, each has a file of its own.
        draft = self._folder / f"{_name(sequencer)}.{os.urandom(8).hex()}{_DRAFT}"
        try:
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / _name(sequencer))
        finally:
            draft.unlink(missing_ok=True)
        self._tidy()

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith(_SUFFIX))
        except FileNotFoundError:
            return []

    def _newest(self) -> str | None:
        return max(self._names(), default=None)

    def _tidy(self) -> None:
        """Remove what was replaced long enough ago, and what a copy that died has left."""
        long_ago = time.time() - _ABANDONED_SECONDS
        drafts = [e for e in os.scandir(self._folder) if e.name.endswith(_DRAFT) and e.stat().st_mtime < long_ago]
        _remove(self._folder / name for name in [*self._names()[:-KEPT], *(draft.name for draft in drafts)])


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        # Another copy tidies up, too.
        with suppress(FileNotFoundError):
            path.unlink()


def _name(sequencer: str) -> str:
    return in_order(sequencer) + _SUFFIX
