"""An emulator's temporary directory goes with it, or at a later start; no other does, and none of one that runs."""

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from laptop.emulator import scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for temporary ones, of this test alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left_behind(temporary: Path, name: str = "tiffin-left") -> Path:
    """What an emulator left that is gone."""
    path = temporary / name
    (path / "layers" / "python").mkdir(parents=True)
    (path / "layers" / "python" / "large.so").write_bytes(b"0" * 1000)
    (path / "listening").touch()
    (path / scratch.HELD).touch()
    return path


@contextmanager
def fails(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """Nothing of that name can be removed."""
    remove = shutil.rmtree

    def rmtree(path: Any, **options: Any) -> None:
        if Path(path).name != name:
            remove(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", rmtree)
        yield


def test_one_that_is_held_is_left_alone_and_removed_once_it_is_let_go() -> None:
    path, held = scratch.make()
    (path / "code").mkdir()

    scratch.sweep()
    scratch.discard(path)
    assert (path / "code").is_dir()

    os.close(held)
    scratch.sweep()
    assert not path.exists()


def test_whoever_inherits_it_holds_it_until_they_are_killed() -> None:
    path, held = scratch.make()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held]) as heir:
        os.close(held)

        scratch.sweep()
        assert path.is_dir()

        heir.kill()
        heir.wait()
    scratch.sweep()
    assert not path.exists()


def test_what_could_not_be_removed_is_removed_at_the_next_start(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = left_behind(temporary)
    with fails(monkeypatch, "layers"):
        assert not scratch.remove(path, tries=2)
    assert {entry.name for entry in path.iterdir()} == {"layers", scratch.HELD}

    scratch.sweep()

    assert not path.exists()


def test_what_is_still_written_is_removed_once_that_is_over(temporary: Path) -> None:
    path, over = left_behind(temporary), threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                folder = path / f"late-{number}"
                folder.mkdir()
                (folder / "file").touch()
            except FileNotFoundError:
                return

    writer = threading.Thread(target=write)
    writer.start()
    timer = threading.Timer(0.3, over.set)
    timer.start()
    try:
        assert scratch.remove(path)
    finally:
        over.set()
        writer.join()
        timer.cancel()
    assert not path.exists()


def test_what_is_put_there_at_the_last_moment_keeps_it_known(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = left_behind(temporary)
    rmdir = Path.rmdir

    def late(self: Path) -> None:
        (path / "late").touch()
        rmdir(self)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rmdir", late)
        assert not scratch.remove(path, tries=1)
    assert (path / scratch.HELD).exists()

    scratch.sweep()
    assert not path.exists()


def test_what_is_not_ours_is_left_alone(temporary: Path) -> None:
    precious = temporary / "precious"
    for name in ("precious", "tiffin-without-a-mark"):
        (temporary / name).mkdir()
        (temporary / name / "file").touch()
    (precious / scratch.HELD).touch()
    (temporary / "tiffin-link").symlink_to(precious)
    (temporary / "tiffin-file").touch()
    (temporary / "tiffin-link-inside").mkdir()
    (temporary / "tiffin-link-inside" / scratch.HELD).symlink_to(precious / "file")
    (temporary / "tiffin-folder-inside" / scratch.HELD).mkdir(parents=True)
    before = sorted(temporary.rglob("*"))

    scratch.sweep()
    for path in [*temporary.iterdir(), temporary / "tiffin-nowhere"]:
        scratch.discard(path)

    assert sorted(temporary.rglob("*")) == before


def test_what_links_lead_to_stays(temporary: Path) -> None:
    path = left_behind(temporary)
    precious = temporary / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (path / "link").symlink_to(precious)

    scratch.sweep()

    assert not path.exists()
    assert (precious / "file").exists()


def test_another_user_s_is_left_alone(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = left_behind(temporary)
    with monkeypatch.context() as patched:
        patched.setattr("os.geteuid", lambda: os.getuid() + 1)
        scratch.sweep()
        assert (path / "layers").is_dir()

    scratch.sweep()
    assert not path.exists()


def test_nobody_sees_it_without_its_lock(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def seen(self: Path, target: Path) -> Path:
        scratch.sweep()
        renamed = rename(self, target)
        scratch.sweep()
        return renamed

    monkeypatch.setattr(Path, "rename", seen)
    path, held = scratch.make()
    assert path.is_dir()
    with (path / scratch.HELD).open() as asked, pytest.raises(BlockingIOError):
        fcntl.flock(asked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)
