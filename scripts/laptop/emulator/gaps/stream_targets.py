"""A rule puts its events into a Kinesis stream, each under the key that its target names.

Source: EventBridge API reference, Target, KinesisParameters; EventBridge user guide, "Amazon EventBridge targets":
`PartitionKeyPath` is a path into the event, and without one the key is the event's id. MiniStack knows no such target.
A path that leads to no text is a failed invocation here; AWS does not say what it does with one.
"""

import json
import threading
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import eventbridge, kinesis

# A sequence number is drawn before the record is put in: numbers of two at once would lie in the other order.
_one_at_a_time = threading.Lock()


def fill() -> None:
    """Deliver to streams, and leave all other targets to MiniStack."""
    invoke = eventbridge._invoke_target

    def invoke_target(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None) -> Any:
        try:
            spec = parse_arn(target.get("Arn", ""))
        except ArnParseError:
            return invoke(target, event, rule, view)
        if spec.service != "kinesis":
            return invoke(target, event, rule, view)
        _put(target, (view or eventbridge._pattern_event_view(event)).event_with_detail(), rule)
        return None

    eventbridge._invoke_target = invoke_target


def _put(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any]) -> None:
    key = _found(event, (target.get("KinesisParameters") or {}).get("PartitionKeyPath") or "$.id")
    with _one_at_a_time:
        taken = isinstance(key, str) and kinesis.put_record_internal(target["Arn"], key, json.dumps(event).encode())
    if not taken:
        eventbridge.logger.error("FailedInvocations: rule %s into %s by key %s", rule.get("Name"), target["Arn"], key)


def _found(event: Any, path: str) -> Any:
    for part in path.removeprefix("$.").split("."):
        event = event.get(part) if isinstance(event, dict) else None
    return event
