"""The same orders by each way, on one emulator: what becomes of them, and what they take.

What a fault does to them is in `breaking`. Each order is judged by what must hold of every order (`invariants`),
whichever way it went. What is counted is what its own context and payments took; who only listens is left out, as it is
the same for all.
"""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from laptop import Stack, pace
from laptop.client import Client
from operations import workflows
from operations.deployed import Deployed, Resource
from orders.model import ENDS

from . import durable, pricing
from .cases import CANCELLED, DECLINED_CARD, DELIVERED, NEVER_DELIVERED, REJECTED, Case, Fault, Row
from .invariants import Facts, judge
from .lab import plain
from .metered import Counts, Names, count, parse, transitions
from .queues import hurry
from .ways import Outputs, Way

JUDGED = ("I1", "I2", "I5", "I6")
"""What must hold of an order; promo codes (I3) are the listeners' and left out."""
STORIES: tuple[tuple[str, Mapping[str, Any], str, str], ...] = (
    ("delivered", DELIVERED, "pm_card_visa", "DELIVERED"),
    ("declined", {}, DECLINED_CARD, "DECLINED"),
    ("rejected", REJECTED, "pm_card_visa", "REJECTED"),
    ("cancelled", CANCELLED, "pm_card_visa", "CANCELLED"),
    ("expired", NEVER_DELIVERED, "pm_card_visa", "EXPIRED"),
)
"""What is told, what people do, how it is paid, how it ends."""
COUNTED = "delivered", "declined", "rejected", "cancelled"
"""What is counted: of an order that expires, the three hours are made shorter by writing into its row."""
SOURCES = {"tiffin.orders", "tiffin.payments"}
HASTE = 40.0
"""How much sooner a message that failed comes again here than the templates say, and somebody looks at an order."""
PATIENCE, LOOK = 90.0, 0.05
_QUIET = 2.0


class NotTheSame(Exception):
    """An order did not come to where it was to come, or what must hold of it does not."""


@dataclass
class Found:
    """What was seen of one way.

    Attributes:
        counts: of one order, by story.
        seconds: from placed to closed, by story.
        recorded: events in the history of the order that was delivered.
        broken: what was seen of each fault, in words, by its name.
        queues: that are polled all month.
    """

    counts: dict[str, Counts] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    recorded: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    queues: int = 0


