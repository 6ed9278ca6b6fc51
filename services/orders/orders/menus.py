"""The menus table. Nothing else knows its keys."""

from typing import TYPE_CHECKING, Any, ClassVar

from tiffin.dynamodb import plain
from tiffin.ids import SLUG

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
        """A restaurant with its menu, or None."""
        item = self._table.get_item(Key={"restaurant_id": restaurant_id}).get("Item")
        return Restaurant.model_validate(plain(item)) if item else None

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
        found = [RestaurantSummary.model_validate(plain(item)) for item in page["Items"]]
        return sorted(found, key=lambda r: r.restaurant_id), page.get("LastEvaluatedKey")
