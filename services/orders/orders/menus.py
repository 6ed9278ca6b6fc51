"""The menus table. Nothing else knows its keys."""

from collections import OrderedDict
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError
from tiffin.dynamodb import condition_failed, plain
from tiffin.ids import SLUG
from tiffin.stored import UnreadableRow, read

from orders.model import Restaurant, RestaurantSummary, UnknownRestaurant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from orders.menu_rules import Menu

# All restaurants are in one partition of the index that lists them. It answers 3,000 read units a second (DynamoDB
# developer guide, "Best practices for designing and using partition keys"): some two thousand pages of fifty.
LISTED = "restaurant"
# How old a menu may be by which an order is priced, and how many an execution environment remembers: at ten orders a
# second it meets no more within that time. A menu comes into effect within seconds anyway, by way of an event; and who
# says which menu they saw is sold by no other (docs/decisions/a-menu-is-remembered-for-seconds.md).
OLDEST = timedelta(seconds=10)
MOST = 100


class MenuStore:
    """Restaurants with their menus, one item each. Those that orders were priced by it remembers for a while.

    Args:
        table: the menus table.
    """

    POSITION: ClassVar = {"listed": f"^{LISTED}$", "restaurant_id": SLUG}
    """What a position in the list consists of."""

    def __init__(self, table: "Table") -> None:
        self._table = table
        self._known = OrderedDict[str, tuple[Restaurant, datetime]]()

    def get(self, restaurant_id: str) -> Restaurant:
        """A restaurant with its menu, for somebody who looks: it may be a moment old.

        Raises:
            UnknownRestaurant: there is none.
            UnreadableRow: it has a menu by which nothing could be sold.
        """
        # Whoever was shown another menu than is remembered shall not order by that: the next order looks which is new.
        known = self._known.pop(restaurant_id, None)
        shown = self._read(restaurant_id, latest=False)
        if known and known[0] == shown:
            self._known[restaurant_id] = known
        return shown

    def to_price_by(self, restaurant_id: str, now: datetime) -> tuple[Restaurant, bool]:
        """A restaurant with the menu by which an order may be priced, and whether it was read just now.

        Args:
            restaurant_id: which.
            now: the moment, aware.

        Raises:
            UnknownRestaurant, UnreadableRow: see `get`.
        """
        if restaurant_id in self._known:
            known, read_at = self._known[restaurant_id]
            # A clock may be set back: then nobody knows how old it is.
            if timedelta() <= now - read_at <= OLDEST:
                self._known.move_to_end(restaurant_id)
                return known, False
        return self.as_it_is(restaurant_id, now), True

    def as_it_is(self, restaurant_id: str, now: datetime) -> Restaurant:
        """A restaurant with its menu, be it that it came in a moment ago; remembered from now on.

        Args:
            restaurant_id: which.
            now: the moment, aware.

        Raises:
            UnknownRestaurant, UnreadableRow: see `get`.
        """
        self._known.pop(restaurant_id, None)
        restaurant = self._read(restaurant_id, latest=True)
        self._known[restaurant_id] = restaurant, now
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return restaurant

    def _read(self, restaurant_id: str, *, latest: bool) -> Restaurant:
        item = self._table.get_item(Key={"restaurant_id": restaurant_id}, ConsistentRead=latest).get("Item")
        if not item:
            raise UnknownRestaurant(restaurant_id)
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
