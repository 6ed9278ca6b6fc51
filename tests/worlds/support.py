"""What an order leaves behind, as support reads it: AWS's answers, made by hand, with each call counted."""

import json
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from support.live import Limits, Live, Places
from support.operations import Stories
from support.store import StoryStore

from worlds.templates import create_table, dynamodb, table

ORDER = "ord_" + "s" * 26
CUSTOMER = "cust-support"
STATES = "arn:aws:states:eu-central-1:123456789012"
LIMITS = Limits(time=12, pages=5, traces=60, unwinds=25, logs_kept=30 * 86400)
DAY = 86400
FUNCTION = "tiffin-Orders-1A2B3C4D5E6F7-ApiFunction-ABC123"
WAITS = "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken"
DEFINITION = {
    "StartAt": "AuthorizePayment",
    "States": {"AuthorizePayment": {"Type": "Task"}, "AwaitRestaurant": {"Type": "Task", "Resource": WAITS}},
}


PLACES = Places(
    f"{STATES}:stateMachine:orders",
    f"{STATES}:stateMachine:unwinds",
    "OrdersTable",
    "PaymentsTable",
    "PromotionsTable",
    lambda: ["/orders", "/payments"],
)


class Aws:
    """Makes clients. What is read may be changed, and operations may fail.

    Attributes:
        asked: operations, as often as they were asked.
        failing: error codes by operation.
        executions: by ARN: description, and history.
        listed: executions of the unwind workflow, newest first.
        traces: segments by trace id; the method of the request that began each, if one did.
        lines: log lines by group.
    """

    def __init__(self) -> None:
        self.asked, self.failing = Counter[str](), dict[str, str]()
        self.executions = dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]()
        self.listed = list[dict[str, Any]]()
        self.traces, self.methods = dict[str, list[dict[str, Any]]](), dict[str, str]()
        self.lines = dict[str, list[dict[str, Any]]]()

    def __call__(self, service: str) -> "Aws":
        return self

    def __getattr__(self, operation: str) -> Any:
        return partial(self._ask, operation)

    def _ask(self, operation: str, **request: Any) -> Any:
        self.asked[operation] += 1
        if code := self.failing.get(operation):
            said: Any = {"Error": {"Code": code, "Message": "Ada Lovelace was refused"}}
            raise ClientError(said, operation)
        if operation in ("get_item", "query"):
            return getattr(dynamodb(), operation)(**request)
        return getattr(self, f"_{operation}")(**request)

    def _describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        if executionArn not in self.executions:
            said: Any = {"Error": {"Code": "ExecutionDoesNotExist", "Message": ""}}
            raise ClientError(said, "DescribeExecution")
        return self.executions[executionArn][0]

    def _describe_state_machine_for_execution(self, **_: Any) -> dict[str, Any]:
        return {"definition": json.dumps(DEFINITION)}

    def _describe_state_machine(self, **_: Any) -> dict[str, Any]:
        return {"definition": json.dumps(DEFINITION)}

    def _get_execution_history(self, *, executionArn: str, nextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803
        history, start = self.executions[executionArn][1], int(nextToken)
        more = {"nextToken": str(start + 1000)} if len(history) > start + 1000 else {}
        return {"events": history[start : start + 1000], **more}

    def _list_executions(self, **_: Any) -> dict[str, Any]:
        return {"executions": self.listed}

    def _get_trace_summaries(self, **_: Any) -> dict[str, Any]:
        return {"TraceSummaries": [{"Id": one, "Http": {"HttpMethod": self.methods.get(one)}} for one in self.traces]}

    def _batch_get_traces(self, *, TraceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        assert len(TraceIds) <= 5
        return {"Traces": [{"Id": one, "Segments": [_document(s) for s in self.traces[one]]} for one in TraceIds]}

    def _filter_log_events(self, *, logGroupName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        lines = self.lines.get(logGroupName, [])
        return {"events": [{"timestamp": time.time() * 1000, "message": json.dumps(line)} for line in lines]}


def _document(segment: dict[str, Any]) -> dict[str, str]:
    return {"Document": json.dumps(segment)}


class World:
    """Support over an order that was placed ten seconds ago, and is waited for at its restaurant.

    To be made inside `mock_aws`.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.aws, self.placed, self.now = Aws(), time.time() - 10, time.time()
        there = dynamodb().list_tables()["TableNames"]
        for service in ("orders", "payments", "promotions", "support"):
            name = f"{'Stories' if service == 'support' else service.title()}Table"
            if name not in there:
                create_table(service, name)
        self.orders, self.table = table("OrdersTable"), table("StoriesTable")
        self.store = StoryStore(self.table)
        self.live = Live(self.aws, PLACES, "here", limits)
        self.stories = Stories(self.live, self.store, reads=28, patience=10, now=lambda: self.now, pause=self.pause)
        self.paused = 0.0
        self.row()
        self.execution()
        self.aws.traces["1-a"] = [self.segment("1-a", "POST")]
        self.aws.methods["1-a"] = "POST"
        self.aws.lines["/orders"] = [self.line("Order placed")]

    def pause(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.paused += seconds

    def row(self, status: str = "AWAITING_RESTAURANT", **more: Any) -> None:
        """Write the order's row."""
        item = {
            "order_id": ORDER,
            "customer_id": CUSTOMER,
            "status": status,
            "placed_at": moment(self.placed),
            "deadline_at": moment(self.placed + 3 * 3600),
            "timeline": {"PLACED": moment(self.placed), status: moment(self.placed + 1)},
            "note": "strike the gong",
        }
        self.orders.put_item(Item=item | more)

    def execution(
        self, *events: dict[str, Any], status: str = "RUNNING", name: str = ORDER, kind: str = "orders", **given: Any
    ) -> str:
        """Let an execution be known; without events it waits for the restaurant. Returns its ARN."""
        arn = f"{STATES}:execution:{kind}:{name}"
        begin = self.placed
        described = {"executionArn": arn, "name": name, "status": status, "startDate": begin}
        described["input"] = json.dumps({"customer_id": CUSTOMER, "placed_at": moment(begin)} | given)
        if status != "RUNNING":
            described["stopDate"] = begin + 5
        history = list(events) or [*authorized(), entered("AwaitRestaurant")]
        self.aws.executions[arn] = (
            described,
            [{**event, "id": n, "timestamp": begin + n * 0.1} for n, event in enumerate(history, 1)],
        )
        return arn

    def unwind(self, name: str, *, of: str = ORDER) -> None:
        """Let an execution of the unwind workflow be known and listed."""
        arn = self.execution(
            *recorded("CANCELLED", code="cancelled_by_customer", message="The customer cancelled."),
            status="SUCCEEDED", name=name, kind="unwinds", detail={"name": of},
        )  # fmt: skip
        self.aws.listed.append({"executionArn": arn, "name": name, "startDate": self.placed + 6})

    def segment(self, trace_id: str, method: str, **more: Any) -> dict[str, Any]:
        """A request's segment."""
        return {
            "id": f"s{trace_id}",
            "trace_id": trace_id,
            "name": "api",
            "origin": "AWS::ApiGateway::Stage",
            "start_time": self.placed,
            "end_time": self.placed + 0.1,
            "http": {"request": {"method": method, "url": "https://x/orders"}, "response": {"status": 200}},
            "annotations": {"order_id": ORDER},
            "subsegments": [self.function(trace_id)],
        } | more

    def function(self, trace_id: str) -> dict[str, Any]:
        """The segment of the API's function."""
        when = {"start_time": self.placed, "end_time": self.placed + 0.05}
        return {"id": f"f{trace_id}", "name": FUNCTION, "origin": "AWS::Lambda::Function", **when}

    def line(self, message: str, **more: Any) -> dict[str, Any]:
        """A line of a log."""
        said = {"message": message, "level": "INFO", "service": "orders", "order_id": ORDER, "xray_trace_id": "1-a"}
        said["function_name"] = FUNCTION
        return said | {"timestamp": moment(self.placed)} | more


def moment(at: float) -> str:
    """As rows have it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entered(state: str, given: Any = None) -> dict[str, Any]:
    """The event that a state was entered."""
    return {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state, "input": json.dumps(given or {})}}


def left(state: str) -> dict[str, Any]:
    """The event that a state was left."""
    return {"type": "TaskStateExited", "stateExitedEventDetails": {"name": state, "output": "{}"}}


def scheduled(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    """The event that a task was called."""
    details = {"resourceType": service, "resource": operation, "parameters": json.dumps(parameters)}
    return {"type": "TaskScheduled", "taskScheduledEventDetails": details}


def succeeded(**output: Any) -> dict[str, Any]:
    """The event that it answered."""
    return {"type": "TaskSucceeded", "taskSucceededEventDetails": {"output": json.dumps(output)}}


def failed(error: str, cause: str) -> dict[str, Any]:
    """The event that it failed."""
    return {"type": "TaskFailed", "taskFailedEventDetails": {"error": error, "cause": cause}}


def authorized(**answer: str) -> list[dict[str, Any]]:
    """A payment's authorization, by the payment contract."""
    payload = {"operation": "authorize", "order_id": ORDER, "payment_method": "pm_card_visa", "customer_id": CUSTOMER}
    return [
        entered("AuthorizePayment"),
        scheduled("lambda", "invoke", FunctionName="payments", Payload=payload),
        succeeded(Payload=answer or {"status": "AUTHORIZED", "network": "visa"}),
        left("AuthorizePayment"),
    ]


def recorded(status: str, **reason: str) -> list[dict[str, Any]]:
    """The write of an end."""
    values: dict[str, Any] = {":entered": {"S": status}}
    values[":reason"] = {"M": {name: {"S": text} for name, text in reason.items()}}
    write = scheduled("aws-sdk:dynamodb", "updateItem", ExpressionAttributeValues=values)
    return [entered("Record"), write, succeeded(), left("Record")]
