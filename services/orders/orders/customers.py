"""The customers table, which counts what each customer asked for. Only the workflows know its keys too: they give back.

What counts is decided in the order's own transaction, by the conditions of the writes below; so two orders never share
the last place. Rows hold numbers alone, as the workflows write them too (docs/decisions/limits-by-numbers.md).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tiffin.dynamodb import Row, condition_failed, read_rows

from orders.limits import Limit, LimitReached, Limits
from orders.writes import Beside

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# How long a row is kept after its last order was placed, as the workflows say too: longer than an order can be open.
KEPT = timedelta(hours=25)


class CustomerStore:
    """What each customer has open, and did in each hour.

    Args:
        table: the customers table.
        limits: how much there may be.
    """

    # A place is an attribute named by its order, with the value 1, and is counted in `orders`: taking it away takes off
    # the count what the attribute holds, which is nothing the second time.
    # In an hour's row the attribute says that the order was not declined, and a decline takes it away to count it.
    _TAKE = "SET orders = if_not_exists(orders, :none) + :one, #order = :one, expires_at = :expires_at"
    _GIVE_BACK = "SET orders = if_not_exists(orders, :none) - if_not_exists(#order, :none) REMOVE #order"

    def __init__(self, table: "Table", limits: Limits) -> None:
        self._table, self._limits = table, limits

    def rows(self, customer_id: str, now: datetime) -> list[Row]:
        """The rows of what a customer has open, and did in this hour, to be read together with others."""
        return [Row(self._table.name, _open(customer_id)), self.row_of_hour(customer_id, now)]

    def row_of_hour(self, customer_id: str, now: datetime) -> Row:
        """The row of what a customer did in this hour, to be read together with others."""
        return Row(self._table.name, _hour(customer_id, now))

    def must_allow(self, has_open: Mapping[str, Any] | None, hour: Mapping[str, Any] | None, now: datetime) -> None:
        """Refuse to look at a promo code once a limit is reached; the order's own transaction judges again.

        Args:
            has_open: what `rows` are, the first; None if there is none.
            hour: the second, likewise.
            now: the moment, aware.

        Raises:
            LimitReached: one is.
        """
        if reached := self._too_many_open(has_open or {}) or self._too_much_in_hour(hour or {}, now, with_code=True):
            raise reached

    def must_allow_code(self, hour: Mapping[str, Any] | None, now: datetime) -> None:
        """Refuse to look at a promo code of which no order is placed.

        Args:
            hour: what `row_of_hour` is; None if there is none.
            now: the moment, aware.

        Raises:
            LimitReached: too many were tried in vain.
        """
        if limit := self._limits.reached_by_codes(hour or {}):
            raise LimitReached(limit, _rest_of_hour(now))

    def must_still_allow_code(self, customer_id: str, now: datetime) -> None:
        """Refuse to say that a promo code is right, if by now too many were tried in vain: many may be tried at once.

        For an order its transaction does.

        Raises:
            LimitReached: they were.
        """
        [hour] = read_rows(self._table.meta.client, [self.row_of_hour(customer_id, now)])
        self.must_allow_code(hour, now)

    def places(self, customer_id: str, order_id: str, now: datetime, *, with_code: bool) -> list[Beside]:
        """The writes that take a place for an order and count it, to be made in one transaction with it.

        Args:
            customer_id: whose order it is.
            order_id: the order.
            now: when it is placed, aware.
            with_code: whether it has a promo code.
        """
        table = {"TableName": self._table.name, "ExpressionAttributeNames": {"#order": order_id}}
        names = {":none": 0, ":one": 1, ":expires_at": _expires_at(now)}
        small = {":orders": self._limits.orders, ":declines": self._limits.declines}
        codes = {":refused_codes": self._limits.refused_codes} if with_code else {}
        return [
            Beside(
                {
                    "Update": table
                    | {
                        "Key": _open(customer_id),
                        "UpdateExpression": self._TAKE,
                        "ConditionExpression": _below(":orders"),
                        "ExpressionAttributeValues": names | {":orders": self._limits.open_orders},
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
                lambda row: self._too_many_open(row) or LimitReached(Limit.OPEN_ORDERS),
            ),
            Beside(
                {
                    "Update": table
                    | {
                        "Key": _hour(customer_id, now),
                        "UpdateExpression": self._TAKE,
                        "ConditionExpression": _below(*small, *codes),
                        "ExpressionAttributeValues": names | small | codes,
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
                lambda row: (
                    self._too_much_in_hour(row, now, with_code=with_code)
                    or LimitReached(Limit.ORDERS, _rest_of_hour(now))
                ),
            ),
        ]

    def count_refused_code(self, customer_id: str, now: datetime) -> None:
        """Count a promo code that its customer does not have.

        Raises:
            LimitReached: as many were refused before. Whether this one is right is then not told either.
        """
        try:
            self._table.update_item(
                Key=_hour(customer_id, now),
                UpdateExpression="SET expires_at = :expires_at ADD refused_codes :one",
                ConditionExpression=_below(":refused_codes"),
                ExpressionAttributeValues={
                    ":one": 1,
                    ":expires_at": _expires_at(now),
                    ":refused_codes": self._limits.refused_codes,
                },
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise LimitReached(Limit.CODES, _rest_of_hour(now)) from error

    def give_back(self, customer_id: str, order_ids: Iterable[str]) -> None:
        """Give back the places of orders that ended, once each however often this is called."""
        for order_id in order_ids:
            self._table.update_item(
                Key=_open(customer_id),
                UpdateExpression=self._GIVE_BACK,
                ExpressionAttributeNames={"#order": order_id},
                ExpressionAttributeValues={":none": 0},
            )

    def _too_many_open(self, row: Mapping[str, Any]) -> LimitReached | None:
        limit = self._limits.reached_by_open(row)
        return LimitReached(limit, open_orders=open_orders(row)) if limit else None

    def _too_much_in_hour(self, row: Mapping[str, Any], now: datetime, *, with_code: bool) -> LimitReached | None:
        limit = self._limits.reached_in_hour(row, with_code=with_code)
        return LimitReached(limit, _rest_of_hour(now)) if limit else None


def open_orders(row: Mapping[str, Any]) -> frozenset[str]:
    """Ids of the orders that take up a place in a customer's row of open orders."""
    return frozenset(row) - {"customer_id", "record", "orders", "expires_at"}


def _below(*values: str) -> str:
    """The condition that attributes are below the values that are named like them, or are not there."""
    return " AND ".join(f"(attribute_not_exists({value[1:]}) OR {value[1:]} < {value})" for value in values)


def _open(customer_id: str) -> dict[str, str]:
    return {"customer_id": customer_id, "record": "open"}


def _hour(customer_id: str, now: datetime) -> dict[str, str]:
    return {"customer_id": customer_id, "record": f"hour#{now.astimezone(UTC):%Y-%m-%dT%H}"}


def _end_of_hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _expires_at(now: datetime) -> int:
    return int((now + KEPT).timestamp())


def _rest_of_hour(now: datetime) -> int:
    return ceil((_end_of_hour(now) - now).total_seconds())
