"""The orders table, as the steps write it. Each write is conditional: a step that comes late or twice changes nothing.

What a customer may see or claim of it is written by the orders service's own code (`orders.store`).
"""

import random
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from orders.customers import KEPT
from orders.model import OrderStatus, Reason
from orders.store import OrderStore, StoredOrder
from tiffin.dynamodb import CONDITION_FAILED, CONFLICT, condition_failed, refusals
from tiffin.events import rfc3339
from tiffin.stored import read
from tiffin.unmendable import Unmendable

from choreographed.rules import SILENCE, End, Life

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# From which status an order may enter another.
BEFORE = {
    OrderStatus.AWAITING_RESTAURANT: OrderStatus.PLACED,
    OrderStatus.PREPARING: OrderStatus.AWAITING_RESTAURANT,
    OrderStatus.OUT_FOR_DELIVERY: OrderStatus.PREPARING,
    OrderStatus.DELIVERED: OrderStatus.OUT_FOR_DELIVERY,
    OrderStatus.DECLINED: OrderStatus.PLACED,
}
# How soon what was asked of payments is asked again, if nothing has come of it.
ASK_AGAIN = timedelta(minutes=5)
ATTEMPTS = 5


class NoSuchOrder(Unmendable):
    """An event is about an order that is not there."""


def life_of(item: Mapping[str, Any]) -> Life:
    """An order as its row has it."""
    stored = StoredOrder(dict(item))
    undoing = item.get("undoing")
    end = undoing and End(
        OrderStatus(undoing["status"]),
        read(Reason, undoing["reason"], kind="reason", row_id=stored.order.order_id),
    )
    return Life(stored.order, stored.claims, end, stored.trace_header)


class Rows:
    """Orders, step by step.

    Args:
        table: the orders table.
        customers: name of the customers table.
    """

    def __init__(self, table: "Table", customers: str = "") -> None:
        self._table, self._customers = table, customers

    def life(self, order_id: str) -> Life:
        """Read an order, consistently.

        Raises:
            NoSuchOrder: there is none.
        """
        item = self._table.get_item(Key={"order_id": order_id}, ConsistentRead=True).get("Item")
        if item is None:
            raise NoSuchOrder(order_id)
        return life_of(item)

    def due(self, now: datetime) -> Iterator[str]:
        """Ids of all open orders that somebody should look at by now."""
        return OrderStore(self._table).due(now)

    def enter(self, order_id: str, status: OrderStatus, now: datetime, network: str | None = None) -> bool:
        """Take a turn: let an order enter a status that is no end, unless it is being undone.

        Args:
            order_id: the order.
            status: to enter, from the one before it.
            now: the moment, aware.
            network: of the card, once it is authorized.

        Returns:
            Whether it entered it by this call.
        """
        waits = status is OrderStatus.AWAITING_RESTAURANT
        payment = {":payment": {"status": "AUTHORIZED", "network": network}} if network else {}
        check = "check_at = :check" if waits else "check_at = deadline_at"
        return self._written(
            order_id,
            f"SET #s = :status, timeline.#status = :now, updated_at = :now, {check}"
            + (", payment = :payment" if network else ""),
            # A cancel that was claimed before the card was authorized was first.
            "#s = :before AND attribute_not_exists(undoing)" + (" AND attribute_not_exists(claims.PLACED)" * waits),
            {
                ":status": status.value,
                ":before": BEFORE[status].value,
                ":now": rfc3339(now),
                **payment,
                **({":check": rfc3339(now + SILENCE)} if waits else {}),
            },
            {"#s": "status", "#status": status.value},
        )

    def undo(self, order_id: str, end: End, now: datetime, silent: bool = False) -> bool:
        """Decide how an order ends. It has not ended before its money is let go: see `finish`.

        Args:
            order_id: the order.
            end: how.
            now: the moment, aware.
            silent: whether nobody has answered, which must hold still: silence claims the order as a person does.

        Returns:
            Whether it was decided by this call.
        """
        values: dict[str, Any] = {
            ":end": {"status": end.status.value, "reason": _reason(end)},
            ":check": rfc3339(now + ASK_AGAIN),
        }
        update, condition = "SET undoing = :end, check_at = :check", "attribute_exists(open_shard)"
        if silent:
            update += ", claims.AWAITING_RESTAURANT = :claim"
            condition += " AND attribute_not_exists(claims.AWAITING_RESTAURANT)"
            values[":claim"] = {"move": "silence", "at": rfc3339(now)}
        return self._written(order_id, update, f"{condition} AND attribute_not_exists(undoing)", values)

    def finish(self, life: Life, end: End, payment: str, now: datetime) -> bool:
        """Record an order's end, give its place back to its customer, and count a decline: all, or nothing.

        Args:
            life: the order.
            end: how it ended.
            payment: what became of its payment.
            now: the moment, aware.

        Returns:
            Whether it ended by this call.
        """
        order, was = life.order, BEFORE.get(end.status)
        reason = {":reason": _reason(end)} if end.reason else {}
        values = {":end": end.status.value, ":now": rfc3339(now), ":payment": payment, **reason}
        ended = {
            "TableName": self._table.name,
            "Key": {"order_id": order.order_id},
            "UpdateExpression": "SET #s = :end, timeline.#end = :now, updated_at = :now, payment.#s = :payment"
            + (", reason = :reason" if reason else "")
            + " REMOVE undoing, open_shard, check_at",
            "ConditionExpression": "attribute_exists(open_shard)" + (" AND #s = :before" if was else ""),
            "ExpressionAttributeNames": {"#s": "status", "#end": end.status.value},
            "ExpressionAttributeValues": values | ({":before": was.value} if was else {}),
        }
        writes = [{"Update": ended}, self._left(life, "open", "orders", "-")]
        if payment == "DECLINED":
            writes.append(self._left(life, f"hour#{rfc3339(order.placed_at)[:13]}", "declines", "+"))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._table.meta.client.transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
            except ClientError as error:
                why = refusals(error)
                if why[0] == CONDITION_FAILED:
                    return False
                # Another order of the same customer's, at the same moment.
                if CONFLICT not in why or attempt == ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter
                continue
            break
        return True

    def look_again(self, order_id: str, at: datetime) -> None:
        """Set when somebody looks at an open order next."""
        self._written(order_id, "SET check_at = :at", "attribute_exists(open_shard)", {":at": rfc3339(at)})

    def _left(self, life: Life, record: str, counted: str, sign: str) -> dict[str, Any]:
        """A customer's row without an order: see `orders.customers` for what it counts."""
        return {
            "Update": {
                "TableName": self._customers,
                "Key": {"customer_id": life.order.customer_id, "record": record},
                "UpdateExpression": f"SET {counted} = if_not_exists({counted}, :none) {sign} "
                "if_not_exists(#order, :none), expires_at = if_not_exists(expires_at, :until) REMOVE #order",
                "ExpressionAttributeNames": {"#order": life.order.order_id},
                "ExpressionAttributeValues": {":none": 0, ":until": int((life.order.placed_at + KEPT).timestamp())},
            }
        }

    def _written(
        self, order_id: str, update: str, condition: str, values: dict[str, Any], names: dict[str, str] | None = None
    ) -> bool:
        more: Any = {"ExpressionAttributeNames": names} if names else {}
        try:
            self._table.update_item(
                Key={"order_id": order_id},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                **more,
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True


def _reason(end: End) -> dict[str, Any]:
    return end.reason.model_dump(exclude_none=True) if end.reason else {}
