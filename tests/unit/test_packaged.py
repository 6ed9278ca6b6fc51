"""A package that Lambda would take is told from one that it would not."""

from pathlib import Path

import pytest
from operations.packaged import MACHINES, MOST, Layer, layers

ELF = b"\x7fELF" + b"\0" * 14


def native(machine: str) -> bytes:
    return ELF + MACHINES[machine].to_bytes(2, "little") + b"\0" * 8


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A layer of one compiled module and one library, for Python 3.13 on arm64."""
    home = tmp_path / "Orders" / "RuntimeLayer" / "python" / "wrapt"
    (home / "__pycache__").mkdir(parents=True)
    (home / "core.py").touch()
    (home / "__pycache__" / "core.cpython-313.pyc").touch()
    (home / "_fast.cpython-313-aarch64-linux-gnu.so").write_bytes(native("arm64"))
    return tmp_path


def problems(
    folder: Path, runtime: str = "python3.13", architecture: str = "arm64", *, bytecode: bool = True
) -> list[str]:
    [layer] = layers(folder, runtime, architecture)
    return list(layer.problems(bytecode=bytecode))


def test_what_was_built_for_the_target_is_fine(package: Path) -> None:
    assert problems(package) == []


def test_a_library_of_another_processor_is_named(package: Path) -> None:
    assert problems(package, architecture="x86_64") == [
        "Orders/RuntimeLayer: python/wrapt/_fast.cpython-313-aarch64-linux-gnu.so is for another processor or Python"
    ]


def test_a_library_of_another_python_is_named(package: Path) -> None:
    assert len(problems(package, "python3.12", bytecode=False)) == 1


def test_what_is_no_library_at_all_is_named(package: Path) -> None:
    (package / "Orders" / "RuntimeLayer" / "python" / "odd.so").write_text("a text")
    assert problems(package) == ["Orders/RuntimeLayer: python/odd.so is for another processor or Python"]


def test_a_module_without_bytecode_is_named_where_there_should_be_some(package: Path) -> None:
    (package / "Orders" / "RuntimeLayer" / "python" / "new.py").touch()
    assert problems(package) == ["Orders/RuntimeLayer: 1 modules without bytecode, such as python/new.py"]
    assert problems(package, bytecode=False) == []


def test_a_layer_that_is_too_large_is_named() -> None:
    assert len(list(Layer("Orders/RuntimeLayer", MOST + 1, 0, [], 0, []).problems(bytecode=True))) == 1
    assert list(Layer("Orders/RuntimeLayer", MOST, 0, [], 0, []).problems(bytecode=True)) == []
