"""A layer is unpacked once, whole, for every environment and for the next emulator; old ones go."""

import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from laptop.emulator import scratch
from laptop.emulator.gaps import shared_layers

DAY = 24 * 3600


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where layers are kept."""
    monkeypatch.setenv(scratch.LAYERS, str(tmp_path / "layers"))
    return tmp_path / "layers"


def mounted(folder: Path, content: str) -> Path:
    """What MiniStack does for an environment, in its own order: where the layer is then."""
    folder.mkdir()
    archive = folder / "layer_0.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for number in range(50):
            # The moment too is part of an archive's bytes.
            out.writestr(zipfile.ZipInfo(f"python/module_{number}.py"), content)
    target = folder / "layer_0"
    target.mkdir()
    with shared_layers._ZipFile(archive) as layer:
        layer.namelist()
        layer.extractall(target)
    return target


def test_a_layer_is_the_same_files_for_all_and_is_looked_through_once(tmp_path: Path, kept: Path) -> None:
    first, second = mounted(tmp_path / "first", "X = 1"), mounted(tmp_path / "second", "X = 1")
    other = mounted(tmp_path / "other", "X = 2")
    assert first.resolve() == second.resolve() != other.resolve()
    assert (first / "python" / "module_7.py").read_text() == "X = 1"
    assert (other / "python" / "module_7.py").read_text() == "X = 2"
    with shared_layers._ZipFile(tmp_path / "first" / "layer_0.zip") as layer:
        assert layer.namelist() == []
    assert len(list(kept.iterdir())) == 2


def test_many_who_unpack_it_at_once_all_have_it_whole(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nobody:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    # Emulators of other processes, which share no lock.
    monkeypatch.setattr(shared_layers, "_lock", Nobody())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: mounted(tmp_path / str(n), "X = 1"), range(16)))
    assert {len(list((layer / "python").iterdir())) for layer in found} == {50}
    assert [path.name for path in kept.iterdir()] == [found[0].resolve().name]


def test_of_those_that_nobody_has_used_for_a_day_the_last_sixteen_stay(tmp_path: Path, kept: Path) -> None:
    for age in range(20):
        layer = kept / f"of-{age}-days-ago"
        layer.mkdir(parents=True)
        os.utime(layer, (time.time() - age * DAY - 60,) * 2)
    new = mounted(tmp_path / "new", "X = 1").resolve()
    assert {path.name for path in kept.iterdir()} == {new.name, *(f"of-{age}-days-ago" for age in range(15))}


def test_a_function_s_own_code_is_unpacked_where_it_says(tmp_path: Path, kept: Path) -> None:
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("handler.py", "X = 1")
    with shared_layers._ZipFile(archive) as code:
        assert code.namelist() == ["handler.py"]
        code.extractall(tmp_path / "code")
    assert (tmp_path / "code" / "handler.py").read_text() == "X = 1"
    assert not kept.exists()
