"""Orders of each end on a stack of their own, one after the other, and what AWS would have charged for, counted.

Nobody looks at an order while it runs but its own people, who make their moves: whether it is time for one is read from
the table, by who started the emulator, which the meter leaves out. What looking costs is counted by itself.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from laptop import Stack, pace
from laptop.client import Client
from operations.deployed import Deployed

from .cases import CANCELLED, DECLINED_CARD, DELIVERED, NEVER_DELIVERED, REJECTED
from .metered import Counts, Names, count, parse, transitions

LIVES = Path(__file__).with_name("lives.json")
"""What an order of each end took, as it was counted last: `make capacity` goes by it."""
METER = "TIFFIN_METER"
"""What the emulator reads: the file that it counts into."""
FAST = 540.0
"""How much faster time passes for orders that expire: three hours take twenty seconds, on a quiet machine."""
_QUIET_SECONDS = 3.0
"""Nothing is counted for so long: all has been said and done. Pollers look each second or so."""
_PATIENCE = 60.0


class NotCounted(Exception):
    """An order did not end as it should."""


@dataclass(frozen=True)
class End:
    """Orders that end alike.

    Attributes:
        name: of the row; a first order earns a promo code, and in a failed one the workflow died.
        status: that they end in.
        share: of all orders, as a mix that is assumed.
        plan: who does what once the order is in which status.
        method: how they are paid.
        coded: whether the customer has a promo code, and uses it.
        of: whose orders they are: two ends with the same customers follow each other.
        killed: whether the workflow dies while the restaurant is waited for.
        clock: how much faster time passes.
    """

    name: str
    status: str
    share: float
    plan: Mapping[str, Any] = field(default_factory=dict)
    method: str = "pm_card_visa"
    coded: bool = False
    of: str = "regular"
    killed: bool = False
    clock: float = 1.0


ENDS = (
    End("first delivered", "DELIVERED", 0.10, DELIVERED),
    End("delivered with a code", "DELIVERED", 0.08, DELIVERED, coded=True),
    End("delivered", "DELIVERED", 0.70, DELIVERED),
    End("declined", "DECLINED", 0.04, method=DECLINED_CARD, of="declined"),
    End("rejected", "REJECTED", 0.03, REJECTED, of="rejected"),
    End("cancelled", "CANCELLED", 0.03, CANCELLED, of="cancelling"),
    End("failed", "FAILED", 0.01, of="unlucky", killed=True),
    End("expired", "EXPIRED", 0.01, NEVER_DELIVERED, of="waiting", clock=FAST),
)
"""In the order in which they run: the first order earns the code that the second is placed with."""

LOOKS = {
    "the customer looks at the order": 10,
    "the customer looks at the restaurants and a menu": 1,
    "the restaurant looks at its list": 3,
    "the courier looks at the list": 3,
}
"""How often people look, in the life of an order: an assumption, which nobody has measured."""


@dataclass
class Costing:
    """What was counted.

    Attributes:
        ends: by name.
        looks: by what is looked at.
        metrics: custom metrics of all together.
        sweep: GB-seconds of one run of the reconciler.
    """

    ends: dict[str, Counts] = field(default_factory=dict)
    looks: dict[str, Counts] = field(default_factory=dict)
    metrics: int = 0
    sweep: float = 0.0


class Meter:
    """A running stack whose emulator counts.

    Args:
        stack: it.
        file: where the emulator writes.
    """

    def __init__(self, stack: Stack, file: Path) -> None:
        self.stack, self._file, self._requests = stack, file, 0
        deployed = Deployed(stack.client, stack.outputs)
        # A queue's physical id is its URL.
        paths = {resource.name.rpartition("/")[2]: resource.path for resource in deployed.resources()}
        memory = {path: int(known["MemorySize"]) for path, known in deployed.functions().items()}
        self.names = Names(paths, memory)
        self.client = Client(stack.outputs, stack.people, look=self._look)
        self._dynamodb, self._states = stack.client("dynamodb"), stack.client("stepfunctions")
        self._xray, self._seen = stack.client("xray"), set[str]()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def measure(self, orders: int, what: Callable[[], object]) -> Counts:
        """Count what happens until all is quiet again.

        Args:
            orders: how many orders, or looks, it is.
            what: to do.
        """
        self._settle()
        begins, requests = self._written(), self._requests
        began = time.time()
        self._executions()
        what()
        self._settle()
        lines = parse(self._file.read_bytes()[begins:].decode())
        counts = count(lines, self.names, orders)
        counts.requests = self._requests - requests
        for execution in self._executions():
            pages = self._states.get_paginator("get_execution_history").paginate(executionArn=execution)
            counts.transitions += transitions(event for page in pages for event in page["events"])
        traces = self._traces(began)
        counts.traces, counts.segments = len(traces), self._segments(traces)
        return counts

    def status(self, order_id: str) -> str:
        """An order's status, read behind everybody's back; `CLOSED` behind it once nothing is owed to it any more."""
        table = self.stack.outputs["OrdersTableName"]
        item = self._dynamodb.get_item(TableName=table, Key={"order_id": {"S": order_id}}, ConsistentRead=True)["Item"]
        # Only with its token can a move be called back at once.
        waits = "task_token" in item or "open_shard" not in item
        return f"{item['status']['S']}{'' if 'open_shard' in item else ' CLOSED'}" if waits else ""

    def kill(self, order_id: str) -> None:
        """Let an order's workflow die."""
        arn = self.stack.outputs["OrderWorkflowArn"].replace(":stateMachine:", ":execution:")
        self._states.stop_execution(executionArn=f"{arn}:{order_id}", error="Killed", cause="To count what it takes.")

    def sweep(self) -> float:
        """GB-seconds of a run of the reconciler, by its longest so far."""
        (name,) = [name for name, path in self.names.paths.items() if path == "Orders/ReconcilerFunction"]
        ran = [
            line["ms"] for line in parse(self._file.read_text("utf-8")) if line.get("function") == name and "ms" in line
        ]
        return self.names.memory["Orders/ReconcilerFunction"] / 1024 * max(ran, default=0) / 1000

    def _look(self, response: httpx.Response) -> None:
        self._requests += str(response.request.url).startswith(self.stack.outputs["ApiUrl"])

    def _written(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0

    def _settle(self) -> None:
        deadline, size, since = pace.Deadline(_PATIENCE), -1, time.monotonic()
        while time.monotonic() < since + pace.patience(_QUIET_SECONDS) and not deadline.passed():
            if (now := self._written()) != size:
                size, since = now, time.monotonic()
            time.sleep(0.1)

    def _executions(self) -> list[str]:
        """Those that are new since this was asked last."""
        found = []
        for output in ("OrderWorkflowArn", "UnwindWorkflowArn"):
            pages = self._states.get_paginator("list_executions").paginate(stateMachineArn=self.stack.outputs[output])
            found += [one["executionArn"] for page in pages for one in page["executions"]]
        new = [arn for arn in found if arn not in self._seen]
        self._seen.update(new)
        return new

    def _traces(self, since: float) -> list[str]:
        pages = self._xray.get_paginator("get_trace_summaries").paginate(StartTime=since, EndTime=time.time() + 1)
        summaries = [summary for page in pages for summary in page["TraceSummaries"]]
        names = {path: name for name, path in self.names.paths.items()}
        reconciler = names["Orders/ReconcilerFunction"]
        return [one["Id"] for one in summaries if reconciler not in {service["Name"] for service in one["ServiceIds"]}]

    def _segments(self, traces: list[str]) -> int:
        # BatchGetTraces takes five ids (X-Ray API reference).
        batches = [traces[at : at + 5] for at in range(0, len(traces), 5)]
        found = [self._xray.batch_get_traces(TraceIds=ids)["Traces"] for ids in batches]
        return sum(len(trace["Segments"]) for batch in found for trace in batch)


def run(stack: Stack, file: Path, orders: int, say: Callable[[str], None] = lambda _: None) -> Costing:
    """Let orders of each end happen, and count.

    Args:
        stack: a fresh one, whose emulator counts.
        file: where it writes.
        orders: of each end.
        say: told what is being counted.
    """
    found = Costing()
    with closing(Meter(stack, file)) as meter:
        for end in ENDS:
            say(end.name)
            people = [f"{end.of}-{number}" for number in range(orders)]
            codes = {name: _code(meter.client, name) for name in people} if end.coded else {}
            _sign_in(stack, people)
            meter.stack.keep_pace(end.clock)
            at_once = 4 if end.clock > 1 else 1
            found.ends[end.name] = meter.measure(orders, lambda: _all(meter, end, people, codes, at_once))  # noqa: B023
        say("people who look")
        placed = meter.client.place(customer="regular-0")["order_id"]
        looks: list[tuple[str, Callable[[], Any]]] = [
            ("the customer looks at the order", lambda: meter.client.order(placed)),
            ("the customer looks at the restaurants and a menu", lambda: _browse(meter.client)),
            ("the restaurant looks at its list", lambda: meter.client.work("kitchen")),
            ("the courier looks at the list", lambda: meter.client.work("courier", which="ready")),
        ]
        for name, look in looks:
            found.looks[name] = meter.measure(orders, lambda: [look() for _ in range(orders)])  # noqa: B023
        found.sweep = meter.sweep()
    found.metrics = len(set().union(*(counts.metrics for counts in (*found.ends.values(), *found.looks.values()))))
    return found


@contextmanager
def counting(state_dir: Path, console: Any = None) -> Iterator[tuple[Stack, Path]]:
    """A stack whose emulator counts, and the file that it writes."""
    file = state_dir / "meter.jsonl"
    with Stack.up(console, env={METER: str(file)}, state_dir=state_dir) as stack:
        yield stack, file


def _browse(client: Client) -> None:
    client.restaurants()
    client.menu("r-bella-napoli")


def _sign_in(stack: Stack, people: list[str]) -> None:
    for name in ("bella", "carl", *people):
        stack.people.token(name)


def _code(client: Client, customer: str) -> str:
    codes = pace.eventually(lambda: client.promo_codes(customer), what=f"a promo code of {customer}")
    return str(codes[0]["code"])


def _all(meter: Meter, end: End, people: list[str], codes: Mapping[str, str], at_once: int) -> None:
    with ThreadPoolExecutor(at_once) as crowd:
        list(crowd.map(lambda name: one(meter, end, name, codes.get(name)), people))


def one(meter: Meter, end: End, customer: str, code: str | None) -> None:
    """Let one order come to its end, and wait until nothing is owed to it.

    Raises:
        NotCounted: it ended otherwise.
    """
    more: dict[str, Any] = {"promo_code": code} if code else {}
    order_id = meter.client.place(customer=customer, payment_method=end.method, **more)["order_id"]
    besides = 10_800 / end.clock if end.clock > 1 else 0.0
    deadline, done = pace.Deadline(_PATIENCE, besides), set[str]()
    while (status := meter.status(order_id)) != f"{end.status} CLOSED":
        if deadline.passed() or (status.endswith("CLOSED")):
            raise NotCounted(f"{order_id} was to be {end.name} and is {status or 'on its way'}: nothing is counted")
        if status and status not in done:
            done.add(status)
            if move := end.plan.get(status):
                meter.client.move(order_id, move, {"reason": "out_of_stock"} if move == "reject" else None)
            elif end.killed and status == "AWAITING_RESTAURANT":
                meter.kill(order_id)
        time.sleep(0.02)


def write_lives(found: Costing, path: Path = LIVES) -> None:
    """Write down what one order of each end took, and one look, for whoever reckons with it."""
    text = json.dumps({name: _life(counts) for name, counts in (*found.ends.items(), *found.looks.items())}, indent=1)
    # A row a line.
    path.write_text(re.sub(r"\n {3,}|\n {2}(?=[\]}])", " ", text) + "\n", "utf-8")


def _life(counts: Counts) -> dict[str, Any]:
    n = counts.orders

    def each(amounts: Mapping[str, float]) -> dict[str, float]:
        return {name: round(amount / n, 2) for name, amount in sorted(amounts.items())}

    return {
        "requests": round(counts.requests / n, 2),
        "segments": round(counts.segments / n, 2),
        "transitions": each(counts.transitions),
        "invocations": each(counts.invocations),
        "events": each(counts.events),
        "messages": each(counts.messages),
        "reads": [[table, index, round(units / n, 2)] for (table, index), units in sorted(counts.reads.items())],
        "writes": [[*key, round(units / n, 2)] for key, units in sorted(counts.partitions.items())],
    }
