"""One deployed stack, many orders at once, each with its own people and its own faults.

The people behave as people do: a customer who got no answer presses the button again, with the same idempotency key; a
restaurant that was told 409 has its answer. Time is scaled for all: for the workflows by the emulator, and for the
reconciler here, which asks it each scaled minute, after writing into an order's row that its moment has come.
"""

import json
import math
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError
from laptop import BusTap, Stack
from laptop.client import Client, Refused
from laptop.emulator.launcher import free_port
from laptop.pace import Deadline, patience
from laptop.people import KNOWN
from operations import workflows
from orders.model import ENDS

from .cases import Act, Case, ExperimentFailed, Fault, Row

# What the delivery window and the reconciler's rhythm are on AWS, in seconds.
THREE_HOURS, MINUTE = 10_800.0, 60.0
_LOOK = 0.1
_deserialize = TypeDeserializer().deserialize


class Lab:
    """A stack with fault rules, people and a reconciler on scaled time. A context manager.

    Args:
        stack: the running stack.
        port: where the emulator takes rules.
        people: how many act at once.
    """

    def __init__(self, stack: Stack, port: int, people: int = 6) -> None:
        self.stack, self._port = stack, port
        self.client = Client(stack.outputs, stack.people)
        self.tap: BusTap = stack.tap()
        self._dynamodb, self._states = stack.client("dynamodb"), stack.client("stepfunctions")
        self._lambda = stack.client("lambda")
        self._people = ThreadPoolExecutor(people, thread_name_prefix="person")
        self._due_since: dict[tuple[str, str], float] = {}
        self._asked = 0.0
        self._sweep: threading.Thread | None = None
        self.say: Callable[[str], None] = lambda _: None
        self._reconciling = True

    @classmethod
    def up(cls, clock: float, console: Any = None) -> Self:
        """Start a stack for it.

        Args:
            clock: how much faster time passes on a quiet machine.
            console: shows the progress, if given.
        """
        port = free_port()
        stack = Stack.up(console, clock, {"TIFFIN_FAULTS": str(port)})
        try:
            lab = cls(stack, port)
            lab._scale_queue()
        except BaseException:
            stack.stop()
            raise
        return lab

    @property
    def clock(self) -> float:
        """How much faster time passes."""
        return self.stack.clock.rate

    def stop(self) -> None:
        """End it all. Safe to repeat."""
        self._people.shutdown(wait=False, cancel_futures=True)
        self.client.close()
        self.stack.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- Faults ---

    def inject(self, faults: Iterable[Fault], case: str, order: str = "") -> None:
        """Put faults in force, for one order or for all."""
        rules = [asdict(fault) | {"id": case, "order": order, "match": dict(fault.match)} for fault in faults]
        if rules:
            self._post("/rules", rules)

    def lift(self, case: str) -> None:
        """End the faults of a case."""
        self._post("/lift", [case])

    def struck(self) -> dict[str, int]:
        """How often each case's faults struck."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/", timeout=patience(10)) as answer:
            return dict(json.load(answer))

    def kill_workers(self) -> int:
        """SIGKILL every worker of every function; returns how many died."""
        return int(self._post("/kill", []))

    # --- Orders ---

    def run(self, cases: list[Case], at_once: int = 10, limit: float = 300.0, each: Act | None = None) -> None:
        """Let all cases happen, and come back when each order is closed, or at the limit.

        Args:
            cases: the orders.
            at_once: how many are on the move at the same time: each needs execution environments of its own.
            limit: seconds, on a quiet machine.
            each: called now and then with the lab and an open case; for faults that hit no order in particular.
        """
        # Everybody before the first order: a restaurant's silence is short here.
        list(self._people.map(self.stack.people.token, KNOWN.values()))
        list(self._people.map(self._sign_in, cases))
        self.stack.keep_pace()
        for case in cases:
            self.inject(case.faults, case.name, case.order_id)
        open_: dict[str, Case] = {}
        waiting, told = list(cases), time.monotonic()
        deadline = Deadline(limit)
        while (waiting or open_) and not deadline.passed():
            # Whoever waits for a silent restaurant or a lost courier takes no room.
            busy = sum(case.row.get("status", "PLACED") in {"PLACED", *case.plan} for case in open_.values())
            while waiting and busy < at_once:
                busy += 1
                case = waiting.pop(0)
                case.began = time.monotonic()
                open_[case.order_id] = case
                self._people.submit(self._place, case)
            rows = self._open_rows()
            for order_id, case in list(open_.items()):
                if order_id in rows:
                    case.row = rows[order_id]
                    self._move_on(case)
                elif case.moved and self._has_ended(case):
                    case.closed = True
                    del open_[order_id]
            if time.monotonic() > told + 5:
                told = time.monotonic()
                stuck = ", ".join(f"{c.name}: {c.row.get('status')}" for c in list(open_.values())[:4])
                self.say(f"{len(waiting)} orders to come, {len(open_)} open ({stuck})")
            if each and open_:
                each(self, next(iter(open_.values())))
            self._let_time_pass(rows)
            time.sleep(_LOOK)
        for case in cases:
            if case.closed and case.afterwards:
                case.afterwards(self, case)

    def order_row(self, order_id: str) -> Row:
        """An order's row; empty if there is none."""
        found = self._dynamodb.get_item(
            TableName=self.stack.outputs["OrdersTableName"], Key={"order_id": {"S": order_id}}, ConsistentRead=True
        )
        return plain(found.get("Item", {}))

    def write_order(self, order_id: str, **values: str) -> None:
        """Overwrite attributes of an order's row, behind the services' backs."""
        self._dynamodb.update_item(
            TableName=self.stack.outputs["OrdersTableName"],
            Key={"order_id": {"S": order_id}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ConditionExpression="attribute_exists(open_shard)",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
        )

    def execution_arn(self, order_id: str) -> str:
        """The order's execution."""
        return workflows.execution_arn(self.stack.outputs["OrderWorkflowArn"], order_id)

    def rows(self, output: str, key: str) -> dict[str, list[Row]]:
        """Everything in a table, by one attribute."""
        found: dict[str, list[Row]] = {}
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self.stack.outputs[output]):
            for item in page["Items"]:
                row = plain(item)
                if key in row:
                    found.setdefault(row[key], []).append(row)
        return found

    def _sign_in(self, case: Case) -> None:
        case.subject = self.stack.people.subject(case.customer)
        self.client.knows(case.order_id, case.customer)

    def _place(self, case: Case) -> None:
        for attempt in range(20):
            try:
                self.client.place(customer=case.customer, payment_method=case.method, key=case.name)
            except Refused as refused:
                if refused.status < 500:
                    case.notes.append(f"placing was refused: {refused}")
                    break
            except httpx.HTTPError as error:
                case.notes.append(f"no answer: {type(error).__name__}")
            else:
                case.answered = True
                break
            time.sleep(0.05 * (attempt + 1))
        case.moved.add("PLACE")

    def _move_on(self, case: Case) -> None:
        status = str(case.row["status"])
        act = case.plan.get(status)
        if act is None or status in case.moved:
            return
        case.moved.add(status)
        if isinstance(act, str):
            self._people.submit(self.move, case, act)
        else:
            self._people.submit(self._act, case, act)

    def _act(self, case: Case, act: Act) -> None:
        try:
            act(self, case)
        except Exception as error:
            case.notes.append(ExperimentFailed(f"the experiment failed: {type(error).__name__}: {error}"))

    def move(self, case: Case, move: str) -> bool:
        """Make a move as a person does, insisting until there is an answer; whether it was granted."""
        unanswered = False
        for attempt in range(20):
            try:
                self.client.move(case.order_id, move)
            except Refused as refused:
                if refused.status in (404, 409):  # to a courier, an order that ended is none
                    # The answer to the attempt before may have been lost, and the move not.
                    return unanswered
                unanswered = True
            except httpx.HTTPError:
                unanswered = True
            else:
                return True
            time.sleep(0.05 * (attempt + 1))
        case.notes.append(f"{move} was never answered")
        return False

    def _has_ended(self, case: Case) -> bool:
        case.row = self.order_row(case.order_id)
        return not case.row or (case.row["status"] in ENDS and "open_shard" not in case.row)

    def _open_rows(self) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self.stack.outputs["OrdersTableName"],
            FilterExpression="attribute_exists(open_shard)",
            ProjectionExpression="order_id, #s, check_at, placed_at, deadline_at, task_token",
            ExpressionAttributeNames={"#s": "status"},
        )
        with suppress(ClientError, BotoCoreError):
            for page in pages:
                rows |= {item["order_id"]["S"]: plain(item) for item in page["Items"]}
        return rows

    # --- Time ---

    def without_reconciler(self, away: bool) -> None:
        """Let the reconciler pause."""
        self._reconciling = not away

    def _let_time_pass(self, rows: Mapping[str, Row]) -> None:
        """Write into the open orders' rows which moments have come, and sweep once in a scaled minute."""
        now, real = time.monotonic(), datetime.now(UTC)
        long_ago = _rfc3339(real - timedelta(days=1))
        due = False
        for order_id, row in rows.items():
            passed = (real - datetime.fromisoformat(row["placed_at"])).total_seconds() * self.clock
            seen = self._due_since.setdefault((order_id, row["check_at"]), now)
            wait = (datetime.fromisoformat(row["check_at"]) - real).total_seconds() + (now - seen)
            overdue = passed > THREE_HOURS + 3 * MINUTE
            if overdue and row["deadline_at"] > _rfc3339(real - timedelta(hours=1)):
                # Its deadline has passed as well, three scaled hours after it was placed.
                with suppress(ClientError, BotoCoreError):
                    self.write_order(order_id, deadline_at=long_ago, check_at=long_ago)
                due = True
            elif wait > 0 and (now - seen) * self.clock > wait:
                with suppress(ClientError, BotoCoreError):
                    self.write_order(order_id, check_at=long_ago)
                due = True
            elif wait <= 0:
                due = True
        idle = self._sweep is None or not self._sweep.is_alive()
        if due and self._reconciling and idle and now - self._asked >= max(patience(1.0), MINUTE / self.clock):
            self._asked = now
            self._sweep = threading.Thread(target=self._reconcile, daemon=True)
            self._sweep.start()

    def _reconcile(self) -> None:
        with suppress(ClientError, BotoCoreError):
            self._lambda.invoke(FunctionName=self.stack.outputs["ReconcilerFunctionName"], Payload=b"{}")

    def _scale_queue(self) -> None:
        """A message that failed comes back after a scaled visibility timeout, not after three minutes."""
        seconds = str(math.ceil(max(patience(8), 180 / self.clock)))
        self.stack.client("sqs").set_queue_attributes(
            QueueUrl=self.stack.outputs["PromotionsQueueUrl"], Attributes={"VisibilityTimeout": seconds}
        )

    def _post(self, path: str, document: Any) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", json.dumps(document).encode())
        with urllib.request.urlopen(request, timeout=patience(30)) as answer:
            return json.load(answer)


def plain(item: Mapping[str, Any]) -> Row:
    """An item as it was written, of DynamoDB's typed one."""
    return {name: _deserialize(value) for name, value in item.items()}


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
