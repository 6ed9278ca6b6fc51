"""The emulator's temporary directory: held for as long as it runs, removed whole, and swept later where that failed.

A lock says that it is in use: of a file in it, `held`, which the emulator inherits, and which the kernel lets go with
it, however it ends. That file is removed last. So what is left half removed is still known for ours, and for nobody's.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "tiffin-"
HELD = "held"
LAYERS = "TIFFIN_LAYERS"
"""Environment variable: the folder that unpacked layers are kept in, from emulator to emulator."""
_TRIES, _AGAIN = 100, 0.05


def make() -> tuple[Path, int]:
    """Make a directory, and hold it.

    Returns:
        The directory, and a descriptor: whoever has it open, or has inherited it, holds the directory.
    """
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = path / "held.new"
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    # Nobody ever sees it without its lock.
    draft.rename(path / HELD)
    return path, descriptor


def remove(path: Path, tries: int = _TRIES) -> bool:
    """Remove a directory with all that is in it, `held` last.

    Args:
        path: the directory.
        tries: how often, a moment apart, as what writes there may not be over yet.

    Returns:
        Whether it is gone. If not, a later start finds it, and removes the rest.
    """
    for _ in range(tries):
        try:
            for entry in path.iterdir():
                if entry.name != HELD:
                    _remove(entry)
            if all(entry.name == HELD for entry in path.iterdir()):
                (path / HELD).unlink(missing_ok=True)
                path.rmdir()
                return True
        except FileNotFoundError:
            return True
        except OSError:
            # Something was put there after the last look.
            with suppress(OSError):
                (path / HELD).touch(mode=0o600)
        time.sleep(_AGAIN)
    return False


def discard(path: Path) -> None:
    """Remove a directory that is ours and that nobody holds any more; nothing else, whatever its name is."""
    with _unheld(path) as free:
        if free:
            remove(path)


def sweep() -> None:
    """Remove the directories of emulators that are gone, and could not remove them."""
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        discard(path)


@contextmanager
def _unheld(path: Path) -> Iterator[bool]:
    """Hold a directory, if it is one of ours and nobody else does: whether that is so."""
    descriptors: list[int] = []
    try:
        if not path.name.startswith(PREFIX):
            raise PermissionError
        # No link is followed: in a directory that all may write to, anybody can put one under any name.
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        descriptors.append(folder)
        held = os.open(HELD, os.O_RDWR | os.O_NOFOLLOW, dir_fd=folder)
        descriptors.append(held)
        if any(os.fstat(one).st_uid != os.geteuid() for one in descriptors) or not _is_file(held):
            raise PermissionError
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        for one in descriptors:
            os.close(one)


def _is_file(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        with suppress(OSError):
            entry.unlink()
