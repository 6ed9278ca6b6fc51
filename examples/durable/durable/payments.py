"""The payments function as an execution calls it, by the payment contract (`events/commands/payments.json`)."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tiffin.unmendable import Unmendable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

PERMANENT = {
    "GatewayRefused",
    "InvalidPaymentRequest",
    "PaymentMismatch",
    "CaptureRefused",
    "HeldElsewhere",
    "IllegalMove",
}
"""What asking again would answer again: `permanent_error` of the contract."""


class PaymentFailed(Exception):
    """Payments could not say; asking again is safe, and the only way to learn what happened."""


class PaymentRefused(Unmendable):
    """Payments said no, and would again."""


class Payments:
    """The payments function.

    Args:
        client: a Lambda client.
        function: the function, by its alias.
    """

    def __init__(self, client: "LambdaClient", function: str) -> None:
        self._client, self._function = client, function

    def ask(self, operation: str, order: Mapping[str, Any], **more: Any) -> dict[str, str]:
        """Ask for an operation, and wait for the answer.

        Args:
            operation: authorize, capture or release.
            order: whose payment.
            more: what the operation needs besides.

        Raises:
            PaymentFailed, PaymentRefused: by the function's `errorType`.
            ClientError, BotoCoreError: it could not be asked.
        """
        asked = {"operation": operation, "order_id": order["order_id"], "trace_header": order["trace_header"], **more}
        answer = self._client.invoke(FunctionName=self._function, Payload=json.dumps(asked))
        said = json.load(answer["Payload"])
        if "FunctionError" not in answer:
            return dict(said)
        kind = str(said.get("errorType", "nobody knows what"))
        raise (PaymentRefused if kind in PERMANENT else PaymentFailed)(f"{operation}: {kind}")
