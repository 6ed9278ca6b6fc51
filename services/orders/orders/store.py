"""The orders table. Nothing else in Python knows its keys; the state machines update an order's status and token."""

import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError
from tiffin.dynamodb import CONDITION_FAILED, CONFLICT, condition_failed, plain, refusals
from tiffin.events import MOMENT, rfc3339
from tiffin.ids import CUSTOMER_ID, ORDER_ID
from tiffin.stored import UnreadableRow, read, reading
from tiffin.trace_headers import root_of_order, usable

from orders.commands import PlaceOrder
from orders.model import IllegalMove, Move, Order, OrderStatus, PromoCodeAlreadyUsed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# Open orders are spread over this many partitions of the index that the reconciler reads, so that no partition takes
# every write. Each sweep queries each shard.
OPEN_SHARDS = 8
# The reconciler looks at an order that was just placed, or moved, if nothing happened by then.
FIRST_LOOK = timedelta(minutes=2)
CALLBACK_LOOK = timedelta(minutes=1)
# How often an order is written again that met another transaction on its promo code.
ATTEMPTS = 6


class UnknownOrder(Exception):
    """There is no such order."""


class KeyReused(Exception):
    """The idempotency key was used before, for another body."""


class StoredOrder:
    """An order with the facts that only the machinery needs.

    Attributes:
        order: the order.
        task_token: the callback token of the state that waits, if one does.
        trace_header: of the request that placed it; if none can be used, one that is the same each time.
        claims: moves made, by the status they were made in.
        open: whether anything is still owed to it: an end, or the announcement of its end.
        check_at: when the reconciler should look at it, if it is open.
        repairs: how often the reconciler had to do something for it.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        self.order = _order(item)
        self.task_token: str | None = item.get("task_token")
        self.trace_header = usable(item.get("trace_header")) or root_of_order(self.order.order_id, self.order.placed_at)
        self.claims: dict[str, dict[str, Any]] = item.get("claims", {})
        self.open: bool = "open_shard" in item
        self.check_at: str | None = item.get("check_at")
        self.repairs = int(item.get("repairs", 0))

    @property
    def claim(self) -> dict[str, Any] | None:
        """The move made in the order's present status, if one was."""
        return self.claims.get(self.order.status)

    @property
    def callback(self) -> dict[str, Any]:
        """What to tell the waiting workflow: the move, and the order it is about, lest another take it for its own."""
        return {"order_id": self.order.order_id} | (self.claim or {})


