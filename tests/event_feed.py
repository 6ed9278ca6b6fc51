"""What consumer tests feed to consumers: batches of a queue, of events that keep their contracts and no others."""

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from contracts.schemas import validate


class Context(LambdaContext):
    """What Lambda tells an invocation of itself."""

    def __init__(self) -> None:
        self._function_name = "consumer"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:consumer"
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def context() -> LambdaContext:
    """An invocation's context."""
    return Context()


def batch(*events: dict[str, Any]) -> dict[str, Any]:
    """A batch of the queue, as Lambda hands it over.

    Args:
        events: complete EventBridge events.

    Raises:
        ContractViolation: one of them is not what its producer may send, so nothing can be learnt from feeding it.
    """
    for event in events:
        validate(event)
    return raw(*(json.dumps(event) for event in events))


def raw(*bodies: str) -> dict[str, Any]:
    """A batch of whatever may lie in a queue: for tests of what a consumer does with what it cannot read.

    Args:
        bodies: of the messages, in order; message ids count them.
    """
    return {
        "Records": [
            {"messageId": f"message-{number}", "body": body, "eventSource": "aws:sqs", "attributes": {}}
            for number, body in enumerate(bodies)
        ]
    }
