"""What is learnt from orders, and its file.

NumPy's least squares is all that a linear model needs: one call, no state, and what it finds is the best there is. The
file is safetensors, by its own library: a header that says where each array lies, the arrays, and nothing that could be
executed, as a pickle could. In the functions neither library is there; `estimates.model_file` reads the format.
"""

import hashlib
import json
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from estimates.model import HOURS, RESTAURANTS, TENSORS, AcceptedOrder, minutes
from estimates.model_file import ModelFile
from numpy.typing import NDArray
from safetensors.numpy import save_file

Arrays = dict[str, NDArray[np.float32]]
PADDING = "padding"
_NOT_YET = "0" * 64
_BLOCK = 16 * 1024 * 1024


class TooSmall(Exception):
    """A model is larger than the file was to be."""


def learn(orders: Iterable[tuple[AcceptedOrder, float]]) -> Arrays:
    """The weights that miss the minutes of these orders by least, in the square.

    Args:
        orders: with the minutes that each took.

    Returns:
        Arrays by `TENSORS`.
    """
    known = list(orders)
    rows = np.zeros((len(known), 1 + RESTAURANTS + HOURS + 1), dtype=np.float64)
    for row, (order, _) in zip(rows, known, strict=True):
        row[0] = 1
        row[1 + order.restaurant] = 1
        row[1 + RESTAURANTS + order.hour] = 1
        row[-1] = order.size
    # Of the many solutions that differ by a constant between bias, restaurants and hours, it takes the shortest: a
    # restaurant that nobody ordered from has the weight 0, and is as fast as the average.
    weights, *_ = np.linalg.lstsq(rows, np.array([took for _, took in known]), rcond=None)
    places = np.cumsum([0, *TENSORS.values()])
    return {
        name: weights[begin:end].astype(np.float32)
        for name, begin, end in zip(TENSORS, places[:-1], places[1:], strict=True)
    }


def write(path: Path, arrays: Arrays, size: int | None = None, seed: int = 1) -> None:
    """Write a model's file, with the digest of its content in its header.

    Args:
        path: where to.
        arrays: its weights.
        size: how large the file shall be in octets, or a few more; as small as it is, if none is given. What is added
            is a tensor of noise, which no file system, network or bucket can make smaller.
        seed: of that noise.

    Raises:
        TooSmall: the model is larger than that.
    """
    # Beside the file, and put in its place once it is whole: a size that is refused leaves the former model as it was.
    draft = path.with_name(f".{path.name}.draft")
    try:
        _write(draft, arrays, size, seed)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, arrays: Arrays, size: int | None, seed: int) -> None:
    tensors: dict[str, NDArray[np.generic]] = dict(arrays)
    # A header's numbers get longer with what they count: the second time it is exact, or a few octets more.
    bare = _written(path, tensors, _NOT_YET)
    spare = 0 if size is None else size - bare
    if spare < 0:
        raise TooSmall(f"at least {bare:,} octets: so many has the model itself")
    if spare:
        tensors[PADDING] = np.random.default_rng(seed).integers(0, 256, spare, dtype=np.uint8)
    _written(path, tensors, _NOT_YET)
    digest, place = _digest(path)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(digest.encode())


def missed_by(path: Path, orders: Iterable[tuple[AcceptedOrder, float]]) -> float:
    """By how many minutes, on average, a model's file misses orders: read and calculated as the function does it."""
    model = ModelFile.mapped(path)
    return float(np.mean([abs(minutes(model, order) - took) for order, took in orders]))


def _written(path: Path, tensors: dict[str, NDArray[np.generic]], sha256: str) -> int:
    save_file(tensors, str(path), {"sha256": sha256, "format": "tiffin-estimates-1"})
    return path.stat().st_size


def _digest(path: Path) -> tuple[str, int]:
    """The digest of all behind the header, and where in the file it is to be written."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = file.read(length)
        if json.loads(header)["__metadata__"]["sha256"] != _NOT_YET:
            raise ValueError("the header has another digest already")
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest(), 8 + header.index(_NOT_YET.encode())
