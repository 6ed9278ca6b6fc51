"""Where facts come from: AWS's APIs, which the running laptop answers too, or the record that a laptop left."""

import argparse
import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError
from laptop import NotRunning
from laptop.environment import STATE_DIR
from laptop.record.store import FILE
from operations import deployed
from operations.deployed import Deployed

from .facts import BusEvent, Execution, Facts, LogLine, UnknownOrder, announced, bus_event, log_line, seconds

# Both from the X-Ray API reference: a query spans six hours, a batch takes five ids.
_SPAN = 6 * 3600
_BATCH = 5
# What follows an end: its announcement, who hears it, a reconciler's repair.
_AFTERMATH = 900


class Source(Protocol):
    """Somebody who knows about orders."""

    def facts(self, order_id: str) -> Facts:
        """Everything about an order.

        Raises:
            UnknownOrder: nothing is known of it.
        """
        ...

    def recent(self, since: float) -> list[str]:
        """Ids of the orders placed since a moment, in epoch seconds."""
        ...


class Live:
    """A deployed stack, on AWS or on the running laptop."""

    def __init__(self, stack: Deployed) -> None:
        self._client, self._outputs, self._stack, self._where = stack.client, stack.outputs, stack, str(stack)
        self._states = stack.client("stepfunctions")
        self._groups: list[str] | None = None

    def facts(self, order_id: str) -> Facts:
        """Ask Step Functions, X-Ray, CloudWatch Logs and the outboxes."""
        facts = Facts(order_id, self._where)
        order = self._execution("order", f"{_executions(self._outputs['OrderWorkflowArn'])}:{order_id}")
        if order is None and not self._is_placed(order_id):
            raise UnknownOrder(order_id, self._where)
        if order is not None:
            facts.executions = [order, *self._unwinds(order)]
        since = (order.started if order else time.time() - _SPAN) - 60
        until = max([e.stopped or time.time() for e in facts.executions] or [time.time()]) + _AFTERMATH
        facts.segments = list(self._segments(order_id, since, min(until, time.time() + 1)))
        facts.logs = sorted(self._logs(order_id, since, until), key=lambda line: line.at)
        found = [event for e in facts.executions for event in announced(e)]
        found += self._outboxes(order_id, order.given.get("customer_id", "") if order else "")
        facts.events = _once(found)
        return facts

    def recent(self, since: float) -> list[str]:
        """List the order workflow's executions, newest first."""
        found: list[str] = []
        pages = self._states.get_paginator("list_executions").paginate(
            stateMachineArn=self._outputs["OrderWorkflowArn"], PaginationConfig={"PageSize": 1000}
        )
        for page in pages:
            for execution in page["executions"]:
                if seconds(execution["startDate"]) < since:
                    return found
                found.append(execution["name"])
        return found

    def _is_placed(self, order_id: str) -> bool:
        table = self._outputs["OrdersTableName"]
        answer = self._client("dynamodb").get_item(
            TableName=table, Key={"order_id": {"S": order_id}}, ProjectionExpression="order_id"
        )
        return "Item" in answer

    def _execution(self, kind: str, arn: str) -> Execution | None:
        try:
            described = self._states.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
                return None
            raise
        machine = self._states.describe_state_machine_for_execution(executionArn=arn)
        pages = self._states.get_paginator("get_execution_history").paginate(
            executionArn=arn, includeExecutionData=True, PaginationConfig={"PageSize": 1000}
        )
        history = [{**event, "timestamp": seconds(event["timestamp"])} for page in pages for event in page["events"]]
        return _read_execution(kind, described, machine["definition"], history)

    def _unwinds(self, order: Execution) -> Iterator[Execution]:
        """Executions of the unwind workflow that began after a death, about this order."""
        if order.stopped is None or order.status == "SUCCEEDED":
            return
        pages = self._states.get_paginator("list_executions").paginate(
            stateMachineArn=self._outputs["UnwindWorkflowArn"], PaginationConfig={"PageSize": 1000}
        )
        found = []
        for page in pages:
            newer = [e for e in page["executions"] if seconds(e["startDate"]) >= order.stopped - 1]
            for listed in newer:
                # EventBridge names an execution by chance: only its input says whose it is.
                soon = seconds(listed["startDate"]) <= order.stopped + _AFTERMATH
                if order.name in listed["name"] or soon:
                    unwind = self._execution("unwind", listed["executionArn"])
                    if unwind and (unwind.given.get("detail") or {}).get("name") == order.name:
                        found.append(unwind)
            if len(newer) < len(page["executions"]):
                break
        yield from sorted(found, key=lambda e: e.started)

    def _segments(self, order_id: str, since: float, until: float) -> Iterator[dict[str, Any]]:
        xray = self._client("xray")
        ids: dict[str, None] = {}
        start = since
        while start < until:
            end = min(start + _SPAN, until)
            for page in xray.get_paginator("get_trace_summaries").paginate(
                StartTime=start, EndTime=end, FilterExpression=f'annotation.order_id = "{order_id}"'
            ):
                ids |= dict.fromkeys(summary["Id"] for summary in page["TraceSummaries"])
            start = end
        wanted = list(ids)
        for at in range(0, len(wanted), _BATCH):
            for page in xray.get_paginator("batch_get_traces").paginate(TraceIds=wanted[at : at + _BATCH]):
                for trace in page["Traces"]:
                    for segment in trace["Segments"]:
                        yield {"trace_id": trace["Id"], **json.loads(segment["Document"])}

    def _logs(self, order_id: str, since: float, until: float) -> Iterator[LogLine]:
        logs = self._client("logs")
        for group in self._log_groups():
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group,
                startTime=int(since * 1000),
                endTime=int(until * 1000),
                filterPattern=f'{{ $.order_id = "{order_id}" }}',
            )
            try:
                for page in pages:
                    for event in page["events"]:
                        line = log_line(event["timestamp"] / 1000, event["message"])
                        # A filter pattern narrows what is sent; what is shown is decided here.
                        if line and line.fields.get("order_id") == order_id:
                            yield line
            except ClientError as error:
                # A function that never ran has no log group.
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise

    def _log_groups(self) -> list[str]:
        if self._groups is None:
            functions, groups = [], []
            for _, kind, name in self._stack.resources():
                if kind == "AWS::Lambda::Function":
                    functions.append(f"/aws/lambda/{name}")
                elif kind == "AWS::Logs::LogGroup":
                    groups.append(name)
            self._groups = sorted({*functions, *groups})
        return self._groups

    def _outboxes(self, order_id: str, customer_id: str) -> list[BusEvent]:
        dynamodb, found = self._client("dynamodb"), []
        for table, key, value, prefix in (
            ("PaymentsTableName", "order_id", order_id, "EVENT#"),
            ("PromotionsTableName", "customer_id", customer_id, f"EVENT#{order_id}:"),
        ):
            if not value:
                continue
            for page in dynamodb.get_paginator("query").paginate(
                TableName=self._outputs[table],
                KeyConditionExpression="#key = :key AND begins_with(#record, :prefix)",
                ExpressionAttributeNames={"#key": key, "#record": "record"},
                ExpressionAttributeValues={":key": {"S": value}, ":prefix": {"S": prefix}},
            ):
                for item in page["Items"]:
                    event = bus_event(item["detail_type"]["S"], item["source"]["S"], item["detail"]["S"])
                    found += [event] if event else []
        return found


