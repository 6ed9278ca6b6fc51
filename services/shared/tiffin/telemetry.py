"""Logger, tracer and metrics, made once per service; the only module that names a tracing library.

The X-Ray SDK that Powertools' Tracer stands on is in maintenance, so nothing else in the services may import it: a move
to OpenTelemetry changes this file alone (`docs/decisions/tracing-behind-one-module.md`).

Nothing personal passes through here: order ids, event names and codes do; a customer's id only as `customer_hash`.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from botocore.exceptions import ClientError

from tiffin.trace_headers import new_root, usable
from tiffin.xray import Subsegment, XRay

P = ParamSpec("P")
R = TypeVar("R")

# CloudWatch takes data points up to two weeks old (CloudWatch user guide, "Publish custom metrics"); a day of margin.
_OLDEST_DATA_POINT = timedelta(days=13)

# Powertools reads POWERTOOLS_SERVICE_NAME and POWERTOOLS_METRICS_NAMESPACE, which each template sets.
logger = Logger(use_rfc3339=True, utc=True)
XRAY = XRay()
# Never disabled: where nobody listens, such as in a test, what is sent is lost, and what is not sampled is not sent.
tracer = Tracer(provider=XRAY, auto_patch=False, disabled=False)
metrics = Metrics()
# An invocation that has nothing to count is no reason for a line of plain text among the JSON.
warnings.filterwarnings("ignore", "No application metrics to publish")


def trace_header() -> str:
    """The X-Ray trace header of this invocation, to be carried where AWS does not carry it by itself.

    Returns:
        `Root=…;Parent=…;Sampled=…`. Where there is none, or what the client of an API sent is not well formed, a fresh
        unsampled root: the field is never empty, and nothing is refused over it.
    """
    return usable(os.environ.get("_X_AMZN_TRACE_ID")) or new_root()


def trace_root(header: str) -> str:
    """The trace id in an X-Ray trace header, to search by; empty if there is none."""
    parts = (part.partition("=") for part in header.split(";"))
    return next((value for name, _, value in parts if name.strip() == "Root"), "")


def customer_hash(customer_id: str) -> str:
    """A customer's pseudonym for traces: whoever knows the id finds the customer's traces, nobody reads it from them.

    Returns:
        16 hexadecimal digits. A user pool's ids are random, so that guessing them all is no way back.
    """
    return hashlib.sha256(f"tiffin-customer:{customer_id}".encode()).hexdigest()[:16]


def traced_call(method: Callable[P, R]) -> Callable[P, R]:
    """Give each call of a method a subsegment of its own: for calls to the outside that no AWS client makes.

    Arguments and answers are not written down: they may be personal.
    """
    return tracer.capture_method(capture_response=False)(method)


class AwsCall:
    """A call of AWS that is under way, as its trace sees it. Of what it asks and is answered only names are written.

    Attributes:
        headers: what the request carries for AWS to go on with the trace.
    """

    def __init__(self, subsegment: Subsegment, facts: dict[str, Any]) -> None:
        self._subsegment, self._facts = subsegment, facts
        self.headers: dict[str, str] = {}
        if subsegment.trace_id:
            self.headers["X-Amzn-Trace-Id"] = subsegment.header

    def answered(self, metadata: Mapping[str, Any]) -> None:
        """Note an answer: `ResponseMetadata`, as boto3 has it."""
        self._facts |= {"request_id": metadata["RequestId"], "retries": metadata["RetryAttempts"]}
        # Which also says whether it was a fault of AWS's, an error of ours, or too much.
        self._subsegment.put_status(metadata["HTTPStatusCode"])

    def refused(self, error: ClientError) -> None:
        """Note a refusal by its code: the sentence beside it may repeat what was asked."""
        said: Any = {"Error": {"Code": error.response["Error"]["Code"], "Message": "see the error code"}}
        told: Any = type(error)(said, error.operation_name)
        self._subsegment.add_exception(told, [], True)
        # Whoever it is raised through refers to what is told here, and does not tell it in the error's words.
        raised: Any = error
        raised._cause_id = told._cause_id


@contextmanager
def aws_call(service: str, operation: str, region: str, request: Mapping[str, Any]) -> Iterator[AwsCall]:
    """Give a call of AWS the subsegment that X-Ray draws as a service of its own (X-Ray developer guide, "Segment
    documents", "AWS resource data").

    Args:
        service: as X-Ray knows it: the first label of the service's host.
        operation: AWS's name of it.
        region: where.
        request: of it, the name of a table or a queue is written down.
    """
    named = {"table_name": request.get("TableName"), "queue_url": request.get("QueueUrl")}
    facts = {"operation": operation, "region": region, **{name: value for name, value in named.items() if value}}
    with XRAY.in_subsegment(service, namespace="aws") as subsegment:
        try:
            yield AwsCall(subsegment, facts)
        finally:
            subsegment.put_aws(facts)


def about_order(
    order_id: str, *, customer_id: str | None = None, caused_by: str | None = None, **annotations: str
) -> None:
    """Put the order's id, and what else identifies the work, on every later log line and on the open trace segment.

    Args:
        order_id: the order this invocation, or this record of a batch, is about.
        customer_id: whose order it is; only `customer_hash` of it is written.
        caused_by: X-Ray header of the request that the order began with. Where X-Ray's own context does not reach, its
            trace id is what joins: the annotation `caused_by_trace`, and the `correlation_id` of the log lines.
        annotations: further searchable facts. Nothing personal: they end up in traces.
    """
    facts = {"order_id": order_id, **annotations}
    if customer_id is not None:
        facts["customer_hash"] = customer_hash(customer_id)
    if root := trace_root(caused_by or ""):
        facts["caused_by_trace"] = root
        logger.set_correlation_id(root)
    logger.append_keys(**facts)
    for key, value in facts.items():
        tracer.put_annotation(key, value)


def came_to(outcome: str) -> None:
    """Annotate the open trace segment with what came of the work: `AUTHORIZED`, `illegal-move`, `dead-lettered`."""
    tracer.put_annotation("outcome", outcome)


@contextmanager
def work_on_order(order_id: str, **facts: str) -> Iterator[None]:
    """One order among several of an invocation: a subsegment of its own, and log keys that end with it.

    Args:
        order_id: the order.
        facts: see `about_order`.
    """
    known_keys = set(logger.get_current_keys())
    with tracer.provider.in_subsegment(name="## order"):
        try:
            about_order(order_id, **facts)
            yield
        finally:
            logger.remove_keys(set(logger.get_current_keys()) - known_keys)


def count(
    name: str,
    value: float = 1,
    *,
    unit: MetricUnit = MetricUnit.Count,
    at: datetime | None = None,
    by: dict[str, str] | None = None,
) -> None:
    """Write one metric of its own dimensions as a log line that CloudWatch reads (embedded metric format).

    Args:
        name: the metric, as the catalogue in `docs/operating.md` has it.
        value: the data point.
        unit: its unit.
        at: when it happened, aware; now by default, no more than 13 days ago and no later than now.
        by: dimensions besides the service. Few values each: every combination is a metric that is paid for.
    """
    with single_metric(name=name, unit=unit, value=value) as metric:
        for dimension, one in (by or {}).items():
            metric.add_dimension(dimension, one)
        if at is not None:
            now = datetime.now(UTC)
            metric.set_timestamp(min(max(at, now - _OLDEST_DATA_POINT), now))
