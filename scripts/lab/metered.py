"""What was counted while orders ran, in the units that AWS charges by: read from what `laptop.emulator.meter` wrote.

The emulator only says what happened, and how large it was. The rules by which that becomes units are AWS's, and each
function names where they stand.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

KB = 1024
GB = 1024**3
Line = Mapping[str, Any]
# The reconciler works each minute, orders or not: a fixed cost.
RECONCILER = "Orders/ReconcilerFunction"
_SWEEP = "open-orders"
# CloudWatch Logs API reference, PutLogEvents: a batch's size is that of its messages and 26 bytes for each.
_LINE_OVERHEAD = 26


@dataclass
class Counts:
    """What some orders took.

    Attributes:
        orders: how many.
        transitions: state entries and retries, by state.
        operations: of durable executions.
        checkpoints: bytes that those wrote.
        requests: to the APIs.
        invocations: by function.
        gb_seconds: by function.
        lines: bytes of log lines, as CloudWatch Logs counts them.
        events: chunks of 64 KB of the events that were put, by name; each has one, nearly always.
        archived: bytes of those events.
        messages: that rules put into queues, by queue.
        batches: that pollers got, by queue.
        reads: read request units, by table and index.
        writes: write request units, by table and index.
        shards: records that pollers got of the tables' streams.
        kept: bytes that stay in the tables.
        partitions: write request units by table, index and kind of partition key; see `Names.kind`.
        traces: that were recorded.
        segments: documents of them, subsegments that were sent on their own included.
        metrics: namespace, name and dimensions of every custom metric.
        calls: to DynamoDB, by operation, table and index.
    """

    orders: int = 0
    transitions: Counter[str] = field(default_factory=Counter)
    operations: int = 0
    checkpoints: int = 0
    requests: int = 0
    invocations: Counter[str] = field(default_factory=Counter)
    gb_seconds: dict[str, float] = field(default_factory=dict)
    lines: int = 0
    events: Counter[str] = field(default_factory=Counter)
    archived: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    reads: dict[tuple[str, str], float] = field(default_factory=dict)
    writes: dict[tuple[str, str], float] = field(default_factory=dict)
    shards: int = 0
    kept: int = 0
    partitions: dict[tuple[str, str, str], float] = field(default_factory=dict)
    traces: int = 0
    segments: int = 0
    metrics: set[tuple[str, str, tuple[tuple[str, str], ...]]] = field(default_factory=set)
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)


# What partition keys are made of. Whatever is none of these is the same for all orders, such as a status.
_KINDS = (
    (re.compile(r"(key:)?ord_[a-z2-7]{26}(:[a-z]+)?"), "order"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "customer"),
    (re.compile(r"r-[a-z0-9-]+"), "restaurant"),
    (re.compile(r"open-[0-9]+"), "shard"),
    (re.compile(r"pi_sandbox_[0-9a-f]+"), "order"),
)


@dataclass(frozen=True)
class Names:
    """What the stack's resources are called here, by their physical names. What has no name here is not the stack's.

    Attributes:
        paths: logical ids that lead to a function, table or queue.
        memory: megabytes of each function, by its path.
    """

    paths: Mapping[str, str]
    memory: Mapping[str, int]


def kind(key: str | None) -> str:
    """What a partition key is of: an order, customer, restaurant or shard; else the key itself, of all orders.

    >>> kind("PREPARING"), kind("open-3")
    ('PREPARING', 'shard')
    """
    return next((name for pattern, name in _KINDS if pattern.fullmatch(key or "")), key or "")


def count(lines: Iterable[Line], names: Names, orders: int) -> Counts:
    """Count what the meter wrote while orders ran.

    Args:
        lines: of the meter. What the reconciler does each minute is left out.
        names: of the stack's resources.
        orders: how many ran.
    """
    counts = Counts(orders)
    for line in lines:
        _COUNTED[line["what"]](counts, line, names)
    return counts


def transitions(history: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """State entries of an execution, and its retries, by state.

    Source: aws.amazon.com/step-functions/pricing: a transition each time a step is executed, retries included.

    Args:
        history: events of `GetExecutionHistory`, oldest first.
    """
    found: Counter[str] = Counter()
    state, tried = "", 0
    for event in history:
        if event["type"].endswith("StateEntered"):
            state, tried = event["stateEnteredEventDetails"]["name"], 0
            found[state] += 1
        elif event["type"] in ("TaskScheduled", "LambdaFunctionScheduled"):
            tried += 1
            found[state] += tried > 1
    return found


def read_units(size: int, consistent: bool) -> float:
    """Read request units (DynamoDB developer guide, "Read and write operations": 4 KB; half, if not consistent)."""
    return max(1, ceil(size / (4 * KB))) * (1.0 if consistent else 0.5)


def write_units(before: int, after: int, transaction: bool) -> int:
    """Write request units of a table (DynamoDB developer guide, "Read and write operations").

    Args:
        before: bytes of the item, 0 if it was not there.
        after: bytes of the item, 0 if it is gone. The larger of the two counts.
        transaction: whether it was written in one, which takes twice as many.
    """
    return max(1, ceil(max(before, after) / KB)) * (2 if transaction else 1)


def index_units(before: int | None, after: int | None, moves: bool) -> int:
    """Write request units of a global secondary index (DynamoDB developer guide, "Using global secondary indexes").

    Args:
        before: bytes of the entry, None if there was none.
        after: bytes of the entry, None if it is gone.
        moves: whether the key of the index is another: then the entry is deleted and put anew.
    """
    sizes = [max(1, ceil(size / KB)) for size in (before, after) if size is not None]
    return sum(sizes) if moves else max(sizes)


_BOTH = (("left", "before"), ("key", "after"))


def _read(counts: Counts, line: Line, names: Names) -> None:
    if (table := names.paths.get(line["table"])) and line["index"] != _SWEEP:
        key = (table, line["index"] or "")
        counts.reads[key] = counts.reads.get(key, 0) + read_units(line["bytes"], line["consistent"])


def _write(counts: Counts, line: Line, names: Names) -> None:
    if not (table := names.paths.get(line["table"])):
        return
    units = {"": write_units(line["before"], line["after"], line["transaction"])}
    units |= {name: index_units(e["before"], e["after"], e["moves"]) for name, e in line["indexes"].items()}
    for index, taken in units.items():
        counts.writes[table, index] = counts.writes.get((table, index), 0) + taken
    by_key = [("", kind(line["key"]), units[""])]
    for index, e in line["indexes"].items():
        if e["moves"]:
            # Deleted from the one partition, put into the other; they may be the same.
            by_key += [(index, kind(e[key]), index_units(e[size], None, False)) for key, size in _BOTH]
        else:
            by_key.append((index, kind(e["key"] or e["left"]), units[index]))
    for index, of, taken in by_key:
        counts.partitions[table, index, of] = counts.partitions.get((table, index, of), 0) + taken
    counts.kept += line["after"] - line["before"]
    counts.kept += sum((e["after"] or 0) - (e["before"] or 0) for e in line["indexes"].values())


def _call(counts: Counts, line: Line, names: Names) -> None:
    tables = [names.paths.get(table) for table in line["table"].split(",")]
    if any(tables):
        counts.calls[line["operation"], ",".join(filter(None, tables)), line["index"] or ""] += 1


def _invocation(counts: Counts, line: Line, names: Names) -> None:
    function = names.paths.get(line["function"])
    if function and function != RECONCILER:
        counts.invocations[function] += 1
        taken = names.memory[function] / 1024 * max(1, ceil(line["ms"])) / 1000
        counts.gb_seconds[function] = counts.gb_seconds.get(function, 0.0) + taken


def _lines(counts: Counts, line: Line, names: Names) -> None:
    counts.metrics |= {(ns, name, tuple(sorted(dimensions.items()))) for ns, name, dimensions in line["metrics"]}
    if names.paths.get(line["function"]) != RECONCILER:
        counts.lines += line["bytes"] + _LINE_OVERHEAD * line["count"]


def _event(counts: Counts, line: Line, _: Names) -> None:
    counts.events[line["name"]] += ceil(line["bytes"] / (64 * KB))
    counts.archived += line["bytes"]


def _sent(counts: Counts, line: Line, names: Names) -> None:
    if queue := names.paths.get(line["target"].rpartition(":")[2]):
        counts.messages[queue] += 1


def _batch(counts: Counts, line: Line, names: Names) -> None:
    if queue := names.paths.get(line["queue"]):
        counts.batches[queue] += 1


def _shard(counts: Counts, line: Line, _: Names) -> None:
    counts.shards += line["count"]


_COUNTED: dict[str, Callable[[Counts, Line, Names], None]] = {
    "read": _read,
    "write": _write,
    "call": _call,
    "invocation": _invocation,
    "lines": _lines,
    "event": _event,
    "sent": _sent,
    "batch": _batch,
    "shard": _shard,
}


def parse(text: str) -> list[dict[str, Any]]:
    """The meter's lines; one that is being written is left out."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
