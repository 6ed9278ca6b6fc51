"""The table of who an order is from. Nothing else knows its keys.

That an order waits for its restaurant follows from a payment's event, and payments know no restaurants. So it is kept
from when the order was placed until it must have ended.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from live.model import OPEN

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


class Parties:
    """From which restaurant an order is.

    Args:
        table: the parties table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def remember(self, order_id: str, restaurant_id: str, placed_at: datetime) -> None:
        """Keep it. Told twice, it is the same."""
        until = int((placed_at + OPEN).timestamp())
        self._table.put_item(Item={"order_id": order_id, "restaurant_id": restaurant_id, "expires_at": until})

    def restaurant_of(self, order_id: str) -> str | None:
        """From whom an order is; None if that was not heard yet: who hears it then is told then."""
        found: Any = self._table.get_item(Key={"order_id": order_id}, ConsistentRead=True)
        return found["Item"]["restaurant_id"] if "Item" in found else None
