"""What a warm request to the orders API costs by itself: the time of our code and our libraries, without AWS's.

Time is the processor's: what else runs on the machine counts little. The real handler answers in a process of its own,
as Lambda has set it up. Only the network is left out: what our client of AWS would send is answered on the spot, with
rows that the handler itself has written, so that the clients' whole path runs, signing and parsing too. Requests take
turns, so that a noisy machine is noisy for all.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any
from unittest.mock import patch

from tiffin.dynamodb import serialize

ROOT = Path(__file__).resolve().parents[2]
LAMBDA = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
    "LAMBDA_TASK_ROOT": "/var/task",
    "POWERTOOLS_SERVICE_NAME": "orders",
    "POWERTOOLS_METRICS_NAMESPACE": "Tiffin/bench",
    "POWERTOOLS_TRACER_CAPTURE_RESPONSE": "false",
    "LOG_LEVEL": "INFO",
    "ORDERS_TABLE": "orders",
    "MENUS_TABLE": "menus",
    "PROMO_CODES_TABLE": "promo-codes",
    "DELIVERIES_TABLE": "deliveries",
    "CUSTOMERS_TABLE": "customers",
    "KEEP_DELIVERIES_DAYS": "30",
    "MAX_OPEN_ORDERS": "5",
    "MAX_ORDERS_PER_HOUR": "20",
    "MAX_DECLINES_PER_HOUR": "5",
    "MAX_REFUSED_CODES_PER_HOUR": "10",
    "ORDER_INDEXES": "4",
    "BASE_PATH": "",
    "CONSOLE_ORIGIN": "https://console.invalid",
    "ORDER_WORKFLOW_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:order",
}
"""What the function's environment has, as the template and Lambda set it; tables have short names."""
CODE = "WELCOME-7Q2M4KXC"
TRACE = "Root=1-6926e7d4-{:024x};Parent=6b221d5bc9e6496c;Sampled=1"
WARM_UP = 50
# What an index holds of an order: the largest of them (template, `OrdersTable`).
LISTED = {
    *("order_id", "customer_id", "placed_at", "restaurant_id", "restaurant_name"),
    *("status", "total", "updated_at", "deadline_at"),
}
# Sample of events/invocations, a promo code that is put into it, and where the order is; None if there is none yet.
REQUESTS: dict[str, tuple[str, str | None, str | None]] = {
    "POST /quotes": ("quote", None, None),
    "POST /quotes, with a promo code": ("quote", CODE, None),
    "POST /orders": ("place-order", None, None),
    "POST /orders, with a promo code": ("place-order", CODE, None),
    "GET /orders/{id}": ("get-order", None, "PREPARING"),
    "GET /orders": ("list-orders", None, "PREPARING"),
    "POST /orders/{id}/accept": ("accept", None, "AWAITING_RESTAURANT"),
    "POST /orders/{id}/dispatch": ("dispatch", None, "PREPARING"),
    "POST /orders/{id}/deliver": ("deliver", None, "OUT_FOR_DELIVERY"),
    "POST /orders/{id}/cancel": ("cancel", None, "AWAITING_RESTAURANT"),
    "GET /kitchen/orders": ("list-kitchen-orders", None, "PREPARING"),
    "GET /restaurants/{id}/menu": ("get-menu", None, "PREPARING"),
}


@dataclass(frozen=True)
class Row:
    """One kind of request.

    Attributes:
        request: method and path.
        calls: to AWS, in the middle.
        p50: milliseconds of a processor, in the middle.
        p99: the same, of all but the slowest hundredth.
        clients: how much of `p50` is within AWS's clients: checking, signing, parsing.
    """

    request: str
    calls: int
    p50: float
    p99: float
    clients: float


class NotAnswered(Exception):
    """A request was refused, or failed: what its time would say is nothing."""


def measure(
    requests: int = 400,
    only: str = ".*",
    tree: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> list[Row]:
    """Have so many requests of each kind answered, one kind after the other in turns, in a fresh process.

    Args:
        requests: of each kind; as many as `WARM_UP` before them are not counted.
        only: a regular expression of the kinds.
        tree: the working copy whose services answer: this one, or another to compare it with.
        environment: what the function's environment has besides.

    Raises:
        NotAnswered: with what the process said.
    """
    path = [tree / "services" / "shared", tree / "services" / "orders", ROOT / "scripts"]
    command = [sys.executable, "-c", f"from lab import warmpath; warmpath.answer({requests}, {only!r})"]
    with socket(AF_INET, SOCK_DGRAM) as daemon:  # for segments, which nobody reads
        daemon.bind(("127.0.0.1", 0))
        own = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": ":".join(map(str, path)),
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
        }
        done = subprocess.run(
            command, env=LAMBDA | own | dict(environment or {}), check=False, capture_output=True, text=True
        )
    if done.returncode:
        raise NotAnswered(done.stderr[-2000:])
    return [Row(**row) for row in json.loads(done.stdout)]


