"""Queues in a hurry: nobody waits for the minutes after which a message that failed comes again."""

import json
import math
from collections.abc import Callable
from typing import Any


def hurry(sqs: Any, url: str, seconds: float) -> Callable[[], None]:
    """Let a message that failed come again sooner than a queue's template says, and be given up no sooner.

    Who breaks a consumer mends it after a while that is longer on a busy machine, and longer still on one that becomes
    busy meanwhile. Given up after as many receives as before, the message might lie in the dead-letter queue by then,
    which by the template it would not for many minutes.

    Args:
        sqs: a client of SQS.
        url: the queue's; it has a dead-letter queue.
        seconds: after which a message comes again; SQS knows whole ones.

    Returns:
        What makes the queue as it was.
    """
    names = ["VisibilityTimeout", "RedrivePolicy"]
    were = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    again, redrive = math.ceil(seconds), json.loads(were["RedrivePolicy"])
    given_up = int(were["VisibilityTimeout"]) * int(redrive["maxReceiveCount"])
    redrive["maxReceiveCount"] = math.ceil(given_up / again)
    hurried = {"VisibilityTimeout": str(again), "RedrivePolicy": json.dumps(redrive)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=hurried)
    return lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=were)
