"""Dead letters that a function writes itself, each with its reason: `scripts/redrive.py` reads them."""

import os
from typing import TYPE_CHECKING

from tiffin.unmendable import reason

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def set_aside(sqs: "SQSClient", body: str, error: Exception) -> None:
    """Send what can never be handled to the dead-letter queue.

    Args:
        sqs: SQS client.
        body: the message.
        error: why it is there: its class becomes the attribute `error_type`, and `reason` is what may be said of it.

    Environment:
        DEAD_LETTER_QUEUE_URL: the queue.

    Raises:
        ClientError, BotoCoreError: the queue did not take it.
    """
    # SQS takes no control characters (API reference, SendMessage).
    said = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason(error)[:1024])
    sqs.send_message(
        QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"],
        MessageBody=body,
        MessageAttributes={
            "reason": {"DataType": "String", "StringValue": said},
            "error_type": {"DataType": "String", "StringValue": type(error).__name__},
        },
    )
