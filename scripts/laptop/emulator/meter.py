"""Counts what AWS would charge for, as it happens: loaded only where `TIFFIN_METER` names a file.

Nothing of Tiffin knows of this, and nothing is answered differently. What is written is what happened: sizes, not
units, and no price; whoever reads it (`lab.metered`) says what of it costs. One JSON document a line:

| what | of | its fields |
|---|---|---|
| `read` | DynamoDB | `operation`, `table`, `index`, `bytes` looked at (of each item, for GetItem alone), `consistent` |
| `write` | DynamoDB | `operation`, `table`, `key`, `before` and `after` in bytes, `transaction`, `indexes` |
| `call` | DynamoDB | `operation`, `table`, `index`: each call, whether or not it was granted |
| `invocation` | Lambda | `function`, `ms` |
| `lines` | CloudWatch Logs | `function`, if not of an access log; `bytes`, `count`; `metrics` in the embedded format |
| `event` | EventBridge | `source`, `name`, `bytes` |
| `sent` | EventBridge | `target`: the ARN of the queue that a rule put an event into |
| `batch` | SQS | `queue`, `count`: messages that a poller got at once |
| `shard` | DynamoDB Streams | `table`, `count`: records that a poller got at once |

A key is a partition's: which orders share one bounds how many are written a second. Calls of who started the emulator,
a test or a tool, are left out: nobody has those on AWS.
"""

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ministack.services import cloudwatch_logs, dynamodb, eventbridge, lambda_svc, sqs

FILE = "TIFFIN_METER"
_lines: "queue.SimpleQueue[str]" = queue.SimpleQueue()
_Document = dict[str, Any]


@dataclass
class _Call:
    """A call to DynamoDB that is being answered.

    Attributes:
        operation: its name.
        transaction: whether what it writes is written in one.
        writes: whether it wrote anything.
    """

    operation: str
    transaction: bool = False
    written: list[str] = field(default_factory=list)


_call: ContextVar[_Call | None] = ContextVar("call", default=None)
_ours: ContextVar[bool] = ContextVar("ours", default=False)


def fill() -> None:
    """Count from now on."""
    path = Path(os.environ[FILE])
    threading.Thread(target=_write, args=(path,), name="meter", daemon=True).start()
    _calls()
    _reads()
    _writes()
    _invocations()
    _log_lines()
    _events()
    _polls()


def _add(what: str, **fields: Any) -> None:
    if not _ours.get():
        _lines.put(json.dumps({"at": time.time(), "what": what} | fields))


def _write(path: Path) -> None:
    with path.open("a", encoding="utf-8", buffering=1) as file:
        while True:
            file.write(_lines.get() + "\n")


# --- DynamoDB ---------------------------------------------------------------------------------------------------------


