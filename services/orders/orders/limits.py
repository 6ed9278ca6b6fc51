"""How much one customer may ask for, and what reaches it. Pure; `orders.customers` counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Limit(StrEnum):
    """What there can be too much of."""

    OPEN_ORDERS = "open-orders"
    ORDERS = "orders"
    DECLINES = "declines"
    CODES = "codes"
    AT_ONCE = "at-once"


class LimitReached(Exception):
    """A customer asked for too much.

    Attributes:
        limit: of what.
        retry_after: seconds until it may be asked for again; None if that depends on the customer's own orders.
        open_orders: ids of the orders that take up the customer's places, if it is their number.
    """

    def __init__(self, limit: Limit, retry_after: int | None = None, open_orders: frozenset[str] = frozenset()) -> None:
        super().__init__(f"Limit reached: {limit}.")
        self.limit, self.retry_after, self.open_orders = limit, retry_after, open_orders


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything there may be.

    Attributes:
        open_orders: orders to which something is still owed.
        orders: orders placed in one hour of the clock.
        declines: of them, those whose payment was declined.
        refused_codes: promo codes in one hour that the customer does not have.
    """

    open_orders: int
    orders: int
    declines: int
    refused_codes: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Limits":
        """The limits that the template's parameters set."""
        return cls(
            open_orders=int(environment["MAX_OPEN_ORDERS"]),
            orders=int(environment["MAX_ORDERS_PER_HOUR"]),
            declines=int(environment["MAX_DECLINES_PER_HOUR"]),
            refused_codes=int(environment["MAX_REFUSED_CODES_PER_HOUR"]),
        )

    def reached_in_hour(self, row: Mapping[str, Any], *, with_code: bool) -> Limit | None:
        """The limit that an hour's row has reached, the gravest first.

        Args:
            row: the hour's, as the table has it; empty if there is none.
            with_code: whether a promo code is to be looked at.
        """
        if row.get("declines", 0) >= self.declines:
            return Limit.DECLINES
        if with_code and self.reached_by_codes(row):
            return Limit.CODES
        return Limit.ORDERS if row.get("orders", 0) >= self.orders else None

    def reached_by_codes(self, row: Mapping[str, Any]) -> Limit | None:
        """Whether an hour's row has reached the limit of promo codes, whatever else it has reached."""
        return Limit.CODES if row.get("refused_codes", 0) >= self.refused_codes else None

    def reached_by_open(self, row: Mapping[str, Any]) -> Limit | None:
        """Whether a customer's row of open orders has reached its limit."""
        return Limit.OPEN_ORDERS if row.get("orders", 0) >= self.open_orders else None
