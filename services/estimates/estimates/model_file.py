"""A model's file, read without a library: the only module that knows its format.

It is a safetensors file (its documentation, "Format"): eight octets with the length of a header, little-endian; the
header, JSON, which gives each tensor's type, shape and place; then the tensors, one behind the other. Nothing in it is
code. The library that writes it (`scripts/learning/`) would need NumPy here, thirty megabytes to read four arrays.

A mapped file is not read but looked at: the kernel fetches the pages that are touched, and no others. So a prediction
by a model of two gigabytes costs as much as by one of ten megabytes.
"""

import json
import mmap
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError
from tiffin.models import BaseModel, faults
from tiffin.unmendable import Unmendable

from estimates.model import TENSORS

HEADER = 1024 * 1024
"""Octets that a header has at most, its own length included. Ours has some hundred; the format allows more."""
_LENGTH = struct.Struct("<Q")
_OCTETS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_FLOAT = "F32"
_Natural = Annotated[int, Field(ge=0, strict=True)]


class UnusableModel(Unmendable):
    """It is no file that estimates could be made with: cut off, of another kind, or without what is read."""


class _Tensor(BaseModel):
    dtype: str
    shape: Annotated[list[_Natural], Field(max_length=8)]
    data_offsets: tuple[_Natural, _Natural]


class Header:
    """What a file says of itself, and that it fits the file.

    Args:
        start: the file, or its first `HEADER` octets; no more of it is looked at than the header.
        size: of the whole file, in octets.

    Attributes:
        data: where the tensors begin.
        metadata: text by text; `sha256` is the digest of all that lies behind the header.

    Raises:
        UnusableModel: see there.
    """

    def __init__(self, start: "memoryview | bytes", size: int) -> None:
        if size < _LENGTH.size or len(start) < _LENGTH.size:
            raise UnusableModel("shorter than a header's length")
        (length,) = _LENGTH.unpack_from(start)
        self.data = _LENGTH.size + length
        if self.data > min(HEADER, size, len(start)):
            raise UnusableModel("its header is longer than the file, or than a header may be")
        self._size = size
        header = _document(bytes(start[_LENGTH.size : self.data]))
        found = header.pop("__metadata__", {})
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise UnusableModel("__metadata__: not text by text")
        self.metadata: dict[str, str] = found
        self._tensors = {name: self._tensor(name, one) for name, one in header.items()}
        for name, count in TENSORS.items():
            one = self._tensors.get(name)
            if one is None:
                raise UnusableModel(f"{name}: there is no such tensor")
            if one.dtype != _FLOAT or prod(one.shape) != count:
                raise UnusableModel(f"{name}: {count} numbers of type {_FLOAT} are needed")

    def _tensor(self, name: str, described: Any) -> _Tensor:
        # Of a tensor that nobody here reads, the name is the sender's.
        said = name if name in TENSORS else "a tensor"
        try:
            one = _Tensor.model_validate(described)
        except ValidationError as error:
            raise UnusableModel(f"{said}: {faults(error)}") from None
        begin, end = one.data_offsets
        if not begin <= end <= self._size - self.data:
            raise UnusableModel(f"{said}: it lies outside the file, which is cut off")
        if one.dtype not in _OCTETS or end - begin != prod(one.shape) * _OCTETS[one.dtype]:
            raise UnusableModel(f"{said}: its shape and type are not as long as its place")
        return one

    def place(self, name: str) -> slice:
        """Where a tensor lies in the file."""
        begin, end = self._tensors[name].data_offsets
        return slice(self.data + begin, self.data + end)


def _document(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UnusableModel("its header is no JSON") from None
    if not isinstance(found, dict):
        raise UnusableModel("its header is no object")
    return found


class ModelFile(Mapping[str, Sequence[float]]):
    """The weights of a model, by the names of its tensors; each is fetched when it is looked at.

    Args:
        octets: the whole file.

    Attributes:
        octets: the same, looked at and not copied.
        header: what it says of itself.

    Raises:
        UnusableModel: see there.
    """

    def __init__(self, octets: "mmap.mmap | bytes") -> None:
        self.octets = memoryview(octets)
        self.header = Header(self.octets, len(self.octets))

    @classmethod
    def mapped(cls, path: Path) -> Self:
        """A file's weights, without reading the file.

        Raises:
            UnusableModel: see there.
            OSError: it cannot be opened.
        """
        with path.open("rb") as file:
            try:
                octets = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:
                raise UnusableModel("an empty file") from None
        return cls(octets)

    @classmethod
    def whole(cls, path: Path) -> Self:
        """A file's weights, all of it read into memory: what `make bench-models` compares with."""
        return cls(path.read_bytes())

    def __getitem__(self, name: str) -> Sequence[float]:
        if name not in TENSORS:
            raise KeyError(name)
        # The format's numbers are little-endian, as is every processor that Lambda has.
        if sys.byteorder != "little":
            raise NotImplementedError("this processor keeps its numbers the other way round")
        return self.octets[self.header.place(name)].cast("f")

    def __iter__(self) -> Iterator[str]:
        return iter(TENSORS)

    def __len__(self) -> int:
        return len(TENSORS)