class OrderStore:
    """Orders by id, by customer, and by when the reconciler should look at them.

    Args:
        table: the orders table.
        pause: called with seconds to wait before another attempt.
    """

    POSITION: ClassVar = {"customer_id": CUSTOMER_ID, "placed_at": MOMENT, "order_id": ORDER_ID}
    """What a position in a customer's list consists of."""

    def __init__(self, table: "Table", pause: Callable[[float], None] = time.sleep) -> None:
        self._table, self._pause = table, pause

    def get(self, order_id: str) -> StoredOrder:
        """Read an order, consistently.

        Raises:
            UnknownOrder: there is none.
        """
        item = self._table.get_item(Key={"order_id": order_id}, ConsistentRead=True).get("Item")
        if item is None:
            raise UnknownOrder(order_id)
        return StoredOrder(item)

    def find_repeat(self, order_id: str, request: PlaceOrder) -> StoredOrder | None:
        """The order that this very request made before, if it did.

        Raises:
            KeyReused: the key made an order, but from another body.
        """
        item = self._table.get_item(Key={"order_id": order_id}, ConsistentRead=True).get("Item")
        if item is None:
            return None
        if item.get("request_fingerprint") != request.fingerprint():
            raise KeyReused(order_id)
        return StoredOrder(item)

    def add(
        self, order: Order, request: PlaceOrder, trace_header: str, reservation: dict[str, Any] | None = None
    ) -> StoredOrder:
        """Write a new order, or find that a concurrent twin of this request wrote it first.

        Args:
            order: the order.
            request: what it was made of.
            trace_header: of the request.
            reservation: of the order's promo code, see `PromoCodeStore.reservation`: both are written, or neither.

        Raises:
            KeyReused: the twin had another body.
            PromoCodeAlreadyUsed: another order was faster to take the code. Nothing is written.
        """
        item = _item(order) | {
            "request_fingerprint": request.fingerprint(),
            "trace_header": trace_header,
            "claims": {},
            "open_shard": f"open-{zlib.crc32(order.order_id.encode()) % OPEN_SHARDS}",
            "check_at": rfc3339(order.placed_at + FIRST_LOOK),
        }
        put: dict[str, Any] = {"Item": item, "ConditionExpression": "attribute_not_exists(order_id)"}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if reservation is None:
                    self._table.put_item(**put)
                else:
                    both: list[Any] = [{"Put": {"TableName": self._table.name} | put}, reservation]
                    self._table.meta.client.transact_write_items(TransactItems=both)
                return StoredOrder(item)
            except ClientError as error:
                why = refusals(error)
                # The order first: who repeats a request gets its order, though its code is taken, namely by that order.
                if why[0] == CONDITION_FAILED and (repeat := self.find_repeat(order.order_id, request)):
                    return repeat
                if why[-1] == CONDITION_FAILED:
                    raise PromoCodeAlreadyUsed(order.promo_code) from error
                if CONFLICT not in why or attempt == ATTEMPTS:
                    raise
            self._pause(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter
        raise AssertionError("unreachable")  # pragma: no cover

    def claim(self, order_id: str, move: Move, now: datetime, reason: str | None = None) -> StoredOrder:
        """Claim a move: of all that race to make one, exactly one may.

        Args:
            order_id: the order.
            move: the move.
            now: when it is made, aware.
            reason: why, for a rejection.

        Returns:
            The order, claimed; its `task_token` is the one to call back with.

        Raises:
            UnknownOrder: there is none.
            IllegalMove: see `Order.must_allow`. Nothing changed.
        """
        stored = self.get(order_id)
        # Between reading and claiming the workflow may have gone one status further, where the move may still be legal.
        for _ in OrderStatus:
            stored.order.must_allow(move, now)
            status = stored.order.status.value
            try:
                item = self._table.update_item(
                    Key={"order_id": order_id},
                    UpdateExpression="SET claims.#status = :claim, check_at = :check, updated_at = :now",
                    # It is as it was judged: in this status, and nobody moved it.
                    ConditionExpression="#s = :status AND attribute_not_exists(claims.#status)",
                    ExpressionAttributeNames={"#s": "status", "#status": status},
                    ExpressionAttributeValues={
                        ":status": status,
                        ":claim": {"move": move.value, "at": rfc3339(now)} | ({"reason": reason} if reason else {}),
                        ":check": rfc3339(now + CALLBACK_LOOK),
                        ":now": rfc3339(now),
                    },
                    ReturnValues="ALL_NEW",
                )["Attributes"]
                return StoredOrder(item)
            except ClientError as error:
                if not condition_failed(error):
                    raise
                stored = self.get(order_id)
        raise IllegalMove(order_id, move, stored.order.status)  # pragma: no cover - a status is never entered twice

    def by_customer(
        self, customer_id: str, limit: int, start: dict[str, Any] | None
    ) -> tuple[list[Order], dict[str, Any] | None, int]:
        """A customer's orders, newest first, without what is personal.

        Returns:
            The page; the position to go on from, or None at the end; and how many orders of the page could not be read.
        """
        query: dict[str, Any] = {
            "IndexName": "by-customer",
            "KeyConditionExpression": "customer_id = :c",
            "ExpressionAttributeValues": {":c": customer_id},
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if start:
            query["ExclusiveStartKey"] = start
        page = self._table.query(**query)
        orders = list[Order]()
        for item in page["Items"]:
            # One row that a person must look at hides none of the others.
            with suppress(UnreadableRow):
                orders.append(_order(item).model_copy(update={"delivery": None, "note": None}))
        return orders, page.get("LastEvaluatedKey"), len(page["Items"]) - len(orders)

    def due(self, now: datetime) -> Iterator[str]:
        """Ids of all open orders that the reconciler should look at by now, one from every shard by rotation.

        Args:
            now: the moment, aware.
        """
        for one_of_each in zip_longest(*(self._due(shard, now) for shard in range(OPEN_SHARDS))):
            yield from filter(None, one_of_each)

    def _due(self, shard: int, now: datetime) -> Iterator[str]:
        pages = self._table.meta.client.get_paginator("query").paginate(
            TableName=self._table.name,
            IndexName="open-orders",
            KeyConditionExpression="open_shard = :shard AND check_at <= :now",
            ExpressionAttributeValues={":shard": f"open-{shard}", ":now": rfc3339(now)},
            PaginationConfig={"PageSize": 25},
        )
        return (str(item["order_id"]) for page in pages for item in page["Items"])

    def look_again(self, seen: StoredOrder, at: datetime, repaired: bool) -> int:
        """Set when the reconciler looks at an open order next, and count what it had to repair.

        Args:
            seen: the order as it was read. If nothing was repaired and somebody has set another moment since, say by
                making the next move, theirs stands.
            at: the moment, aware.
            repaired: whether anything was.

        Returns:
            How often the order has been repaired so far; 0 if it is closed by now, or was left to another moment.
        """
        values: dict[str, Any] = {":at": rfc3339(at), ":one": int(repaired)}
        condition = "attribute_exists(open_shard)"
        if not repaired:
            condition += " AND check_at = :seen"
            values[":seen"] = seen.check_at
        try:
            item = self._table.update_item(
                Key={"order_id": seen.order.order_id},
                UpdateExpression="SET check_at = :at ADD repairs :one",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except ClientError as error:
            if not condition_failed(error):
                raise
            return 0
        return int(str(item["repairs"]))


def _item(order: Order) -> dict[str, Any]:
    item = order.model_dump(mode="json", exclude={"timeline", "pending_move"})
    for moment in ("placed_at", "updated_at", "deadline_at"):
        item[moment] = rfc3339(getattr(order, moment))
    # A map by status: writing an entry twice, as a retried state does, changes nothing.
    item["timeline"] = {entry.status.value: rfc3339(entry.at) for entry in order.timeline}
    return item


def _order(item: dict[str, Any]) -> Order:
    order_id = str(item["order_id"])
    with reading("order", order_id):
        row = plain(item)
        # Not by their moments: the first is of the API's clock, the others of Step Functions', and clocks differ. A
        # status of another version of this service has no place in this life.
        life = [status.value for status in OrderStatus]
        entered = [entry for entry in row.get("timeline", {}).items() if entry[0] in life]
        entries = sorted(entered, key=lambda entry: life.index(entry[0]))
        claim = row.get("claims", {}).get(row["status"])
        shown = {
            "timeline": [{"status": status, "at": at} for status, at in entries],
            "pending_move": claim and claim["move"],
            "updated_at": row.get("updated_at", row["placed_at"]),
        }
    return read(Order, row | shown, kind="order", row_id=order_id)
