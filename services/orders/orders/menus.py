"""The menus table. Nothing else knows its keys."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from tiffin.dynamodb import plain
from tiffin.ids import SLUG
from tiffin.stored import UnreadableRow, read

from orders.model import Restaurant, RestaurantSummary

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


class MenuStore:
    """Restaurants with their menus, one item each.

    Args:
        table: the menus table.
    """

    POSITION: ClassVar = {"restaurant_id": SLUG}
    """What a position in the list consists of."""

    def __init__(self, table: "Table") -> None:
        self._table = table

    def get(self, restaurant_id: str) -> Restaurant | None:
        """A restaurant with its menu, or None.

        Raises:
            UnreadableRow: it has one, by which nothing could be sold.
        """
        item = self._table.get_item(Key={"restaurant_id": restaurant_id}).get("Item")
        return read(Restaurant, plain(item), kind="restaurant", row_id=restaurant_id) if item else None

    def list(self, limit: int, start: dict[str, Any] | None) -> tuple[list[RestaurantSummary], dict[str, Any] | None]:
        """A page of restaurants without their menus, and the position to go on from."""
        scan: dict[str, Any] = {
            "ProjectionExpression": "restaurant_id, #n, cuisine, currency, delivery_fee",
            "ExpressionAttributeNames": {"#n": "name"},
            "Limit": limit,
        }
        if start:
            scan["ExclusiveStartKey"] = start
        page = self._table.scan(**scan)
        found = list[RestaurantSummary]()
        for item in page["Items"]:
            # One that a person must look at hides none of the others.
            with suppress(UnreadableRow):
                row_id = str(item["restaurant_id"])
                found.append(read(RestaurantSummary, plain(item), kind="restaurant", row_id=row_id))
        return sorted(found, key=lambda r: r.restaurant_id), page.get("LastEvaluatedKey")