def _calls() -> None:
    handle = dynamodb.handle_request

    async def handle_request(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        # Functions and workflows have keys of their roles' sessions.
        ours = f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/" in headers.get("authorization", "")
        scope = _ours.set(ours)
        try:
            return await handle(method, path, headers, *rest)
        finally:
            _ours.reset(scope)

    dynamodb.handle_request = handle_request
    for operation, name in (
        ("GetItem", "_get_item"),
        ("PutItem", "_put_item"),
        ("UpdateItem", "_update_item"),
        ("DeleteItem", "_delete_item"),
        ("Query", "_query"),
        ("Scan", "_scan"),
        ("TransactWriteItems", "_transact_write_items"),
        ("TransactGetItems", "_transact_get_items"),
        ("BatchGetItem", "_batch_get_item"),
        ("BatchWriteItem", "_batch_write_item"),
    ):
        _around(operation, name)


def _around(operation: str, name: str) -> None:
    original = getattr(dynamodb, name)

    def handler(data: _Document) -> Any:
        _add("call", operation=operation, table=_table(data), index=data.get("IndexName"))
        if operation == "GetItem":
            _look_at(operation, data)
        if operation == "BatchGetItem":  # charged for as so many reads (DynamoDB developer guide, "Read consumption")
            for table, asked in data["RequestItems"].items():
                for key in asked["Keys"]:
                    _look_at(operation, {**asked, "TableName": table, "Key": key})
        call = _Call(operation, operation == "TransactWriteItems")
        scope = _call.set(call)
        try:
            answer = original(data)
        finally:
            _call.reset(scope)
        if operation in ("PutItem", "UpdateItem", "DeleteItem") and not call.written:
            # A write whose condition does not hold is charged for, too (DynamoDB developer guide, "Condition
            # expressions"), by the item that is there; so is the deletion of nothing.
            size = dynamodb._item_size_bytes(_item(data["TableName"], data.get("Key") or data.get("Item", {})))
            _add(
                "write",
                operation=operation,
                table=data["TableName"],
                key=_key(data.get("Key") or data.get("Item", {}), _partition_key(data["TableName"])),
                before=size,
                after=size,
                transaction=False,
                indexes={},
            )
        return answer

    setattr(dynamodb, name, handler)


def _table(data: _Document) -> str:
    if "TableName" in data:
        return str(data["TableName"])
    named = [str(next(iter(item.values()))["TableName"]) for item in data.get("TransactItems", [])]
    return ",".join(dict.fromkeys(named or data.get("RequestItems", {})))


def _item(table: str, key: _Document) -> _Document | None:
    known = dynamodb._tables.get(dynamodb._normalize_table_name(table))
    with contextlib.suppress(KeyError, TypeError):
        return dynamodb._get_item_by_key(known, key) if known else None
    return None


def _look_at(operation: str, data: _Document) -> None:
    size = dynamodb._item_size_bytes(_item(data["TableName"], data["Key"]))
    consistent = bool(data.get("ConsistentRead"))
    _add("read", operation=operation, table=data["TableName"], index=None, bytes=size, consistent=consistent)


def _reads() -> None:
    paginate, query = dynamodb._paginate_evaluated_items, dynamodb._query

    def paginate_and_count(items: Any, limit: Any, table: _Document, index: str | None = None) -> Any:
        page, stopped = paginate(items, limit, table, index)
        # What a filter leaves out later was looked at all the same (DynamoDB developer guide, "Query").
        looked_at = [dynamodb._apply_index_projection(item, table, index) if index else item for item in page]
        _page.set((table["TableName"], index, sum(map(dynamodb._item_size_bytes, looked_at))))
        return page, stopped

    def query_and_count(data: _Document) -> Any:
        scope = _page.set(None)
        try:
            answer = query(data)
            if (page := _page.get()) is not None:
                table, index, size = page
                consistent = bool(data.get("ConsistentRead"))
                _add("read", operation="Query", table=table, index=index, bytes=size, consistent=consistent)
            return answer
        finally:
            _page.reset(scope)

    dynamodb._paginate_evaluated_items, dynamodb._query = paginate_and_count, query_and_count


_page: ContextVar[tuple[str, str | None, int] | None] = ContextVar("page", default=None)


def _writes() -> None:
    emit = dynamodb._emit_stream_event

    def emit_and_count(name: str, event: str, old: _Document | None, new: _Document | None, *rest: Any) -> Any:
        call, table = _call.get(), dynamodb._tables.get(name)
        # Without a call it is the time to live, which costs nothing.
        if call is not None and table is not None:
            call.written.append(name)
            _add(
                "write",
                operation=call.operation,
                table=name,
                key=_key(new or old, table["pk_name"]),
                before=dynamodb._item_size_bytes(old),
                after=dynamodb._item_size_bytes(new),
                transaction=call.transaction,
                indexes={
                    index["IndexName"]: entry
                    for index in table.get("GlobalSecondaryIndexes") or []
                    if (entry := _entry(table, index, old, new))
                },
            )
        return emit(name, event, old, new, *rest)

    dynamodb._emit_stream_event = emit_and_count


def _partition_key(table: str) -> str:
    return str((dynamodb._tables.get(dynamodb._normalize_table_name(table)) or {}).get("pk_name"))


def _key(item: _Document | None, name: str) -> str | None:
    value = (item or {}).get(name)
    return str(next(iter(value.values()))) if value else None


def _entry(table: _Document, index: _Document, old: _Document | None, new: _Document | None) -> _Document | None:
    """What becomes of an item's entry in an index: its size and partition before and after, and whether it moves."""
    partition = index["KeySchema"][0]["AttributeName"]
    before = dynamodb._index_write_view(table, index, old)
    after = dynamodb._index_write_view(table, index, new)
    if before == after:
        return None
    return {
        "before": dynamodb._item_size_bytes(before[1]) if before else None,
        "after": dynamodb._item_size_bytes(after[1]) if after else None,
        "left": _key(before[1], partition) if before else None,
        "key": _key(after[1], partition) if after else None,
        "moves": bool(before and after and before[0] != after[0]),
    }


# --- Lambda and logs --------------------------------------------------------------------------------------------------

_logging: ContextVar[str | None] = ContextVar("logging", default=None)


def _invocations() -> None:
    emit = lambda_svc._emit_lambda_logs

    def emit_and_count(function: _Document, request_id: str, text: str, error: bool, ms: int, **more: Any) -> Any:
        name = (function.get("config") or function).get("FunctionName", "unknown")
        _add("invocation", function=name, ms=ms)
        scope = _logging.set(name)
        try:
            return emit(function, request_id, text, error, ms, **more)
        finally:
            _logging.reset(scope)

    lambda_svc._emit_lambda_logs = emit_and_count


def _log_lines() -> None:
    append = cloudwatch_logs._append_log_events

    def append_and_count(stream: _Document, events: list[_Document]) -> Any:
        texts = [str(event["message"]) for event in events]
        _add(
            "lines",
            function=_logging.get(),
            count=len(texts),
            bytes=sum(len(text.encode()) for text in texts),
            metrics=[metric for text in texts for metric in _metrics(text)],
        )
        return append(stream, events)

    cloudwatch_logs._append_log_events = append_and_count


def _metrics(text: str) -> Iterator[list[Any]]:
    """Namespace, name and dimensions of the metrics in a line (CloudWatch user guide, "Embedded metric format")."""
    if "_aws" not in text:
        return
    with contextlib.suppress(ValueError, KeyError, TypeError):
        said = json.loads(text)
        for directive in said["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                values = {name: str(said[name]) for name in sorted(dimensions)}
                for metric in directive["Metrics"]:
                    yield [directive["Namespace"], metric["Name"], values]


# --- EventBridge, and what is polled ----------------------------------------------------------------------------------


def _events() -> None:
    dispatch, deliver = eventbridge._dispatch_event, eventbridge._invoke_target

    def dispatch_and_count(event: _Document, view: Any = None) -> Any:
        if str(event.get("Source", "")).startswith("tiffin."):
            detail = event["Detail"] if isinstance(event["Detail"], str) else json.dumps(event["Detail"])
            size = len((detail + event["Source"] + event["DetailType"]).encode())
            _add("event", source=event["Source"], name=event["DetailType"], bytes=size)
        return dispatch(event, view)

    def deliver_and_count(target: _Document, event: _Document, rule: _Document, view: Any = None) -> Any:
        if ":sqs:" in str(target.get("Arn", "")):
            _add("sent", target=target["Arn"])
        return deliver(target, event, rule, view)

    eventbridge._dispatch_event, eventbridge._invoke_target = dispatch_and_count, deliver_and_count


def _polls() -> None:
    receive, read = sqs._receive_messages_for_esm, dynamodb.stream_records_since

    def receive_and_count(url: str, most: int) -> list[_Document]:
        batch: list[_Document] = receive(url, most)
        if batch:
            _add("batch", queue=url.rsplit("/", 1)[-1], count=len(batch))
        return batch

    def read_and_count(table: str, *rest: Any, **more: Any) -> Any:
        records = read(table, *rest, **more)
        if records:
            _add("shard", table=table, count=len(records))
        return records

    sqs._receive_messages_for_esm, dynamodb.stream_records_since = receive_and_count, read_and_count