class Running:
    """A way that is up.

    Args:
        way: which.
        stack: where.
        outputs: its own.
        meter: the file that the emulator counts into.
        faults: the port that the emulator takes faults on.

    Attributes:
        named: physical ids of all its resources, by their paths.
        names: of those that are counted.
        comes_again: seconds after which a message that failed comes again by its template, by the URLs of queues that
            were hurried.
    """

    def __init__(self, way: Way, stack: Stack, outputs: Outputs, meter: Path, faults: int) -> None:
        self.way, self.stack, self.outputs = way, stack, outputs
        self.client, self.tap = Client(outputs, stack.people), stack.tap(outputs["EventBusName"])
        self._meter, self._faults, self._seen = meter, faults, set[str]()
        self.comes_again: dict[str, int] = {}
        self._dynamodb, self._states = stack.client("dynamodb"), stack.client("stepfunctions")
        self._sqs = stack.client("sqs")
        deployed = list(Deployed(stack.client, outputs, way.stack).resources())
        self.named = {resource.path: resource.name for resource in deployed}
        self.names = self._counted(deployed)

    def _counted(self, deployed: list[Resource]) -> Names:
        way = self.way
        resources = [r for r in deployed if r.path.startswith(way.its) and not r.path.startswith(way.besides)]
        asked = self.stack.client("lambda").get_function_configuration
        functions = [r for r in resources if r.kind == "AWS::Lambda::Function"]
        memory = {r.path: int(asked(FunctionName=r.name)["MemorySize"]) for r in functions}
        return Names({r.name.rpartition("/")[2]: r.path for r in resources if r.name}, memory)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    # --- What becomes of an order ---

    def row(self, order_id: str) -> Row:
        """An order's row, read behind everybody's back."""
        key = {"order_id": {"S": order_id}}
        found = self._dynamodb.get_item(TableName=self.outputs["OrdersTableName"], Key=key, ConsistentRead=True)
        return plain(found.get("Item", {}))

    def begin(self, case: Case) -> None:
        """Place a case's order."""
        case.subject = self.stack.people.subject(case.customer)
        for person in ("bella", "carl"):
            self.stack.people.token(person)
        self.inject(case.faults, case.name, case.order_id)
        expires = case.ends == {"EXPIRED"}
        self.stack.keep_pace(self.way.clock if expires else 1.0)
        case.began = time.monotonic()
        self.client.place(customer=case.customer, payment_method=case.method, key=case.name)
        case.answered = True

    def go_on(self, case: Case) -> bool:
        """Look at an order once, and let whoever is to move it do so; whether nothing is owed to it any more."""
        row = case.row = self.row(case.order_id)
        status = str(row["status"])
        if status in ENDS and "open_shard" not in row:
            return True
        if status not in case.moved and self.way.ready(row):
            case.moved.add(status)
            move = case.plan.get(status)
            if isinstance(move, str):
                body = {"reason": "out_of_stock"} if move == "reject" else None
                self.client.move(case.order_id, move, body)
            elif status == "OUT_FOR_DELIVERY" and case.ends == {"EXPIRED"}:
                self.way.hurry(self.stack, self.outputs, case.order_id)
        return False

    def follow(self, case: Case, seconds: float = PATIENCE) -> float:
        """Let an order come to its end.

        Returns:
            Seconds from when it was placed.

        Raises:
            NotTheSame: it does not come there in time.
        """
        slow = 10_800 / self.way.clock if case.ends == {"EXPIRED"} and self.way.clock > 1 else 0.0
        deadline = pace.Deadline(seconds, slow)
        while not self.go_on(case):
            if deadline.passed():
                raise NotTheSame(f"{self.way.name}, {case.name}: it is {case.row.get('status')} and goes no further")
            time.sleep(LOOK)
        return time.monotonic() - case.began

    def judged(self, case: Case, seconds: float = 30.0) -> None:
        """Hold an order that ended against what must hold of each, once all events have come.

        Raises:
            NotTheSame: it does not.
        """
        deadline = pace.Deadline(seconds)
        while wrong := {i: fault for i, fault in judge(case, self.facts()).items() if i in JUDGED}:
            if deadline.passed():
                raise NotTheSame(f"{self.way.name}, {case.name}: {wrong}")
            time.sleep(0.2)

    def facts(self) -> Facts:
        """All that is there of its orders."""
        events: dict[str, list[dict[str, Any]]] = {}
        for event in list(self.tap.events):
            events.setdefault(event["detail"]["metadata"]["order_id"], []).append(event)
        payments = self._rows("PaymentsTableName", "order_id")
        return Facts(
            orders={order_id: rows[0] for order_id, rows in self._rows("OrdersTableName", "order_id").items()},
            payments={k: next((r for r in rows if r["record"] == "PAYMENT"), {}) for k, rows in payments.items()},
            ledger=self._rows("SandboxLedgerTableName", "order_id"),
            promotions={},
            customers=self._rows("CustomersTableName", "customer_id"),
            events=events,
        )

    def _rows(self, output: str, key: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self.outputs[output]):
            for row in map(plain, page["Items"]):
                if key in row:
                    found.setdefault(row[key], []).append(row)
        return found

    # --- What goes wrong ---

    def inject(self, faults: tuple[Fault, ...], name: str, order: str = "") -> None:
        """Put faults in force.

        Args:
            faults: what goes wrong.
            name: by which they are lifted, and asked whether they struck.
            order: for which order; for all, if empty.
        """
        rules = [vars(fault) | {"id": name, "order": order, "match": dict(fault.match)} for fault in faults]
        if rules:
            self._post("/rules", rules)

    def must_have_struck(self, name: str) -> None:
        """Hold a fault to it that it happened: one that did not shows nothing.

        Args:
            name: with which it was put in force.

        Raises:
            NotTheSame: it never did.
        """
        with urllib.request.urlopen(f"http://127.0.0.1:{self._faults}/", timeout=pace.patience(30)) as answer:
            if not json.load(answer).get(name):
                raise NotTheSame(f"{self.way.name}: the fault of {name} never struck")

    def lift(self, name: str) -> None:
        """End the faults of a name."""
        self._post("/lift", [name])

    def _post(self, path: str, document: Any) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self._faults}{path}", json.dumps(document).encode())
        with urllib.request.urlopen(request, timeout=pace.patience(30)):
            pass

    @contextmanager
    def hurried(self, *queues: str) -> Iterator[None]:
        """A message that failed comes back sooner here than the templates say, by `HASTE` (`queues.hurry`).

        Args:
            queues: URLs of the queues.
        """
        name, asked = "VisibilityTimeout", self._sqs.get_queue_attributes
        were = {url: int(asked(QueueUrl=url, AttributeNames=[name])["Attributes"][name]) for url in queues}
        self.comes_again |= were
        undo = [hurry(self._sqs, url, pace.patience(seconds / HASTE)) for url, seconds in were.items()]
        try:
            yield
        finally:
            for as_it_was in undo:
                as_it_was()

    def letters(self) -> int:
        """How many dead letters there are where an order may be."""
        asked = "ApproximateNumberOfMessages"
        return sum(
            int(self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[asked])["Attributes"][asked])
            for url in (self.named[place.path] for place in self.way.places if place.path.endswith("DeadLetterQueue"))
        )

    # --- What it takes ---

    def measure(self, what: Callable[[], object]) -> Counts:
        """Count what one order takes, until all is quiet again; of a durable function, if it gives the order's id."""
        self.be_quiet()
        begins = self._written()
        self._executions()
        given = what()
        self.be_quiet()
        lines = [line for line in parse(self._meter.read_bytes()[begins:].decode()) if self._its(line)]
        counts = count(lines, self.names, 1)
        sent: Counter[str] = Counter()
        counts.requests = sum(line["what"] == "invocation" and self._is_api(line["function"]) for line in lines)
        # What functions send to a queue, the meter sees when it is taken from there.
        for line in (line for line in lines if line["what"] == "batch"):
            queue = self.names.paths.get(line["queue"], "")
            if queue and queue not in counts.messages:
                sent[queue] += line["count"]
        counts.messages += sent
        if self.way.durable and isinstance(given, str):
            execution = durable.execution_arn(self.stack, self.outputs[self.way.durable], given)
            taken = durable.taken(durable.history(self.stack, execution))
            counts.operations, counts.checkpoints = taken.operations, taken.written
        for execution in self._executions():
            pages = self._states.get_paginator("get_execution_history").paginate(executionArn=execution)
            counts.transitions += transitions(event for page in pages for event in page["events"])
        return counts

    def recorded(self, order_id: str) -> int:
        """Events in an order's history; 0, if nothing keeps one."""
        if self.way.durable:
            function = self.outputs[self.way.durable]
            return len(durable.history(self.stack, durable.execution_arn(self.stack, function, order_id)))
        if not self.way.machines:
            return 0
        execution = workflows.execution_arn(self.outputs[self.way.machines[0]], order_id)
        pages = self._states.get_paginator("get_execution_history").paginate(executionArn=execution)
        return sum(len(page["events"]) for page in pages)

    def _its(self, line: Mapping[str, Any]) -> bool:
        if line["what"] == "event":
            return line["source"] in SOURCES
        # Lines of an access log are nobody's.
        return line["what"] != "lines" or line.get("function") in self.names.paths

    def _is_api(self, function: str) -> bool:
        return self.names.paths.get(function, "").endswith("ApiFunction")

    def be_quiet(self) -> None:
        """Wait until nothing is counted any more."""
        deadline, size, since = pace.Deadline(PATIENCE), -1, time.monotonic()
        while time.monotonic() < since + pace.patience(_QUIET) and not deadline.passed():
            if (now := self._written()) != size:
                size, since = now, time.monotonic()
            time.sleep(0.1)

    def _written(self) -> int:
        return self._meter.stat().st_size if self._meter.exists() else 0

    def _executions(self) -> list[str]:
        found = []
        for output in self.way.machines:
            pages = self._states.get_paginator("list_executions").paginate(stateMachineArn=self.outputs[output])
            found += [one["executionArn"] for page in pages for one in page["executions"]]
        new = [arn for arn in found if arn not in self._seen]
        self._seen.update(new)
        return new