class Recorded:
    """The record of laptops that ran here, read while one runs or after.

    Args:
        path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def facts(self, order_id: str) -> Facts:
        """Read the record."""
        if not self._path.exists():
            raise UnknownOrder(order_id, "here, where no stack has run yet (make demo, make up)")
        facts = Facts(order_id, "the laptop's record")
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            ask = connection.execute
            for arn, description, definition in ask(
                "SELECT arn, description, definition FROM executions WHERE order_id = ? ORDER BY at", (order_id,)
            ).fetchall():
                events = ask("SELECT at, event FROM history WHERE arn = ? ORDER BY id", (arn,))
                history = [{**json.loads(event), "timestamp": at} for at, event in events]
                described = json.loads(description)
                kind = "order" if described["name"] == order_id else "unwind"
                facts.executions.append(_read_execution(kind, described, definition, history))
            if not facts.executions:
                raise UnknownOrder(order_id, "here")
            rows = ask(
                "SELECT document FROM segments WHERE trace_id IN "
                "(SELECT trace_id FROM annotations WHERE key = 'order_id' AND value = ?)",
                (order_id,),
            )
            facts.segments = [json.loads(document) for (document,) in rows]
            lines = (
                log_line(at, text)
                for at, text in ask("SELECT at, message FROM logs WHERE order_id = ? ORDER BY at", (order_id,))
            )
            facts.logs = sorted((line for line in lines if line), key=lambda line: line.at)
            kept = (
                json.loads(e) for (e,) in ask("SELECT event FROM events WHERE order_id = ? ORDER BY at", (order_id,))
            )
            facts.events = _once(bus_event(e["detail-type"], e["source"], e["detail"]) for e in kept)
        return facts

    def recent(self, since: float) -> list[str]:
        """Orders whose execution is in the record."""
        if not self._path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT order_id, description FROM executions WHERE at >= ? AND order_id IS NOT NULL ORDER BY at DESC",
                (since,),
            ).fetchall()
        return [order_id for order_id, described in rows if json.loads(described)["name"] == order_id]


class Either:
    """Asks one source, and another if the first knows nothing."""

    def __init__(self, first: Source, second: Source) -> None:
        self._first, self._second = first, second

    def facts(self, order_id: str) -> Facts:
        """Ask the first, then the second."""
        try:
            return self._first.facts(order_id)
        except UnknownOrder:
            return self._second.facts(order_id)

    def recent(self, since: float) -> list[str]:
        """The first one's orders, or the second one's if there are none."""
        return self._first.recent(since) or self._second.recent(since)


def source(options: argparse.Namespace) -> Source:
    """Where to ask: AWS if the caller says so, else this machine, the running stack first and then the record.

    Args:
        options: see `operations.deployed.add_options`.

    Raises:
        ClientError, BotoCoreError: AWS does not know the stack, or not the caller.
    """
    record = Recorded(STATE_DIR / FILE)
    try:
        stack = deployed.reach(options)
    except NotRunning:
        return record
    return Live(stack) if stack.region else Either(Live(stack), record)


def _read_execution(
    kind: str, described: Mapping[str, Any], definition: str, history: list[dict[str, Any]]
) -> Execution:
    stopped = described.get("stopDate")
    return Execution(
        arn=described["executionArn"],
        kind=kind,
        name=described["name"],
        status=described["status"],
        started=seconds(described["startDate"]),
        stopped=seconds(stopped) if stopped else None,
        given=json.loads(described.get("input") or "{}"),
        history=history,
        definition=json.loads(definition),
        error=described.get("error"),
        cause=described.get("cause"),
        clock=float(described.get("clock", 1.0)),
    )


def _executions(machine_arn: str) -> str:
    return machine_arn.replace(":stateMachine:", ":execution:")


def _once(events: Iterable[BusEvent | None]) -> list[BusEvent]:
    """Each event once, however often it was announced."""
    unique: dict[str, BusEvent] = {}
    for event in events:
        if event:
            unique.setdefault(event.event_id, event)
    return list(unique.values())
