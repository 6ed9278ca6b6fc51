"""The event envelope: the same few facts around every domain event, whoever sends it.

The contracts themselves are the JSON Schemas in `events/schemas/`; the state machines write the same envelope.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from tiffin.ids import OrderId
from tiffin.models import BaseModel
from tiffin.moments import Moment, utc
from tiffin.trace_headers import TraceHeader, new_root, usable

ORDER_ENDS = {
    "OrderDelivered": "DELIVERED",
    "OrderDeclined": "DECLINED",
    "OrderRejected": "REJECTED",
    "OrderCancelled": "CANCELLED",
    "OrderExpired": "EXPIRED",
    "OrderFailed": "FAILED",
}
"""How an order may end: the event that tells of it, and the status in which it then stays."""


class EventMetadata(BaseModel):
    """What is true of every event.

    Attributes:
        event_id: derived from what happened to what (see `names`), so that a retried announcement is recognisably the
            same event.
        event_version: version of the shape of `data`; a breaking change is a new number.
        occurred_at: when it happened, RFC 3339 in UTC.
        order_id: the order that the event belongs to.
        trace_header: X-Ray header of the request that caused it, for links between traces. A hint: missing or
            malformed, it reads as a new root.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    event_id: str = Field(min_length=1, max_length=200)
    event_version: Annotated[int, Field(ge=1)]
    occurred_at: Moment
    order_id: OrderId
    trace_header: TraceHeader = Field(default_factory=new_root)


def event_id(order_id: str, name: str, *parts: str) -> str:
    """Name one happening for good: `ord_…:OrderPlaced`, `ord_…:PromoCodeIssued:WELCOME-7Q2M`.

    Args:
        order_id: the order it belongs to.
        name: the event's name.
        parts: what tells several events of one name within one order apart.
    """
    return ":".join((order_id, name, *parts))


_PART = re.compile(r"[A-Z0-9-]{1,64}")


def names(event_id: str, order_id: str, name: str) -> bool:
    """Whether an event's id is one that `event_id` makes for an order and an event's name, of parts such as a code."""
    return event_id == f"{order_id}:{name}" or (
        event_id.startswith(f"{order_id}:{name}:")
        and all(map(_PART.fullmatch, event_id.removeprefix(f"{order_id}:{name}:").split(":")))
    )


REASON = r"^[a-z][a-z0-9_]{0,63}$"
"""What the name of a reason looks like: that of the rule that gives a promo code."""
MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
"""What `rfc3339` gives."""


def rfc3339(moment: datetime | None = None) -> str:
    """Format a moment (now, if none is given) in UTC as Step Functions does: `2026-01-31T12:00:00.000Z`."""
    moment = utc(moment or datetime.now(UTC))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def detail(
    name: str,
    *,
    order_id: str,
    data: dict[str, Any],
    trace_header: str,
    version: int = 1,
    occurred_at: str | None = None,
    identity: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Build the `Detail` of an event.

    Args:
        name: the event's name, past tense; also its EventBridge `DetailType`.
        order_id: the order it belongs to.
        data: the payload, valid against `events/schemas/<name>.json`.
        trace_header: X-Ray header to carry along; a new root is made if it is none.
        version: version of the payload's shape.
        occurred_at: RFC 3339 moment; now by default.
        identity: further parts of the event id, see `event_id`.

    Returns:
        `{"metadata": {...}, "data": {...}}`, ready for JSON.
    """
    return {
        "metadata": {
            "event_id": event_id(order_id, name, *identity),
            "event_version": version,
            "occurred_at": occurred_at or rfc3339(),
            "order_id": order_id,
            "trace_header": usable(trace_header) or new_root(),
        },
        "data": data,
    }