@contextmanager
def up(way: Way, stack: Stack, meter: Path, faults: int) -> Iterator[Running]:
    """A way, brought up on an emulator that has the application."""
    running = Running(way, stack, way.brought_up(stack, way), meter, faults)
    try:
        yield running
    finally:
        running.close()


def run(running: Running, say: Callable[[str], None] = lambda _: None) -> Found:
    """Tell the stories, one way.

    Args:
        running: the way.
        say: told what is going on.

    Raises:
        NotTheSame: an order did not end as it must by every way.
    """
    found = Found(queues=len(running.way.queues))
    for name, plan, method, end in STORIES:
        say(f"{running.way.name}: {name}")
        told = a_case(running, name, plan, method, end)

        def tell(case: Case = told) -> str:
            running.begin(case)
            found.seconds[case.fault] = running.follow(case)
            return case.order_id

        if name in COUNTED:
            found.counts[name] = running.measure(tell)
        else:
            tell()
        running.judged(told)
        if name == "delivered":
            found.recorded = running.recorded(told.order_id)
    return found


def a_case(running: Running, name: str, plan: Mapping[str, Any], method: str, end: str, *faults: Fault) -> Case:
    """An order of a customer of its own."""
    return Case(
        name=f"{running.way.name}-{name}", fault=name, place="", plan=plan, ends=frozenset({end}), faults=faults,
        method=method, customer=f"{running.way.name}-{name}",
    )  # fmt: skip


# --- What it costs ----------------------------------------------------------------------------------------------------


def costs(counts: Counts) -> pricing.Costs:
    """What one order costs, without traces: how many are sampled is the stack's choice, not a way's."""
    checkpoints = durable.Taken(counts.operations, counts.checkpoints, 0).usd()
    by_service = pricing.of_an_order(counts, 0.0) | {"Lambda: durable operations": checkpoints}
    return {what: usd for what, usd in by_service.items() if usd}


def polling(queues: int) -> float:
    """US dollars a month of polling queues in which nothing lies (`pricing.fixed`)."""
    price = pricing.prices()["sqs"]["usd_per_million_standard_requests"]
    return float(queues * pricing.POLLS_A_MINUTE * pricing.MINUTES_A_MONTH * price / 1e6)


# --- What a change of sequence touches --------------------------------------------------------------------------------


def touched(patch: Path) -> Counter[str]:
    """Lines that a patch adds or takes away, by file."""
    found: Counter[str] = Counter()
    name = ""
    for line in patch.read_text("utf-8").splitlines():
        if line.startswith("+++ b/"):
            name = line.removeprefix("+++ b/")
        elif line[:1] in "+-" and not line.startswith(("+++", "---")) and line:
            found[name] += 1
    return found
