"""What functions really ask AWS for, by the traces of a running stack: few calls for a request, and never a scan."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from laptop import Stack
from laptop.client import Client
from worlds.polling import eventually
from worlds.written import segments

pytestmark = pytest.mark.laptop("inside")

PLACED, MOVED = ["StartExecution", "TransactWriteItems"], ["BatchGetItem", "SendTaskSuccess", "UpdateItem"]


def parts(segment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A segment and all that is in it, each with the id of what it is in."""
    yield segment
    for inner in segment.get("subsegments", []):
        yield from parts(inner | {"parent_id": segment["id"], "type": "subsegment"})


def asked(stack: Stack, since: datetime) -> list[tuple[str, list[str]]]:
    """Of each invocation of a function since a moment: the order that it was about, and what it asked AWS for."""
    known = {part["id"]: part for text in segments(stack, since) for part in parts(json.loads(text))}
    made: dict[str, list[str]] = defaultdict(list)
    for part in known.values():
        operation, above = part.get("aws", {}).get("operation"), part
        # Up to the function, and no further: what a workflow does is below the call that started it.
        while above.get("type") == "subsegment" and above["name"] != "## handler":
            above = known.get(above["parent_id"], {})
        if operation and above.get("name") == "## handler":
            made[above["id"]].append(operation)
    return [
        (known[handler].get("annotations", {}).get("order_id", ""), sorted(operations))
        for handler, operations in made.items()
    ]


def test_orders_take_few_calls_and_nothing_scans(stack: Stack, client: Client, customer: str) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    # One after the other: those that come to a function that has the menu already take no call for it.
    orders = [client.place(customer=customer)["order_id"] for _ in range(4)]
    client.deliver(orders[0])

    def traced() -> list[tuple[str, list[str]]] | None:
        found = asked(stack, since)
        whole = [order_id for order_id, operations in found if "TransactWriteItems" in operations]
        moves = [operations for order_id, operations in found if "SendTaskSuccess" in operations]
        return found if set(orders) <= set(whole) and len(moves) >= 3 else None

    found = eventually(traced, 60, "the traces of all requests")
    placing = [operations for order_id, operations in found if order_id in orders and "StartExecution" in operations]
    assert len(placing) == len(orders)
    assert min(map(len, placing)) == len(PLACED)
    assert all(operations in (PLACED, sorted(["GetItem", *PLACED])) for operations in placing)
    moves = [operations for order_id, operations in found if order_id == orders[0] and "SendTaskSuccess" in operations]
    assert moves == [MOVED] * 3
    everything = {operation for _, operations in found for operation in operations}
    assert {"TransactWriteItems", "BatchGetItem", "UpdateItem"} <= everything
    assert "Scan" not in everything
