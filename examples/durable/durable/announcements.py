"""What is said of an order on the event bus: `events/schemas/Order*.json`."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tiffin.events import detail

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class NotTaken(Exception):
    """The bus did not take an event; it may later."""


class Bus:
    """The event bus.

    Args:
        client: an EventBridge client.
        name: of the bus.
    """

    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client, self._name = client, name

    def tell(self, name: str, order: Mapping[str, Any], occurred_at: str, **more: Any) -> None:
        """Announce something. Told twice, it has the same event id.

        Args:
            name: of the event.
            order: the order; see `orders.workflow.workflow_input`.
            occurred_at: when it happened.
            more: what it says besides what all events of an order do.

        Raises:
            NotTaken: the bus did not take it, which it says with HTTP 200 (EventBridge API reference, PutEvents).
        """
        data = {about: order[about] for about in ("customer_id", "restaurant_id", "total")} | more
        told = detail(
            name, order_id=order["order_id"], data=data, trace_header=order["trace_header"], occurred_at=occurred_at
        )
        answer = self._client.put_events(
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": "tiffin.orders",
                    "DetailType": name,
                    "Detail": json.dumps(told, separators=(",", ":")),
                    "TraceHeader": order["trace_header"],
                }
            ]
        )
        if answer["FailedEntryCount"]:
            raise NotTaken(answer["Entries"][0].get("ErrorCode", ""))


def first_words(order: Mapping[str, Any]) -> dict[str, Any]:
    """What `OrderPlaced` says."""
    return {name: order[name] for name in ("subtotal", "discount", "item_count", "promo_code", "placed_at")}


def last_words(
    order: Mapping[str, Any], status: str, at: str, reason: Mapping[str, str] | None
) -> tuple[str, dict[str, Any]]:
    """The name of the event that tells of an end, and what it says.

    Args:
        order: the order.
        status: the end.
        at: when it ended.
        reason: why; None if it was delivered.
    """
    words: dict[str, Any] = {"promo_code": order["promo_code"]}
    if reason is None:
        words |= {"placed_at": order["placed_at"], "delivered_at": at}
    else:
        words["reason"] = {name: reason[name] for name in ("code", "message", "network") if name in reason}
    if status == "EXPIRED":
        words["deadline_at"] = order["deadline_at"]
    return f"Order{status.capitalize()}", words
