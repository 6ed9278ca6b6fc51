"""Entry point: the order workflow calls this function, by the payment contract (`events/commands/payments.json`)."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin.clients import client, once
from tiffin.telemetry import about_order, came_to, logger, metrics, tracer

from payments.commands import Authorize, parse
from payments.operations import Answer, Payments
from payments.store import PaymentStore


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:
    """Authorize, capture or release the payment of one order.

    Returns:
        An answer of the payment contract.

    Raises:
        PaymentError: Lambda reports the name of the subclass as `errorType`, which the workflow's retries match.
    """
    command = parse(event)
    about_order(
        command.order_id,
        customer_id=command.customer_id if isinstance(command, Authorize) else None,
        caused_by=command.trace_header,
        operation=command.operation,
    )
    metrics.add_metric("PaymentOperations", MetricUnit.Count, 1)
    answer = payments().perform(command)
    came_to(answer["status"])
    logger.info("Payment %s answered %s", command.operation, answer["status"])
    return answer


@once
def payments() -> Payments:
    """The use cases with the adapters that the environment names."""
    dynamodb = client("dynamodb")
    store = PaymentStore(dynamodb, os.environ["PAYMENTS_TABLE"])
    # Imported here because the stripe library is large, and an environment needs one of the two only.
    if os.environ["PAYMENT_PROVIDER"] == "stripe":
        from payments.stripe_gateway import StripeGateway

        return Payments(store, StripeGateway(os.environ["STRIPE_SECRET_NAME"], os.environ["STRIPE_API_BASE"]))
    from payments.sandbox import SandboxGateway

    return Payments(store, SandboxGateway(dynamodb, os.environ["SANDBOX_LEDGER_TABLE"]))
