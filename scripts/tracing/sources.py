"""Where facts come from: AWS's APIs, which the running laptop answers too, or the record that a laptop left."""

import argparse
import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Protocol

from laptop import NotRunning
from laptop.environment import STATE_DIR
from laptop.record.store import FILE
from laptop.without import NOBODY
from operations import deployed
from operations.deployed import Deployed
from support import live
from support.facts import Facts, UnknownOrder, bus_event, log_line, once, read_execution, seconds


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
    """A deployed stack, on AWS or on the running laptop: what the support API reads too, and all of it."""

    def __init__(self, stack: Deployed) -> None:
        self._client, self._outputs, self._stack = stack.client, stack.outputs, stack
        self._groups: list[str] | None = None
        places = live.Places(
            order_workflow=stack.outputs["OrderWorkflowArn"],
            unwind_workflow=stack.outputs["UnwindWorkflowArn"],
            orders_table=stack.outputs["OrdersTableName"],
            payments_table=stack.outputs["PaymentsTableName"],
            promotions_table=stack.outputs.get("PromotionsTableName", NOBODY),
            log_groups=self._log_groups,
        )
        self._live = live.Live(stack.client, places, str(stack))

    def facts(self, order_id: str) -> Facts:
        """Ask DynamoDB, Step Functions, X-Ray and CloudWatch Logs."""
        return self._live.facts(order_id)

    def recent(self, since: float) -> list[str]:
        """List the order workflow's executions, newest first."""
        found: list[str] = []
        pages = (
            self._client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self._outputs["OrderWorkflowArn"], PaginationConfig={"PageSize": 1000})
        )
        for page in pages:
            for execution in page["executions"]:
                if seconds(execution["startDate"]) < since:
                    return found
                found.append(execution["name"])
        return found

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
                facts.executions.append(read_execution(kind, described, definition, history))
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
            facts.events = once(bus_event(e["detail-type"], e["source"], e["detail"]) for e in kept)
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
