"""The tables of orders, menus and promo codes. Nothing else in Python knows their keys; the state machines update an
order's status and token."""

import json
import random
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter
from tiffin.discounts import Discount, Offer
from tiffin.events import rfc3339
from tiffin.money import Money

from orders.model import (
    ENDS,
    LEGAL_IN,
    IllegalMove,
    Move,
    Order,
    OrderStatus,
    PlaceOrder,
    PromoCode,
    PromoCodeAlreadyUsed,
    Restaurant,
    RestaurantSummary,
    UnknownPromoCode,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# Open orders are spread over this many partitions of the index that the reconciler reads, so that no partition takes
# every write. Each sweep queries each shard.
OPEN_SHARDS = 8
# The reconciler looks at an order that was just placed, or whose turn was just taken, if nothing happened by then.
FIRST_LOOK = timedelta(minutes=2)
CALLBACK_LOOK = timedelta(minutes=1)
# How often an order is written again that met another transaction on its promo code.
ATTEMPTS = 6
# How long a code that expired is remembered, so that its customer hears why it is not taken.
REMEMBERED = timedelta(days=90)
_discount: TypeAdapter[Any] = TypeAdapter(Discount)


class UnknownOrder(Exception):
    """There is no such order."""


class KeyReused(Exception):
    """The idempotency key was used before, for another body."""


class StoredOrder:
    """An order with the facts that only the machinery needs.

    Attributes:
        order: the order.
        task_token: the callback token of the state that waits, if one does.
        trace_header: of the request that placed it.
        claims: turns taken, by the status they were taken in.
        open: whether anything is still owed to it: an end, or the announcement of its end.
        check_at: when the reconciler should look at it, if it is open.
        repairs: how often the reconciler had to do something for it.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        self._item = item
        self.order = _order(item)
        self.task_token: str | None = item.get("task_token")
        self.trace_header: str = item["trace_header"]
        self.claims: dict[str, dict[str, Any]] = item.get("claims", {})
        self.open: bool = "open_shard" in item
        self.check_at: str | None = item.get("check_at")
        self.repairs = int(item.get("repairs", 0))

    @property
    def claim(self) -> dict[str, Any] | None:
        """The turn taken in the order's present status, if one was."""
        return self.claims.get(self.order.status)

    @property
    def callback(self) -> dict[str, Any]:
        """What to tell the waiting workflow: the turn, and the order it is about, lest another take it for its own."""
        return {"order_id": self.order.order_id} | (self.claim or {})


class OrderStore:
    """Orders by id, by customer, and by when the reconciler should look at them.

    Args:
        table: the orders table.
        pause: called with seconds to wait before another attempt.
    """

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
        if item["request_fingerprint"] != request.fingerprint():
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
                why = _refusals(error)
                # The order first: who repeats a request gets its order, though its code is taken, namely by that order.
                if why[0] == "ConditionalCheckFailed" and (repeat := self.find_repeat(order.order_id, request)):
                    return repeat
                if why[-1] == "ConditionalCheckFailed":
                    raise PromoCodeAlreadyUsed(order.promo_code) from error
                if "TransactionConflict" not in why or attempt == ATTEMPTS:
                    raise
            self._pause(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter
        raise AssertionError("unreachable")  # pragma: no cover

    def claim(self, order_id: str, move: Move, now: datetime, reason: str | None = None) -> StoredOrder:
        """Take a turn: of all that race for it, exactly one gets it.

        Args:
            order_id: the order.
            move: the turn.
            now: when it is taken, aware.
            reason: why, for a rejection.

        Returns:
            The order, claimed; its `task_token` is the one to call back with.

        Raises:
            UnknownOrder: there is none.
            IllegalMove: the order is elsewhere, or another turn was taken in this status, or its deadline was first.
                Nothing changed.
        """
        stored = self.get(order_id)
        # Between reading and claiming the workflow may have gone one status further, where the move may still be legal.
        for _ in OrderStatus:
            status = stored.order.status
            taken = stored.claims.get(status, {}).get("move")
            # From the deadline on the workflow may be dead and its end not recorded yet: nobody would hear the turn.
            if not taken and status not in ENDS and now >= stored.order.deadline_at:
                taken = "deadline"
            if status not in LEGAL_IN[move] or taken:
                raise IllegalMove(order_id, move, status, taken)
            try:
                item = self._table.update_item(
                    Key={"order_id": order_id},
                    UpdateExpression="SET claims.#status = :claim, check_at = :check, updated_at = :now",
                    ConditionExpression="#s = :status AND attribute_not_exists(claims.#status)",
                    ExpressionAttributeNames={"#s": "status", "#status": status.value},
                    ExpressionAttributeValues={
                        ":status": status.value,
                        ":claim": {"move": move.value, "at": rfc3339(now)} | ({"reason": reason} if reason else {}),
                        ":check": rfc3339(now + CALLBACK_LOOK),
                        ":now": rfc3339(now),
                    },
                    ReturnValues="ALL_NEW",
                )["Attributes"]
                return StoredOrder(item)
            except self._table.meta.client.exceptions.ConditionalCheckFailedException:
                stored = self.get(order_id)
        raise IllegalMove(order_id, move, stored.order.status)  # pragma: no cover - a status is never entered twice

    def by_customer(
        self, customer_id: str, limit: int, start: dict[str, Any] | None
    ) -> tuple[list[Order], dict[str, Any] | None]:
        """A customer's orders, newest first, without what is personal.

        Returns:
            The page, and the key to go on from, or None at the end.
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
        orders = [_order(item).model_copy(update={"delivery": None, "note": None}) for item in page["Items"]]
        return orders, page.get("LastEvaluatedKey")

    def due(self, now: datetime) -> Iterator[str]:
        """Ids of all open orders that the reconciler should look at by now, one from every shard in turn.

        Args:
            now: the moment, aware.
        """
        for turn in zip_longest(*(self._due(shard, now) for shard in range(OPEN_SHARDS))):
            yield from filter(None, turn)

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
                taking the next turn, theirs stands.
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
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return 0
            raise
        return int(str(item["repairs"]))


class MenuStore:
    """Restaurants with their menus, one item each.

    Args:
        table: the menus table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def get(self, restaurant_id: str) -> Restaurant | None:
        """A restaurant with its menu, or None."""
        item = self._table.get_item(Key={"restaurant_id": restaurant_id}).get("Item")
        return Restaurant.model_validate(_plain(item)) if item else None

    def list(self, limit: int, start: dict[str, Any] | None) -> tuple[list[RestaurantSummary], dict[str, Any] | None]:
        """A page of restaurants without their menus, and the key to go on from."""
        scan: dict[str, Any] = {
            "ProjectionExpression": "restaurant_id, #n, cuisine, currency, delivery_fee",
            "ExpressionAttributeNames": {"#n": "name"},
            "Limit": limit,
        }
        if start:
            scan["ExclusiveStartKey"] = start
        page = self._table.scan(**scan)
        found = [RestaurantSummary.model_validate(_plain(item)) for item in page["Items"]]
        return sorted(found, key=lambda r: r.restaurant_id), page.get("LastEvaluatedKey")


class PromoCodeStore:
    """What promotions announced of promo codes, and which order has which: by customer, so that nobody finds another's.

    Args:
        table: the promo codes table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def get(self, customer_id: str, code: str) -> PromoCode:
        """A customer's code, read consistently.

        Raises:
            UnknownPromoCode: the customer has no such code, as far as is known here.
        """
        key = {"customer_id": customer_id, "code": code}
        item: dict[str, Any] | None = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        if item is None:
            raise UnknownPromoCode(code)
        offer = Offer(
            _discount.validate_json(item["discount"]),
            Money.model_validate(_plain(item["minimum_order"])),
            datetime.fromisoformat(item["valid_until"]),
        )
        return PromoCode(customer_id, code, offer, item.get("reserved_by"))

    def add(self, code: PromoCode) -> None:
        """Learn of a code, or that it expires earlier; reserved or not. A repeated announcement changes nothing.

        Of two announcements the one with the earlier expiry counts, in whatever order they come.
        """
        values: dict[str, Any] = {
            # As JSON, as its shape differs by type and DynamoDB's numbers are not integers.
            ":discount": json.dumps(_discount.dump_python(code.offer.discount, mode="json", exclude_none=True)),
            ":minimum_order": code.offer.minimum_order.model_dump(),
            ":valid_until": rfc3339(code.offer.expires_at),
            # Not `valid_until`: this one is the table's TTL attribute, in seconds since 1970.
            ":expires_at": int((code.offer.expires_at + REMEMBERED).timestamp()),
        }
        try:
            self._table.update_item(
                Key={"customer_id": code.customer_id, "code": code.code},
                UpdateExpression="SET " + ", ".join(f"{name[1:]} = {name}" for name in values),
                ConditionExpression="attribute_not_exists(customer_id) OR valid_until > :valid_until",
                ExpressionAttributeValues=values,
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return

    def reservation(self, code: PromoCode, order_id: str) -> dict[str, Any]:
        """The write that gives a code to an order if no order has it, to be made in one transaction with the order."""
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": {"customer_id": code.customer_id, "code": code.code},
                "UpdateExpression": "SET reserved_by = :order",
                "ConditionExpression": "attribute_exists(customer_id) AND attribute_not_exists(reserved_by)",
                "ExpressionAttributeValues": {":order": order_id},
            }
        }

    def release(self, customer_id: str, code: str, order_id: str) -> bool:
        """Take a code back from an order, if that order has it.

        Returns:
            Whether it had it. If not, the release is a repeated one, and the code may be another order's by now.
        """
        try:
            self._table.update_item(
                Key={"customer_id": customer_id, "code": code},
                UpdateExpression="REMOVE reserved_by",
                ConditionExpression="reserved_by = :order",
                ExpressionAttributeValues={":order": order_id},
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _refusals(error: ClientError) -> list[str]:
    """Why a write was refused: one code per item of a transaction, one in all for a single write.

    Source: DynamoDB API reference, TransactWriteItems, "TransactionCanceledException".
    """
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        reasons = error.response.get("CancellationReasons", [])
        return [str(reason.get("Code", "None")) for reason in reasons] or [code]
    return [code.removesuffix("Exception")]


def _plain(value: Any) -> Any:
    """DynamoDB's Decimals as the integers they are: every number in these tables is one."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return int(value) if hasattr(value, "as_tuple") else value


def _item(order: Order) -> dict[str, Any]:
    item = order.model_dump(mode="json", exclude={"timeline", "pending_move"})
    for moment in ("placed_at", "updated_at", "deadline_at"):
        item[moment] = rfc3339(getattr(order, moment))
    # A map by status: writing a turn twice, as a retried state does, changes nothing.
    item["timeline"] = {turn.status.value: rfc3339(turn.at) for turn in order.timeline}
    return item


def _order(item: dict[str, Any]) -> Order:
    item = _plain(item)
    # Two turns within one millisecond keep the order of the life they belong to.
    life = list(OrderStatus)
    turns = sorted(item["timeline"].items(), key=lambda turn: (turn[1], life.index(OrderStatus(turn[0]))))
    claim = item.get("claims", {}).get(item["status"])
    return Order.model_validate(
        item
        | {
            "timeline": [{"status": status, "at": at} for status, at in turns],
            "pending_move": claim and claim["move"],
        }
    )
