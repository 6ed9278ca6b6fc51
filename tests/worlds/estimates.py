"""Models for tests: a real one, learnt once; its file as others would send it; and S3's event about it."""

import hashlib
import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contracts.schemas import EVENTS
from estimates.model import TENSORS
from learning.simulated import orders
from learning.training import Arrays, learn, write

KEY = "estimates.safetensors"


@cache
def weights() -> Arrays:
    """What 3,000 simulated orders teach."""
    return learn(orders(3000, seed=1))


@cache
def model(size: int | None = None, bias: float = 0) -> bytes:
    """A model's file.

    Args:
        size: padded to so many octets.
        bias: minutes that it adds to each estimate, to tell it from another.
    """
    arrays = weights() | {"bias": weights()["bias"] + bias}
    with TemporaryDirectory() as folder:
        path = Path(folder, KEY)
        write(path, arrays, size)
        return path.read_bytes()


def hand_made(change: Callable[[dict[str, Any]], None] = lambda header: None, data: bytes | None = None) -> bytes:
    """A file whose header somebody wrote, with zeros for weights and a digest that fits.

    Args:
        change: done to the header.
        data: what lies behind it.
    """
    header: dict[str, Any] = {}
    at = 0
    for name, count in TENSORS.items():
        header[name] = {"dtype": "F32", "shape": [count], "data_offsets": [at, at + 4 * count]}
        at += 4 * count
    data = bytes(at) if data is None else data
    header["__metadata__"] = {"sha256": hashlib.sha256(data).hexdigest()}
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def uploaded(octets: bytes, etag: str, sequencer: str = "01", bucket: str = "models", key: str = KEY) -> dict[str, Any]:
    """S3's event, as EventBridge delivers it."""
    event: dict[str, Any] = json.loads(
        (EVENTS / "invocations" / "EstimatesCopyFunction-uploaded.json").read_text("utf-8")
    )
    event["detail"]["bucket"]["name"] = bucket
    event["detail"]["object"] |= {"key": key, "size": len(octets), "etag": etag, "sequencer": sequencer}
    return event
