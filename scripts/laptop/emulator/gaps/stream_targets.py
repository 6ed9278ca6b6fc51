"""A rule puts its events into a Kinesis stream, each under the key that its target names.

Source: EventBridge API reference, Target, KinesisParameters; EventBridge user guide, "Amazon EventBridge targets":
`PartitionKeyPath` is a path into the event, and without one the key is the event's id. MiniStack knows no such target.
A path that leads to no text is a failed invocation here; AWS does not say what it does with one.

A stream keeps what it took (Kinesis Data Streams developer guide, "Changing the data retention period"). MiniStack
drops expired records by making a new list of the others, and loses whatever is put into the old one meanwhile.
"""

import json
import threading
import time
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import eventbridge, kinesis

# A sequence number is drawn before the record is put in: numbers of two at once would lie in the other order.
_one_at_a_time = threading.Lock()
_expiring = threading.Lock()


def fill() -> None:
    """Deliver to streams, leave all other targets to MiniStack, and let no record get lost."""
    kinesis._expire_records = _expire
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


def _expire(stream: dict[str, Any]) -> None:
    """Drop what is older than the stream keeps: from the front, in place, as others append at the end."""
    cutoff = time.time() - stream["RetentionPeriodHours"] * 3600
    with _expiring:
        for shard in stream["shards"].values():
            records = shard["records"]
            while records and records[0]["ApproximateArrivalTimestamp"] < cutoff:
                del records[0]


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
