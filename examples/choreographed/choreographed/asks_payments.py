"""Entry point: the queue of orders for which payments must be asked. Between events, and a service that is called.

What is asked for is read from the row as it is now: a message that is old, or comes twice, asks for what is owed today.
How payments answered is heard from their events (`hears_payments`), as everybody hears it; all but the answer to the
last question, the release.
"""

import json
import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin.clients import client, once, table
from tiffin.consumer import BatchFailures
from tiffin.dead_letters import set_aside
from tiffin.telemetry import logger, metrics, tracer, work_on_order
from tiffin.unmendable import Unmendable, no_retry_mends, reason

from choreographed.rows import Rows
from choreographed.rules import DELIVERED, End, Life, Operation, declined, failed, owes

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

# "Permanent errors" of the payment contract (`events/commands/payments.json`).
PERMANENT = {
    "GatewayRefused", "InvalidPaymentRequest", "PaymentMismatch", "CaptureRefused", "HeldElsewhere", "IllegalMove",
}  # fmt: skip


class PaymentRefused(Unmendable):
    """Payments will not do it, however often they are asked."""


class PaymentFailed(Exception):
    """Payments could not do it now."""


def command(operation: Operation, life: Life) -> dict[str, Any]:
    """A request of the payment contract."""
    order = life.order
    asked = {"operation": operation.value, "order_id": order.order_id, "trace_header": life.trace_header}
    match operation:
        case Operation.AUTHORIZE:
            return asked | {
                "customer_id": order.customer_id,
                "amount": order.total.model_dump(),
                "payment_method": order.payment_method,
            }
        case Operation.RELEASE:
            return asked | {"reason": "order_unwound"}
        case Operation.CAPTURE:
            return asked


def ask_for(order_id: str) -> None:
    """Ask payments for what is owed to an order, if anything is.

    Raises:
        PaymentFailed: it may go better next time. `PaymentRefused`, if even the release is refused: a person must look.
    """
    life = rows().life(order_id)
    operation = owes(life)
    if operation is None:
        return
    try:
        answer = _answer(command(operation, life))
    except PaymentRefused as refused:
        if operation is Operation.RELEASE:
            raise
        rows().undo(order_id, failed(str(refused)), datetime.now(UTC))
        return
    if operation is Operation.RELEASE:
        # The last that is asked for: here the answer counts. No event tells of a payment that was released before
        # anything was known of it; and payments tell what changed once: what was lost on the way does not come again.
        rows().finish(life, _end(life, answer), answer["status"], datetime.now(UTC))


def _end(life: Life, answer: dict[str, Any]) -> End:
    """How an order ended that was being undone: as it was decided, or as payments had moved already."""
    match answer["status"]:
        case "CAPTURED":
            return DELIVERED
        case "DECLINED":
            return declined(answer["code"], answer["message"], answer["network"])
    return life.undoing or failed("nobody decided how it ends")


def _answer(payload: dict[str, Any]) -> dict[str, Any]:
    called = payments().invoke(FunctionName=os.environ["PAYMENTS_FUNCTION_ARN"], Payload=json.dumps(payload))
    answer: dict[str, Any] = json.loads(called["Payload"].read())
    if "FunctionError" in called:
        error = str(answer.get("errorType"))
        raise (PaymentRefused if error in PERMANENT else PaymentFailed)(error)
    return answer


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(batch: dict[str, Any], context: LambdaContext) -> BatchFailures:
    """Take a batch of the queue."""
    failures: BatchFailures = {"batchItemFailures": []}
    for record in batch["Records"]:
        try:
            order_id = json.loads(record["body"])["order_id"]
            with work_on_order(order_id):
                ask_for(order_id)
        except Exception as error:
            logger.error("Payments not asked", error_type=type(error).__name__, reason=reason(error))
            if no_retry_mends(error):
                set_aside(_sqs(), record["body"], error)
            else:
                failures["batchItemFailures"].append({"itemIdentifier": record["messageId"]})
    return failures


@once
def rows() -> Rows:
    """The orders table."""
    return Rows(table(os.environ["ORDERS_TABLE"]), os.environ["CUSTOMERS_TABLE"])


@once
def payments() -> "LambdaClient":
    """Who is asked. It may take its thirty seconds, and is asked again by the queue alone."""
    called: LambdaClient = client("lambda", read_timeout=31, attempts=1)
    return called


@cache
def _sqs() -> "SQSClient":
    sqs: SQSClient = client("sqs")
    return sqs
