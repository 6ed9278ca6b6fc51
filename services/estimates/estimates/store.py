"""The estimates table. Nothing else knows its keys."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import ConfigDict
from tiffin.dynamodb import condition_failed, plain
from tiffin.events import rfc3339
from tiffin.ids import OrderId
from tiffin.models import BaseModel
from tiffin.roles import Caller
from tiffin.stored import read

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

REMEMBERED = timedelta(days=7)
"""From the order's acceptance. By then nobody asks when the food will come."""


class Estimate(BaseModel):
    """What was predicted for one order.

    Attributes:
        order_id: the order.
        customer_id: who ordered; None in a row of before that was kept.
        restaurant_id: from whom; None likewise.
        minutes: from accepted to handed over.
        accepted_at: when the restaurant accepted it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    order_id: OrderId
    customer_id: str | None = None
    restaurant_id: str | None = None
    minutes: int
    accepted_at: datetime

    @property
    def expected_at(self) -> datetime:
        """When the order is likely to arrive."""
        return self.accepted_at + timedelta(minutes=self.minutes)


class EstimateStore:
    """Estimates, an item for each order. The first one stays: an event that comes twice changes nothing.

    Args:
        table: the estimates table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def keep(self, estimate: Estimate) -> bool:
        """Keep an estimate, unless the order has one.

        Returns:
            Whether it was kept.
        """
        item: dict[str, Any] = {
            "order_id": estimate.order_id,
            "customer_id": estimate.customer_id,
            "restaurant_id": estimate.restaurant_id,
            "minutes": estimate.minutes,
            "accepted_at": rfc3339(estimate.accepted_at),
            "expires_at": int((estimate.accepted_at + REMEMBERED).timestamp()),
        }
        try:
            self._table.put_item(Item=item, ConditionExpression="attribute_not_exists(order_id)")
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def get_for(self, caller: Caller, order_id: str) -> Estimate | None:
        """An order's estimate, or None; and None too where it is not the caller's to see.

        Raises:
            UnreadableRow: there is one that cannot be read, and is theirs.
        """
        item = self._table.get_item(Key={"order_id": order_id}).get("Item")
        row = plain(item) if item else {}
        # Judged before anything else of it: not even by a row that cannot be read is it told that there is one.
        if not row or not caller.is_party_to(row.get("customer_id"), row.get("restaurant_id")):
            return None
        return read(Estimate, row, kind="estimate", row_id=order_id)
