"""Who listens in a stack, by the names of its outputs: so that a new consumer is known without a line here.

| output of the root | says |
|---|---|
| `<Name>DeadLetterQueueUrl` | where what it could not use lies |
| `<Name>QueueUrl`, `<Name>StreamName`, `<Name>FunctionName`, `<Name>FunctionArn` or `<Name>WorkflowArn` | what that goes back to, the first of them that there is; none, where nothing could take it |
| `<Name>RuleArn` | the rule by which a replay reaches it; none, where nothing may be replayed |

tests/contract/test_consumers_listed.py holds the templates to it.
"""  # noqa: E501 - a table's row is a line

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from . import streams
from .deployed import Deployed

DEAD_LETTERS = "DeadLetterQueueUrl"
TARGETS = ("QueueUrl", "StreamName", "FunctionName", "FunctionArn", "WorkflowArn")
RULE = "RuleArn"


@dataclass(frozen=True)
class Consumer:
    """One consumer of a stack.

    Attributes:
        name: what a person types, such as `promo-codes`.
        dead_letters: URL of its dead-letter queue.
        target: the output that says what its letters go back to; empty, if nothing could take them.
        rule: ARN of the rule that a replay reaches it by; empty, if nothing may be replayed.
    """

    name: str
    dead_letters: str
    target: str = ""
    rule: str = ""

    @classmethod
    def all(cls, outputs: Mapping[str, str]) -> dict[str, Self]:
        """Those of a stack, by their names, from its outputs."""
        found = {}
        for output in sorted(name for name in outputs if name.endswith(DEAD_LETTERS)):
            prefix = output.removesuffix(DEAD_LETTERS)
            name = re.sub(r"(?<!^)(?=[A-Z])", "-", prefix).lower()
            target = next((prefix + kind for kind in TARGETS if prefix + kind in outputs), "")
            found[name] = cls(name, outputs[output], target, outputs.get(prefix + RULE, ""))
        return found

    def send(self, stack: Deployed, body: str, name: str) -> None:
        """Give it an event, as its rule or its queue would.

        Args:
            stack: where it is.
            body: the whole event.
            name: of a new execution, if that is what an event becomes; no two are called the same.
        """
        target = stack.outputs[self.target]
        if self.target.endswith("StreamName"):
            streams.put(stack, target, body)
        elif self.target.endswith("QueueUrl"):
            stack.client("sqs").send_message(QueueUrl=target, MessageBody=body)
        elif self.target.endswith("WorkflowArn"):
            named = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:80]
            stack.client("stepfunctions").start_execution(stateMachineArn=target, name=named, input=body)
        else:
            # As the rule calls it: Lambda tries again, and what fails comes back as a dead letter.
            stack.client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=body.encode())
