"""What `sam build` made, as Lambda would take it: for the right processor and Python, compiled, not too large."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MACHINES = {"arm64": 183, "x86_64": 62}
"""How an ELF file names its processor (`e_machine` in the System V ABI), by Lambda's architecture."""
MOST = 250 * 1024 * 1024
"""Bytes of a function with its layers, unzipped (Lambda developer guide, "Lambda quotas")."""


@dataclass(frozen=True)
class Layer:
    """A layer that was built.

    Attributes:
        name: application and logical id, such as `Orders/RuntimeLayer`.
        bytes: of all its files.
        compiled: modules that have bytecode of the runtime.
        not_compiled: those that have none.
        native: libraries in machine code.
        foreign: those of another processor or Python.
    """

    name: str
    bytes: int
    compiled: int
    not_compiled: list[str]
    native: int
    foreign: list[str]

    def problems(self, *, bytecode: bool) -> Iterator[str]:
        """Why Lambda would not take it, or take it worse than it should.

        Args:
            bytecode: whether there must be bytecode.
        """
        for path in self.foreign:
            yield f"{self.name}: {path} is for another processor or Python"
        if bytecode and self.not_compiled:
            yield f"{self.name}: {len(self.not_compiled)} modules without bytecode, such as {self.not_compiled[0]}"
        if self.bytes > MOST:
            yield f"{self.name}: {self.bytes} bytes are more than Lambda takes"


def layers(folder: Path, runtime: str, architecture: str) -> list[Layer]:
    """Every layer below a build's folder.

    Args:
        folder: where `sam build` put it.
        runtime: Lambda's, such as `python3.13`.
        architecture: Lambda's name of it.
    """
    tag = "cpython-" + runtime.removeprefix("python").replace(".", "")
    return [_layer(path.parent, folder, tag, MACHINES[architecture]) for path in sorted(folder.glob("*/*Layer/python"))]


def _layer(layer: Path, folder: Path, tag: str, machine: int) -> Layer:
    files = [path for path in sorted(layer.rglob("*")) if path.is_file()]
    modules = [path for path in files if path.suffix == ".py"]
    native = [path for path in files if path.suffix == ".so"]
    lacking = [path for path in modules if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").is_file()]
    foreign = [path for path in native if not _fits(path, tag, machine)]
    return Layer(
        str(layer.relative_to(folder)),
        sum(path.stat().st_size for path in files),
        len(modules) - len(lacking),
        [str(path.relative_to(layer)) for path in lacking],
        len(native),
        [str(path.relative_to(layer)) for path in foreign],
    )


def _fits(library: Path, tag: str, machine: int) -> bool:
    head = library.read_bytes()[:20]
    named = ".cpython-" not in library.name or f".{tag}-" in library.name
    return head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == machine and named
