"""What is known of one order, from AWS's APIs, which the running laptop answers too.

Several contexts' stores are read here, each by the keys that its owner gave it, and nothing is written
(docs/decisions/support-reads-other-contexts-stores.md). The order itself must be found. Of everything else, what cannot
be had is told as missing, with the reason.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tiffin.events import ORDER_ENDS

from support.facts import (
    BusEvent,
    Execution,
    Facts,
    LogLine,
    Missing,
    MissingReason,
    Row,
    StoryPart,
    UnknownOrder,
    announced,
    bus_event,
    log_line,
    once,
    read_execution,
    seconds,
)

# Both from the X-Ray API reference: a query spans six hours, a batch takes five ids.
_SPAN = 6 * 3600
_BATCH = 5
# What follows an end: its announcement, who hears it, a reconciler's repair.
_AFTERMATH = 900
_DAY = 86400
_TRACES_KEPT = 30 * _DAY
"""Seconds (X-Ray developer guide, "Concepts", "Traces")."""
_HISTORY_KEPT = 90 * _DAY
"""Seconds (Step Functions developer guide, "Service quotas")."""
_READ = {"GET", "HEAD", "OPTIONS"}
_REASONS = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), MissingReason.REFUSED),
    "LimitExceededException": MissingReason.THROTTLED,
    "ProvisionedThroughputExceededException": MissingReason.THROTTLED,
    "RequestLimitExceeded": MissingReason.THROTTLED,
    "ResourceNotFoundException": MissingReason.NOT_FOUND,
    "ThrottledException": MissingReason.THROTTLED,
    "Throttling": MissingReason.THROTTLED,
    "ThrottlingException": MissingReason.THROTTLED,
    "TooManyRequestsException": MissingReason.THROTTLED,
}
_SAID = {
    MissingReason.THROTTLED: "more is asked of AWS at the moment than it answers",
    MissingReason.REFUSED: "AWS does not let this caller see it",
    MissingReason.FAILED: "AWS did not answer",
    MissingReason.NOT_FOUND: "there is no such table",
}


class Clients(Protocol):
    """Makes clients by boto3's name of the service; they have boto3's names of operations."""

    def __call__(self, service: str, /) -> Any:
        """A client of one service."""


@dataclass(frozen=True)
class Places:
    """Where an order leaves what is known of it.

    Attributes:
        order_workflow, unwind_workflow: ARNs.
        orders_table, payments_table, promotions_table: names.
        log_groups: names; asked for when log lines are.
    """

    order_workflow: str
    unwind_workflow: str
    orders_table: str
    payments_table: str
    promotions_table: str
    log_groups: Callable[[], Sequence[str]]


@dataclass(frozen=True)
class Limits:
    """How much is asked for one order; everything, by default.

    Attributes:
        time: seconds after which nothing more is begun.
        pages: of one question.
        traces: in all; what only read goes first.
        unwinds: executions that are looked into for the order's own, nearest to its death first.
        logs_kept: seconds for which log lines are.
    """

    time: float = math.inf
    pages: float = math.inf
    traces: float = math.inf
    unwinds: float = math.inf
    logs_kept: float = math.inf


EVERYTHING = Limits()


@dataclass(frozen=True)
class _Outbox:
    """Where a service notes what it announces: items of a table with this key, whose record begins so."""

    table: str
    key: str
    value: str
    prefix: str


class OutOfTime(Exception):
    """There was no time to learn whether there is such an order."""


class _NotHad(Exception):
    def __init__(self, why: MissingReason, detail: str) -> None:
        super().__init__(detail)
        self.why = why


class Live:
    """A deployed stack, on AWS or on the running laptop.

    Args:
        client: makes clients that talk to it.
        places: where to look.
        where: what a person calls it.
        limits: how much to ask.
    """

    def __init__(self, client: Clients, places: Places, where: str, limits: Limits = EVERYTHING) -> None:
        self._client, self._places, self._where, self._limits = client, places, where, limits
        self._states = client("stepfunctions")
        self._until = math.inf

    def facts(self, order_id: str, spent: float = 0) -> Facts:
        """Ask DynamoDB, Step Functions, X-Ray and CloudWatch Logs.

        Args:
            order_id: of the order.
            spent: seconds of the time for it that are gone already.

        Raises:
            UnknownOrder: nothing is known of it.
            OutOfTime: it has no row, and no time was left to look for its workflow.
            ClientError, BotoCoreError: its row cannot be read; or there is none, and its workflow cannot be.
        """
        self._until = time.monotonic() + self._limits.time - spent
        facts = Facts(order_id, self._where, row=self._row(order_id))
        order = self._order(facts)
        if order is None and facts.row is None:
            raise UnknownOrder(order_id, self._where)
        since = (order.started if order else facts.row.placed if facts.row else time.time() - _SPAN) - 60
        if order is not None:
            facts.executions.append(order)
            with self._or_missing(facts, StoryPart.UNWIND):
                for unwind in self._unwinds(order):
                    facts.executions.append(unwind)
                    facts.executions[1:] = sorted(facts.executions[1:], key=lambda e: e.started)
        until = self._end(facts)
        # Each is read item by item, so that what came before a failure stays.
        found: list[BusEvent] = [event for e in facts.executions for event in announced(e)]
        customer_id = facts.row.customer_id if facts.row else order.given.get("customer_id", "") if order else ""
        for outbox in self._outboxes(order_id, customer_id):
            with self._or_missing(facts, StoryPart.EVENTS, outbox.table):
                found.extend(self._announced(outbox))
        facts.events = once(found)
        with self._or_missing(facts, StoryPart.TRACES):
            facts.segments.extend(self._segments(order_id, since, min(until, time.time() + 1)))
        with self._or_missing(facts, StoryPart.LOGS):
            for group in self._log_groups(until):
                with self._or_missing(facts, StoryPart.LOGS, group):
                    facts.logs.extend(self._lines(group, order_id, since, until))
        facts.logs.sort(key=lambda line: line.at)
        return facts

    def definitions(self) -> dict[str, dict[str, Any]]:
        """What is deployed: the ASL of the order workflow and of the unwind workflow, as `order` and `unwind`.

        Raises:
            ClientError, BotoCoreError: Step Functions cannot be asked.
        """
        arns = {"order": self._places.order_workflow, "unwind": self._places.unwind_workflow}
        return {
            kind: json.loads(self._states.describe_state_machine(stateMachineArn=arn)["definition"])
            for kind, arn in arns.items()
        }

    def _row(self, order_id: str) -> Row | None:
        names = {"#status": "status", "#timeline": "timeline", "#reason": "reason"}
        answer = self._client("dynamodb").get_item(
            TableName=self._places.orders_table,
            Key={"order_id": {"S": order_id}},
            ProjectionExpression="order_id, customer_id, #status, placed_at, deadline_at, #timeline, #reason",
            ExpressionAttributeNames=names,
        )
        item = answer.get("Item")
        if item is None:
            return None
        # Read leniently: a row that its owner could not read is what support looks for.
        text = {name: value["S"] for name, value in item.items() if "S" in value}
        entered = {name: value["S"] for name, value in item.get("timeline", {}).get("M", {}).items() if "S" in value}
        placed, deadline = (_moment(text.get(name)) for name in ("placed_at", "deadline_at"))
        moments = {status: at for status, said in entered.items() if (at := _moment(said)) is not None}
        return Row(
            status=text.get("status", "PLACED"),
            customer_id=text.get("customer_id", ""),
            placed=placed or min(moments.values(), default=time.time() - _SPAN),
            deadline=deadline,
            reason={name: value["S"] for name, value in item.get("reason", {}).get("M", {}).items() if "S" in value},
            entered=moments,
        )

    def _order(self, facts: Facts) -> Execution | None:
        """The order's own execution. Without a row, nothing else could be told."""
        arn = f"{_executions(self._places.order_workflow)}:{facts.order_id}"
        if facts.row is None:
            try:
                return self._execution("order", arn)
            except _NotHad:
                raise OutOfTime from None
        found = None
        with self._or_missing(facts, StoryPart.WORKFLOW):
            found = self._execution("order", arn)
            if found is None and facts.row.placed < time.time() - _HISTORY_KEPT:
                raise _NotHad(MissingReason.TOO_OLD, "Step Functions keeps an execution for 90 days after its end.")
        return found

    def _execution(self, kind: str, arn: str) -> Execution | None:
        try:
            self._in_time()
            described = self._states.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
                return None
            raise
        self._in_time()
        machine = self._states.describe_state_machine_for_execution(executionArn=arn)
        pages = self._pages(
            self._states.get_execution_history, executionArn=arn, includeExecutionData=True, maxResults=1000
        )
        history = [{**event, "timestamp": seconds(event["timestamp"])} for page in pages for event in page["events"]]
        return read_execution(kind, described, machine["definition"], history)

    def _unwinds(self, order: Execution) -> Iterator[Execution]:
        """Executions of the unwind workflow that began after a death, about this order."""
        if order.stopped is None or order.status == "SUCCEEDED":
            return
        near: list[tuple[bool, float, str]] = []
        for page in self._pages(
            self._states.list_executions, stateMachineArn=self._places.unwind_workflow, maxResults=1000
        ):
            newer = [e for e in page["executions"] if seconds(e["startDate"]) >= order.stopped - 1]
            for listed in newer:
                # EventBridge names an execution by chance: only its input says whose it is.
                after = seconds(listed["startDate"]) - order.stopped
                named = order.name in listed["name"]
                if named or after <= _AFTERMATH:
                    near.append((not named, after, listed["executionArn"]))
            if len(newer) < len(page["executions"]):
                break
        for number, (_, _, arn) in enumerate(sorted(near)):
            if number >= self._limits.unwinds:
                raise _NotHad(MissingReason.TOO_MUCH, "More orders died at that time than are looked through.")
            unwind = self._execution("unwind", arn)
            if unwind and (unwind.given.get("detail") or {}).get("name") == order.name:
                yield unwind

    def _end(self, facts: Facts) -> float:
        """Until when something may have been written about the order, epoch seconds."""
        now = time.time()
        stops = [e.stopped or now for e in facts.executions]
        if not stops and facts.row and facts.row.status in ORDER_ENDS.values():
            stops = [facts.row.entered.get(facts.row.status, now)]
        return max(stops or [now]) + _AFTERMATH

    def _segments(self, order_id: str, since: float, until: float) -> Iterator[dict[str, Any]]:
        xray = self._client("xray")
        if until < time.time() - _TRACES_KEPT:
            raise _NotHad(MissingReason.TOO_OLD, "X-Ray keeps a trace for 30 days.")
        ids: dict[str, bool] = {}
        start = max(since, time.time() - _TRACES_KEPT)
        while start < until:
            end = min(start + _SPAN, until)
            for page in self._pages(
                xray.get_trace_summaries,
                ("NextToken", "NextToken"),
                StartTime=start,
                EndTime=end,
                FilterExpression=f'annotation.order_id = "{order_id}"',
            ):
                for summary in page["TraceSummaries"]:
                    ids.setdefault(summary["Id"], (summary.get("Http") or {}).get("HttpMethod") in _READ)
            start = end
        # Whoever waits for an order asks for it again and again; that is what least is missed.
        wanted = sorted(ids, key=lambda one: ids[one]) if len(ids) > self._limits.traces else list(ids)
        kept = wanted[: int(min(self._limits.traces, len(wanted)))]
        for at in range(0, len(kept), _BATCH):
            for page in self._pages(xray.batch_get_traces, ("NextToken", "NextToken"), TraceIds=kept[at : at + _BATCH]):
                for trace in page["Traces"]:
                    for segment in trace["Segments"]:
                        yield {"trace_id": trace["Id"], **json.loads(segment["Document"])}
        if len(kept) < len(wanted):
            detail = f"Of {len(wanted)} traces {len(kept)} are shown, those that changed something first."
            raise _NotHad(MissingReason.TOO_MUCH, detail)

    def _log_groups(self, until: float) -> Sequence[str]:
        if until < time.time() - self._limits.logs_kept:
            raise _NotHad(MissingReason.TOO_OLD, f"Log lines are kept for {self._limits.logs_kept / _DAY:.0f} days.")
        return self._places.log_groups()

    def _lines(self, group: str, order_id: str, since: float, until: float) -> Iterator[LogLine]:
        pages = self._pages(
            self._client("logs").filter_log_events,
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

    def _outboxes(self, order_id: str, customer_id: str) -> list[_Outbox]:
        payments = _Outbox(self._places.payments_table, "order_id", order_id, "EVENT#")
        promotions = _Outbox(self._places.promotions_table, "customer_id", customer_id, f"EVENT#{order_id}:")
        return [payments, promotions] if customer_id else [payments]

    def _announced(self, outbox: _Outbox) -> Iterator[BusEvent]:
        for page in self._pages(
            self._client("dynamodb").query,
            ("LastEvaluatedKey", "ExclusiveStartKey"),
            TableName=outbox.table,
            KeyConditionExpression="#key = :key AND begins_with(#record, :prefix)",
            ExpressionAttributeNames={"#key": outbox.key, "#record": "record"},
            ExpressionAttributeValues={":key": {"S": outbox.value}, ":prefix": {"S": outbox.prefix}},
        ):
            for item in page["Items"]:
                event = bus_event(item["detail_type"]["S"], item["source"]["S"], item["detail"]["S"])
                if event:
                    yield event

    def _pages(
        self, ask: Callable[..., dict[str, Any]], token: tuple[str, str] = ("nextToken", "nextToken"), **request: Any
    ) -> Iterator[dict[str, Any]]:
        """Pages of an operation, whose answers and requests call the way to the next one so."""
        number = 0
        while True:
            self._in_time()
            page = ask(**request)
            yield page
            number += 1
            if not (position := page.get(token[0])):
                return
            if number >= self._limits.pages:
                raise _NotHad(MissingReason.TOO_MUCH, "There is more of it than one answer holds.")
            request[token[1]] = position

    def _in_time(self) -> None:
        if time.monotonic() >= self._until:
            raise _NotHad(MissingReason.OUT_OF_TIME, "It was not read in the time that an answer may take.")

    @contextmanager
    def _or_missing(self, facts: Facts, part: StoryPart, of: str = "") -> Iterator[None]:
        """Note what cannot be had of a part, or of one of several that it is read from. What was read before stays."""
        try:
            yield
        except _NotHad as error:
            why, detail = error.why, str(error)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            why = _REASONS.get(code, MissingReason.FAILED)
            detail = f"{error.operation_name}: {_SAID[why]} ({code})."
        except BotoCoreError as error:
            why, detail = MissingReason.FAILED, f"{_SAID[MissingReason.FAILED]} ({type(error).__name__})."
        else:
            return
        facts.missing.append(Missing(part, why, f"{of}: {detail}" if of else detail))


def _executions(machine_arn: str) -> str:
    """The ARN of a workflow's executions, of whichever version; the workflow may be named by an alias."""
    return ":".join(machine_arn.split(":")[:7]).replace(":stateMachine:", ":execution:")


def _moment(text: str | None) -> float | None:
    try:
        return seconds(text) if text else None
    except ValueError:
        return None
