"""What an order takes as a durable function (`examples/durable`): its execution, its history, and what is billed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .pricing import prices

GB = 1024**3
Event = Mapping[str, Any]
_KINDS = "Execution", "Step", "Callback", "Wait", "Context", "ChainedInvoke"


class Asks(Protocol):
    """Something that makes boto3 clients, such as a stack."""

    def client(self, service: str, /) -> Any:
        """A client of one service."""


def execution_arn(stack: Asks, function: str, order_id: str) -> str:
    """The ARN of an order's execution, of whatever version of the function it is.

    Raises:
        LookupError: there is none.
    """
    asks = stack.client("lambda")
    for version in asks.list_versions_by_function(FunctionName=function)["Versions"]:
        found = asks.list_durable_executions_by_function(
            FunctionName=function, Qualifier=version["Version"], DurableExecutionName=order_id
        )["DurableExecutions"]
        if found:
            return str(found[0]["DurableExecutionArn"])
    raise LookupError(f"{order_id} has no execution")


def history(stack: Asks, arn: str) -> list[dict[str, Any]]:
    """What Lambda tells of an execution, from its beginning on."""
    pages = stack.client("lambda").get_paginator("get_durable_execution_history")
    asked = pages.paginate(DurableExecutionArn=arn, IncludeExecutionData=True)
    return [event for page in asked for event in page["Events"]]


@dataclass(frozen=True)
class Taken:
    """What an execution took, by what AWS charges for.

    Attributes:
        operations: the start, each step and callback, and each further attempt of a step (Lambda developer guide,
            "Retries for Lambda durable functions").
        written: bytes of what it was given, of each result and each error.
        invocations: of the function.
    """

    operations: int
    written: int
    invocations: int

    def usd(self, days: int = 14) -> float:
        """What that costs, the function's own time apart.

        Args:
            days: for which the history is kept.
        """
        by = prices()["lambda_durable"]
        return float(
            self.operations * by["usd_per_million_operations"] / 1e6
            + self.written / GB * by["usd_per_gb_written"]
            + self.written / GB * by["usd_per_gb_month_retained"] * days / 30
        )


def taken(events: Iterable[Event]) -> Taken:
    """What an execution took.

    Args:
        events: its history.
    """
    events = list(events)
    begun = sum(event["EventType"] in {f"{kind}Started" for kind in _KINDS} for event in events)
    again = sum("RetryDetails" in event.get("StepFailedDetails", {}) for event in events)
    return Taken(
        begun + again,
        sum(map(_written, events)),
        sum(event["EventType"] == "InvocationCompleted" for event in events),
    )


def _written(event: Event) -> int:
    details: Any = next((value for name, value in event.items() if name.endswith("Details")), {})
    payloads = [details[name].get("Payload", "") for name in ("Input", "Result", "Error") if details.get(name)]
    return sum(len(str(payload).encode()) for payload in payloads)