def table(rows: list[Row]) -> str:
    """The rows as a table of Markdown."""
    lines = [
        "| request | calls to AWS | p50, ms of a processor | p99 | of p50 in AWS's clients |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [f"| `{row.request}` | {row.calls} | {row.p50:.2f} | {row.p99:.2f} | {row.clients:.2f} |" for row in rows]
    return "\n".join(lines)


# --- In the process that answers --------------------------------------------------------------------------------------


def answer(requests: int, only: str) -> None:
    """Answer, and write the rows to standard output; log lines and metrics are written, and go nowhere."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with _Aws().instead_of_the_network() as aws:
        json.dump([asdict(row) for row in _rows(aws, requests, only)], out)
    out.close()


def _rows(aws: "_Aws", requests: int, only: str) -> Iterator[Row]:
    from orders.api import handler  # once there is no network any more

    os.environ["_X_AMZN_TRACE_ID"] = TRACE.format(0)
    _call(handler, _event("place-order", "", None))
    kinds = [kind for kind in REQUESTS if re.fullmatch(only, kind)]
    asked = {kind: _event(REQUESTS[kind][0], aws.order_id, REQUESTS[kind][1]) for kind in kinds}
    took: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in kinds}
    for number in range(WARM_UP + requests):
        for kind in kinds:
            aws.status = REQUESTS[kind][2]
            aws.calls, aws.clients, aws.itself = 0, 0.0, 0.0
            # Each invocation has a trace of its own.
            os.environ["_X_AMZN_TRACE_ID"] = TRACE.format(number + 1)
            whole = _call(handler, asked[kind])
            took[kind].append((whole - aws.itself, aws.clients - aws.itself, aws.calls))
    for kind, all_of_it in took.items():
        seconds, clients, calls = zip(*all_of_it[WARM_UP:], strict=True)
        p99 = statistics.quantiles(seconds, n=100)[-1] * 1000
        middle = statistics.median_low
        yield Row(kind, middle(calls), middle(seconds) * 1000, p99, middle(clients) * 1000)


def _call(handler: Callable[[dict[str, Any], Any], dict[str, Any]], event: dict[str, Any]) -> float:
    began = time.thread_time()
    answered = handler(event, _Context())
    seconds = time.thread_time() - began
    if answered["statusCode"] >= 300:
        raise NotAnswered(f"{event['httpMethod']} {event['path']}: {answered['body']}")
    return seconds


def _event(sample: str, order_id: str, code: str | None) -> dict[str, Any]:
    text = (ROOT / "events" / "invocations" / f"OrdersApiFunction-{sample}.json").read_text("utf-8")
    event: dict[str, Any] = json.loads(re.sub(r"ord_[a-z2-7]{26}", order_id, text))
    if code:
        event["body"] = json.dumps(json.loads(event["body"]) | {"promo_code": code})
    return event


class _Context:
    """What the handler reads of Lambda's context."""

    function_name = "orders"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:orders"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


class _Aws:
    """AWS, as far as the orders API asks it: one order, which is where it is said to be.

    Attributes:
        status: where; None if it is to be placed.
        calls: how often it was asked.
        clients: how long its clients took.
        itself: how long it took to answer, which is nobody's.
    """

    def __init__(self) -> None:
        self.status: str | None = None
        self.calls, self.clients, self.itself = 0, 0.0, 0.0
        self._rows: dict[str, dict[str, Any]] = {"menus": _menu(), "promo-codes": _promo_code()}

    @property
    def order_id(self) -> str:
        """Of the order that was placed."""
        return str(self._rows["orders"]["order_id"]["S"])

    @contextmanager
    def instead_of_the_network(self) -> Iterator["_Aws"]:
        """Answer whatever is sent, and count what is asked."""
        from tiffin.aws import Client, _Host

        call = Client.call

        def timed(client: Client, operation: str, **request: Any) -> dict[str, Any]:
            began = time.thread_time()
            try:
                return call(client, operation, **request)
            finally:
                self.clients += time.thread_time() - began
                self.calls += 1

        def asked(_: Any, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
            began = time.thread_time()
            operation = headers["x-amz-target"].rpartition(".")[2]
            answer = json.dumps(self._answer(operation, json.loads(body))).encode()
            self.itself += time.thread_time() - began
            return 200, {}, answer

        with patch.object(Client, "call", timed), patch.object(_Host, "ask", asked):
            yield self

    def _answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        match operation:
            case "GetItem":
                return self._there(asked["TableName"], "Item")
            case "BatchGetItem":
                found = {name: [row] if (row := self._row(name)) else [] for name in asked["RequestItems"]}
                return {"Responses": found, "UnprocessedKeys": {}}
            case "Query":
                listed = {name: value for name, value in (self._row("orders") or {}).items() if name in LISTED}
                return {"Items": [listed] * 20, "Count": 20, "ScannedCount": 20}
            case "UpdateItem":
                return self._there(asked["TableName"], "Attributes")
            case "TransactWriteItems" if "orders" not in self._rows:
                puts = [write["Put"] for write in asked["TransactItems"] if "Put" in write]
                self._rows |= {put["TableName"]: put["Item"] for put in puts}
            case "StartExecution":
                return {"executionArn": "arn:aws:states:eu-central-1:123456789012:execution:order:o", "startDate": 1e10}
            case "StopExecution":
                return {"stopDate": 1e10}
        return {}

    def _there(self, name: str, member: str) -> dict[str, Any]:
        return {member: row} if (row := self._row(name)) else {}

    def _row(self, name: str) -> dict[str, Any] | None:
        row = self._rows.get(name)
        if name == "orders" and row:
            return row | {"status": {"S": self.status}, "task_token": {"S": "token"}} if self.status else None
        return None if name == "deliveries" and not self.status else row


def _menu() -> dict[str, Any]:
    menu = json.loads((ROOT / "menus" / "r-bella-napoli.json").read_text("utf-8"))
    return {name: serialize(value) for name, value in (menu | {"menu_version": "menu_bench"}).items()}


def _promo_code() -> dict[str, Any]:
    row = {
        "customer_id": "5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11",
        "code": CODE,
        "discount": json.dumps({"type": "free_delivery"}),
        "minimum_order": {"amount": 0, "currency": "EUR"},
        "valid_until": "2999-01-01T00:00:00.000Z",
    }
    return {name: serialize(value) for name, value in row.items()}
