"""The menus table. Nothing else knows its keys."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError
from tiffin.dynamodb import condition_failed, plain
from tiffin.ids import SLUG
from tiffin.stored import UnreadableRow, read

from orders.model import Restaurant, RestaurantSummary

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from orders.menu_rules import Menu

# All restaurants are in one partition of the index that lists them. It answers 3,000 read units a second (DynamoDB
# developer guide, "Best practices for designing and using partition keys"): some two thousand pages of fifty.
LISTED = "restaurant"


class MenuStore:
    """Restaurants with their menus, one item each.

    Args:
        table: the menus table.
    """

    POSITION: ClassVar = {"listed": f"^{LISTED}$", "restaurant_id": SLUG}
    """What a position in the list consists of."""

    def __init__(self, table: "Table") -> None:
        self._table = table

    def get(self, restaurant_id: str, *, latest: bool = False) -> Restaurant | None:
        """A restaurant with its menu, or None.

        Args:
            restaurant_id: which.
            latest: whether a menu that came in a moment ago must be seen: an order is priced by it.

        Raises:
            UnreadableRow: it has one, by which nothing could be sold.
        """
        item = self._table.get_item(Key={"restaurant_id": restaurant_id}, ConsistentRead=latest).get("Item")
        if not item:
            return None
        row = plain(item) | {"version": item.get("menu_version")}
        return read(Restaurant, row, kind="restaurant", row_id=restaurant_id)

    def list(self, limit: int, start: dict[str, Any] | None) -> tuple[list[RestaurantSummary], dict[str, Any] | None]:
        """A page of restaurants without their menus, by their ids, and the position to go on from."""
        query: dict[str, Any] = {
            "IndexName": "restaurants",
            "KeyConditionExpression": "listed = :all",
            "ExpressionAttributeValues": {":all": LISTED},
            "Limit": limit,
        }
        if start:
            query["ExclusiveStartKey"] = start
        page = self._table.query(**query)
        found = list[RestaurantSummary]()
        for item in page["Items"]:
            # One that a person must look at hides none of the others.
            with suppress(UnreadableRow):
                row_id = str(item["restaurant_id"])
                found.append(read(RestaurantSummary, plain(item), kind="restaurant", row_id=row_id))
        return found, page.get("LastEvaluatedKey")

    def replace(self, menu: "Menu", order: str, file_version: str) -> bool:
        """Let a menu take effect, whole, in one write, unless one that was put there later has.

        Args:
            menu: the menu.
            order: of its file: see `tiffin.sequencers.in_order`.
            file_version: S3's id of the version of the file, by which a person finds it.

        Returns:
            Whether it took effect by this call.
        """
        item = menu.model_dump() | {
            "menu_version": menu.version,
            "file_order": order,
            "file_version": file_version,
            "listed": LISTED,
        }
        try:
            self._table.put_item(
                Item=item,
                # A row of before there were files has none.
                ConditionExpression="attribute_not_exists(file_order) OR file_order < :order",
                ExpressionAttributeValues={":order": order},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True
