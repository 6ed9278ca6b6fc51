"""X-Ray's trace header, as it is carried where AWS does not carry it by itself. Pure; imports no tracing library.

It is a hint for whoever looks for links between traces, and comes from outside, so anything may stand in it: what is
well formed is used, everything else becomes a new root, and nothing is ever refused over it. The unwind workflow, which
reads its orders by itself, does the same in its first states.

Source: X-Ray developer guide, "Tracing header" and "Trace IDs".
"""

import hashlib
import re
import secrets
import time
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

# What is known of each part. Others (`Self`, `Lineage`, what a client adds) are left out: the header goes into events,
# where nobody's words belong, and EventBridge takes 500 characters of it (API reference, PutEventsRequestEntry).
_PARTS = {
    "Root": re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}"),
    "Parent": re.compile(r"[0-9a-f]{16}"),
    "Sampled": re.compile(r"[01]"),
}


def usable(header: object) -> str | None:
    """What can be carried of a trace header: `Root=…;Parent=…;Sampled=…`, or None if it names no root.

    Args:
        header: what stood where a trace header should: any value of any type.
    """
    if not isinstance(header, str):
        return None
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.strip(" ").partition("=")
        if name in _PARTS and _PARTS[name].fullmatch(value):
            found.setdefault(name, value)
    return ";".join(f"{name}={found[name]}" for name in _PARTS if name in found) if "Root" in found else None


def new_root() -> str:
    """A header of a trace that nobody samples, for what has none."""
    return _root(int(time.time()), secrets.token_hex(12))


def root_of_order(order_id: str, placed_at: datetime) -> str:
    """A new root that is the same each time it is made for an order: starting a workflow twice takes the same input.

    Args:
        order_id: the order.
        placed_at: when it was placed, aware.
    """
    return _root(int(placed_at.timestamp()), hashlib.sha256(order_id.encode()).hexdigest()[:24])


def _root(seconds: int, unique: str) -> str:
    return f"Root=1-{seconds & 0xFFFFFFFF:08x}-{unique};Sampled=0"


def _read(header: Any) -> str:
    return usable(header) or new_root()


TraceHeader = Annotated[str, BeforeValidator(_read)]
"""A field that reads any value at all, and holds a well-formed trace header."""
