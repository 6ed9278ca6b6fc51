"""The tables as an order's execution writes them: what the state machines of the order service do, in Python.

Each write may be made again, and then changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from orders.customers import KEPT
from tiffin.dynamodb import condition_failed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# In which status an order is before another one. What is no end waits for somebody.
BEFORE = {
    "AWAITING_RESTAURANT": ["PLACED"],
    "PREPARING": ["AWAITING_RESTAURANT"],
    "OUT_FOR_DELIVERY": ["PREPARING"],
    "DELIVERED": ["OUT_FOR_DELIVERY"],
    "DECLINED": ["PLACED"],
    "REJECTED": ["AWAITING_RESTAURANT"],
    "CANCELLED": ["PLACED", "AWAITING_RESTAURANT"],
}
OPEN = ["PLACED", "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY"]
PAYMENT_AT_END = {"DELIVERED": "CAPTURED", "DECLINED": "DECLINED"}
_ENTER = "SET #status = :entered, timeline.#entered = if_not_exists(timeline.#entered, :now), updated_at = :now"
_LEAVE = ", expires_at = if_not_exists(expires_at, :until) REMOVE #order"


class OrderRecords:
    """Orders and their customers' counts.

    Args:
        orders: the orders table.
        customers: name of the customers table.
    """

    def __init__(self, orders: "Table", customers: str) -> None:
        self._orders, self._customers = orders, customers

    def enter(
        self, order: Mapping[str, Any], status: str, callback_id: str, now: str, network: str | None
    ) -> dict[str, str] | None:
        """Let an order wait: status and callback in one write, so that whoever sees the one can use the other.

        Args:
            order: the order.
            status: in which it waits.
            callback_id: by which it is told of a move.
            now: the moment.
            network: the card's, if its payment was authorized just now.

        Returns:
            None; or the customer's claim, if the order was cancelled before it came to this.

        Raises:
            ClientError: by a condition that failed, if somebody ended it.
        """
        authorized = {":payment": {"status": "AUTHORIZED", "network": network}} if network else {}
        try:
            self._enter(
                order["order_id"],
                status,
                now,
                ", task_token = :token, check_at = if_not_exists(claims.#entered.#at, :check)"
                + (", payment = :payment" if authorized else ""),
                {":token": callback_id, ":check": order["overdue_at"]} | authorized,
                {"#at": "at"},
                " AND attribute_not_exists(claims.PLACED)" if status == "AWAITING_RESTAURANT" else "",
            )
        except ClientError as error:
            claim = self._claim(order["order_id"], "PLACED") if condition_failed(error) else None
            if not claim:
                raise
            return claim
        return None

    def claim_silence(self, order_id: str, now: str) -> dict[str, str]:
        """Take a restaurant's silence for its answer, by a claim like a person's, unless somebody was first.

        Returns:
            The claim that stands.
        """
        claim = {"move": "silence", "at": now}
        try:
            self._orders.update_item(
                Key={"order_id": order_id},
                UpdateExpression="SET claims.AWAITING_RESTAURANT = :claim",
                ConditionExpression="#status = :status AND attribute_not_exists(claims.AWAITING_RESTAURANT)",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":status": "AWAITING_RESTAURANT", ":claim": claim},
            )
        except ClientError as error:
            found = self._claim(order_id, "AWAITING_RESTAURANT") if condition_failed(error) else None
            if not found:
                raise
            return found
        return claim

    def end(self, order_id: str, status: str, now: str, reason: Mapping[str, str] | None) -> str:
        """Record how an order ended.

        Args:
            order_id: the order.
            status: the end.
            now: the moment.
            reason: why; None if it was delivered.

        Returns:
            When it did: `now`, or what was recorded before.
        """
        return self._enter(order_id, status, now, *_ends(PAYMENT_AT_END.get(status, "RELEASED"), reason))

    def unwound(
        self, order_id: str, status: str, now: str, payment_status: str, reason: Mapping[str, str] | None
    ) -> None:
        """Record how an order ended that died.

        Raises:
            ClientError: by a condition that failed, if another end was recorded meanwhile.
        """
        self._enter(order_id, status, now, *_ends(payment_status, reason), before=OPEN)

    def begin_unwind(self, order_id: str, check_at: str) -> bool:
        """Have the reconciler look again, should the unwind fail; whether anything is owed to the order at all."""
        try:
            self._orders.update_item(
                Key={"order_id": order_id},
                UpdateExpression="SET check_at = :check",
                ConditionExpression="attribute_exists(open_shard)",
                ExpressionAttributeValues={":check": check_at},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def close(self, order: Mapping[str, Any], *, declined: bool) -> None:
        """Last of all: nothing is owed to the order any more, and it takes up no place of its customer's.

        Args:
            order: the order.
            declined: whether its card was, which counts in the hour in which it was placed.
        """
        until = int(datetime.fromisoformat(order["placed_at"]).timestamp() + KEPT.total_seconds())
        counts = {"#order": order["order_id"]}
        values = {":none": 0, ":until": until}
        customer = {
            "TableName": self._customers,
            "ExpressionAttributeNames": counts,
            "ExpressionAttributeValues": values,
        }
        writes: list[Any] = [
            {
                "TableName": self._orders.name,
                "Key": {"order_id": order["order_id"]},
                "UpdateExpression": "REMOVE open_shard, check_at",
                "ConditionExpression": "attribute_exists(order_id)",
            },
            customer
            | {
                "Key": {"customer_id": order["customer_id"], "record": "open"},
                "UpdateExpression": f"SET orders = if_not_exists(orders, :none) - if_not_exists(#order, :none){_LEAVE}",
            },
        ]
        if declined:
            writes.append(
                customer
                | {
                    "Key": {"customer_id": order["customer_id"], "record": f"hour#{order['placed_at'][:13]}"},
                    "UpdateExpression": (
                        f"SET declines = if_not_exists(declines, :none) + if_not_exists(#order, :none){_LEAVE}"
                    ),
                }
            )
        self._orders.meta.client.transact_write_items(TransactItems=[{"Update": write} for write in writes])

    def _claim(self, order_id: str, status: str) -> dict[str, str]:
        item: Any = self._orders.get_item(Key={"order_id": order_id}, ConsistentRead=True)["Item"]
        claim = item["claims"].get(status, {})
        # Not who made it: that is nothing to the execution, and would stand in its history.
        return {name: value for name, value in claim.items() if name != "by"}

    def _enter(
        self,
        order_id: str,
        status: str,
        now: str,
        further: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
        condition: str = "",
        before: list[str] | None = None,
    ) -> str:
        known = {f":before{n}": each for n, each in enumerate(before or [*BEFORE[status], status])}
        answer: Any = self._orders.update_item(
            Key={"order_id": order_id},
            UpdateExpression=_ENTER + further,
            ConditionExpression=f"#status IN ({', '.join(known)}){condition}",
            ExpressionAttributeNames={"#status": "status", "#entered": status} | (names or {}),
            ExpressionAttributeValues={":entered": status, ":now": now} | values | known,
            ReturnValues="ALL_NEW",
        )
        return str(answer["Attributes"]["timeline"][status])


def _ends(payment_status: str, reason: Mapping[str, str] | None) -> tuple[str, dict[str, Any]]:
    """What an end writes besides the status; `summary` is the answer to "why?" in one glance."""
    values: dict[str, Any] = {":payment": payment_status}
    if reason is None:
        return ", payment.#status = :payment REMOVE task_token", values
    summary = f"{reason['network']}: {reason['code']}" if "network" in reason else reason["code"]
    values[":reason"] = {**reason, "summary": summary}
    return ", payment.#status = :payment, reason = :reason REMOVE task_token", values
