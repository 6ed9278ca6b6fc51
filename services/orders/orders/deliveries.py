"""The deliveries table: where orders go, and what the kitchen should know. Nothing else knows its keys.

This is what an order has that is personal. It lies by itself, so that no workflow can read it and forgetting it is one
delete; and it is forgotten by itself (docs/decisions/deliveries-by-themselves.md).
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from tiffin.dynamodb import Row

from orders.model import PERSONAL, Order
from orders.writes import Beside

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


class DeliveryStore:
    """Deliveries by order.

    Args:
        table: the deliveries table.
        keep: how long one is kept from the order's placing on.
    """

    def __init__(self, table: "Table", keep: timedelta) -> None:
        self._table, self._keep = table, keep

    def addition(self, order: Order) -> Beside:
        """The write that keeps a new order's delivery and note, to be made in one transaction with the order."""
        item = order.model_dump(mode="json", include={"order_id", *PERSONAL})
        # The table's TTL attribute: seconds since 1970.
        item["expires_at"] = int((order.placed_at + self._keep).timestamp())
        return Beside({"Put": {"TableName": self._table.name, "Item": item}}, _never)

    def row(self, order_id: str) -> Row:
        """The row of an order's delivery and note, to be read together with the order."""
        return Row(self._table.name, {"order_id": order_id})


def _never(_: object) -> Exception:
    return AssertionError("a write without a condition was refused for it")
