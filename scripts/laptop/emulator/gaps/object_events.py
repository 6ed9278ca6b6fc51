"""An event of an object names the version of the object that it is about.

Source: S3 user guide, "EventBridge event message structure": `detail.object.version-id`, for a bucket with versions.
MiniStack names it in S3's own notifications only: who hears of an object by EventBridge cannot tell which version was
meant.
"""

import json
from contextvars import ContextVar
from typing import Any

from ministack.services import eventbridge, s3

_version: ContextVar[str | None] = ContextVar("version", default=None)


def fill() -> None:
    """Remember the version while an object's event is made, and write it into what EventBridge is handed."""
    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event

    def fire_s3_event(*arguments: Any, **more: Any) -> Any:
        token = _version.set(more.get("version_id"))
        try:
            return fire(*arguments, **more)
        finally:
            _version.reset(token)

    def dispatch_event(event: dict[str, Any], *rest: Any, **more: Any) -> Any:
        if event.get("Source") == "aws.s3" and (version := _version.get()):
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, *rest, **more)

    s3._fire_s3_event, eventbridge._dispatch_event = fire_s3_event, dispatch_event
