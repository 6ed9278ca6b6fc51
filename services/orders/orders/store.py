"""The orders table. Nothing else in Python knows its keys; the state machines update an order's status and token."""

import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from botocore.exceptions import ClientError
from tiffin.dynamodb import (
    CONDITION_FAILED,
    CONFLICT,
    NOT_AT_FAULT,
    Row,
    condition_failed,
    plain,
    read_rows,
    refused_items,
)
from tiffin.events import MOMENT, rfc3339
from tiffin.ids import CUSTOMER_ID, ORDER_ID, SLUG
from tiffin.models import BaseModel
from tiffin.roles import Caller, Role
from tiffin.stored import UnreadableRow, read, reading
from tiffin.trace_headers import root_of_order, usable

from orders.commands import PlaceOrder
from orders.limits import Limit, LimitReached
from orders.model import (
    DELIVERY_WINDOW,
    ENDS,
    GRACE,
    OPEN,
    PERSONAL,
    Claim,
    IllegalMove,
    Move,
    Order,
    OrderStatus,
    Ownership,
)
from orders.views import CourierSummary, KitchenSummary, OrderSummary, SupportSummary
from orders.writes import Beside

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# Open orders are spread over this many partitions of the index that the reconciler reads, so that no partition takes
# every write. Each sweep queries each shard.
OPEN_SHARDS = 8
# The reconciler looks at an order that was just placed, or moved, if nothing happened by then.
FIRST_LOOK = timedelta(minutes=2)
CALLBACK_LOOK = timedelta(minutes=1)
# How many rows a query looks at where only some are wanted.
AT_ONCE = 500
NEWEST_FIRST = {"ScanIndexForward": False}
OPEN_PERHAPS = "placed_at > :since"
# How often an order is written that meets other transactions on its customer's rows, and seconds of a pause at most:
# of twenty orders that one customer places at the same moment all are placed (docs/decisions/limits-by-numbers.md).
ATTEMPTS = 10
LONGEST_PAUSE = 1.0

S = TypeVar("S", bound=BaseModel)
Position = dict[str, str]


class UnknownOrder(Exception):
    """There is no such order, or it is none of the caller's business: which of both, nobody learns."""


class KeyReused(Exception):
    """The idempotency key was used before, for another body."""


@dataclass(frozen=True, slots=True)
class Page(Generic[S]):
    """A page of a list.

    Attributes:
        orders: what of them the list answers.
        position: to go on from; None at the end.
        unreadable: how many orders of the page are left out, as their rows cannot be read.
        cut: whether there are others behind it, though no position leads to them.
    """

    orders: list[S]
    position: Position | None
    unreadable: int
    cut: bool = False


class StoredOrder:
    """An order with the facts that only the machinery needs.

    Attributes:
        order: the order.
        task_token: the callback token of the state that waits, if one does.
        trace_header: of the request that placed it; if none can be used, one that is the same each time.
        claims: moves made, when and by whom, by the status they were made in.
        ownership: to whom the order is anything.
        open: whether anything is still owed to it: an end, or the announcement of its end.
        check_at: when the reconciler should look at it, if it is open.
        repairs: how often the reconciler had to do something for it.
        new: whether the call that gave it has just placed it.
    """

    def __init__(self, item: dict[str, Any], *, new: bool = False) -> None:
        self.order, self.new = _order(item), new
        self.task_token: str | None = item.get("task_token")
        self.trace_header = usable(item.get("trace_header")) or root_of_order(self.order.order_id, self.order.placed_at)
        self.claims: dict[str, dict[str, Any]] = item.get("claims", {})
        self.ownership = _ownership(item)
        self.open: bool = "open_shard" in item
        self.check_at: str | None = item.get("check_at")
        self.repairs = int(item.get("repairs", 0))

    @property
    def claim(self) -> dict[str, Any] | None:
        """The move made in the order's present status, if one was."""
        return self.claims.get(self.order.status)

    @property
    def moves_made(self) -> dict[str, Claim]:
        """The claims, to be shown to a person: without one that makes no sense any more."""
        made = dict[str, Claim]()
        for status, claim in self.claims.items():
            with suppress(UnreadableRow):
                made[status] = read(Claim, claim, kind="claim", row_id=self.order.order_id)
        return made

    @property
    def callback(self) -> dict[str, Any]:
        """What to tell the waiting workflow: the move, and the order it is about, lest another take it for its own.

        Not who made it: that is nothing to the workflow, and would stand in its history.
        """
        told = {name: value for name, value in (self.claim or {}).items() if name != "by"}
        return {"order_id": self.order.order_id} | told


class OrderStore:
    """Orders by id, in the lists of each role, and by when the reconciler should look at them.

    Args:
        table: the orders table.
        personal: which row holds what is personal of an order, for whoever shows it. Without, orders are read without.
        pause: called with seconds to wait before another attempt.
    """

    _PLACED: ClassVar = {"placed_at": MOMENT, "order_id": ORDER_ID}
    OF_CUSTOMER: ClassVar = {"customer_id": CUSTOMER_ID} | _PLACED
    OF_RESTAURANT: ClassVar = {"restaurant_id": SLUG} | _PLACED
    BY_STATUS: ClassVar = {"status": "^[A-Z_]{1,32}$"} | _PLACED
    """What a position in a list consists of: the keys of its index, and the table's."""

    def __init__(
        self,
        table: "Table",
        personal: Callable[[str], Row] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table, self._personal, self._pause = table, personal, pause

    def get(self, order_id: str) -> StoredOrder:
        """Read an order, consistently, for nobody: whoever shows it to somebody takes `get_for`.

        Raises:
            UnknownOrder: there is none.
        """
        item = self._find(order_id)
        if item is None:
            raise UnknownOrder(order_id)
        return StoredOrder(item)

    def get_for(self, caller: Caller, order_id: str) -> StoredOrder:
        """Read an order for somebody.

        Args:
            caller: who asks.
            order_id: the order.

        Raises:
            UnknownOrder: there is none, or none that they may see. Nobody can tell which: not even by a row that cannot
                be read, as ownership is judged before anything else of it is.
        """
        item = self._find(order_id)
        if item is None or not _ownership(item).lets_see(caller):
            raise UnknownOrder(order_id)
        return StoredOrder(item)

    def _find(self, order_id: str) -> dict[str, Any] | None:
        """An order's row, with what is personal of it. That is in the same call: whoever's the order is, it is one."""
        key = {"order_id": order_id}
        if self._personal is None:
            return self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        item, delivery = self._rows([Row(self._table.name, key), self._personal(order_id)])
        # Once it is forgotten there is none. Older orders have it by themselves.
        return item and _personal(delivery or {}) | item

    def _rows(self, rows: Sequence[Row]) -> list[dict[str, Any] | None]:
        return read_rows(self._table.meta.client, rows, self._pause)

    def find_repeat(self, order_id: str, request: PlaceOrder) -> StoredOrder | None:
        """The order that this very request made before, if it did.

        Raises:
            KeyReused: the key made an order, but from another body.
        """
        item = self._find(order_id)
        return None if item is None else _repeat(item, request)

    def add(self, order: Order, request: PlaceOrder, trace_header: str, beside: Sequence[Beside] = ()) -> StoredOrder:
        """Write a new order, or find by this very write that the request, or a twin of it, made it before.

        Args:
            order: the order.
            request: what it was made of.
            trace_header: of the request.
            beside: what else is written: all, or nothing. Of several that are refused the first decides.

        Returns:
            The order: `new`; or as it is by now, without what lies elsewhere of it.

        Raises:
            KeyReused: the key made an order, but from another body.
            LimitReached: the customer places so much at the same moment that it never came through.
            Exception: what a write beside it says of its refusal. Nothing is written.
        """
        item = _item(order) | {
            "request_fingerprint": request.fingerprint(),
            "trace_header": trace_header,
            "claims": {},
            "open_shard": f"open-{zlib.crc32(order.order_id.encode()) % OPEN_SHARDS}",
            "check_at": rfc3339(order.placed_at + FIRST_LOOK),
        }
        put: Any = {
            "TableName": self._table.name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(order_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        writes: list[Any] = [{"Put": put}, *(one.write for one in beside)]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._table.meta.client.transact_write_items(TransactItems=writes)
                return StoredOrder(item | order.model_dump(mode="json", include=set(PERSONAL)), new=True)
            except ClientError as error:
                # The order first: who repeats a request gets its order, though a limit is reached by that very order.
                refused = refused_items(error)
                at_fault = next((n for n, (why, _) in enumerate(refused) if why != NOT_AT_FAULT), None)
                if at_fault is None:
                    raise
                why, as_it_is = refused[at_fault]
                if why == CONDITION_FAILED and at_fault > 0:
                    raise beside[at_fault - 1].refused(as_it_is) from error
                if why == CONDITION_FAILED and as_it_is:
                    return _repeat(as_it_is, request)
                if why != CONFLICT:
                    raise
            self._pause(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311 - jitter
        raise LimitReached(Limit.AT_ONCE, retry_after=1)

    def ended(self, order_ids: Iterable[str]) -> list[str]:
        """Those of at most 100 orders to which nothing is owed any more. One that is not there is none of them."""
        rows = [Row(self._table.name, {"order_id": order_id}) for order_id in order_ids]
        return [str(item["order_id"]) for item in self._rows(rows) if item and "open_shard" not in item]

    def claim(self, order_id: str, move: Move, caller: Caller, now: datetime, reason: str | None = None) -> StoredOrder:
        """Claim a move: of all that race to make one, exactly one may.

        Args:
            order_id: the order.
            move: the move.
            caller: who makes it. A courier who does so is the order's courier from then on.
            now: when it is made, aware.
            reason: why, for a rejection.

        Returns:
            The order, claimed; its `task_token` is the one to call back with.

        Raises:
            UnknownOrder: there is none, or it is not theirs to move; see `get_for`.
            IllegalMove: see `Order.must_allow`. Nothing changed.
        """
        # Between reading and claiming the workflow may have gone one status further, where the move may still be legal.
        for _ in OrderStatus:
            found = self._find(order_id)
            if found is None or not _ownership(found).lets_move(caller, move):
                raise UnknownOrder(order_id)
            order = StoredOrder(found).order
            order.must_allow(move, now)
            status = order.status.value
            owned, owner = _owned_by(caller)
            try:
                item = self._table.update_item(
                    Key={"order_id": order_id},
                    UpdateExpression="SET claims.#status = :claim, check_at = :check, updated_at = :now"
                    + (", courier_id = :owner" if caller.role is Role.COURIER else ""),
                    # It is as it was judged: theirs, in this status, and nobody moved it.
                    ConditionExpression=f"{owned} AND #s = :status AND attribute_not_exists(claims.#status)",
                    ExpressionAttributeNames={"#s": "status", "#status": status},
                    ExpressionAttributeValues={
                        ":owner": owner,
                        ":status": status,
                        ":claim": {"move": move.value, "at": rfc3339(now), "by": caller.subject}
                        | ({"reason": reason} if reason else {}),
                        ":check": rfc3339(now + CALLBACK_LOOK),
                        ":now": rfc3339(now),
                    },
                    ReturnValues="ALL_NEW",
                )["Attributes"]
                return StoredOrder(_personal(found) | item)
            except ClientError as error:
                if not condition_failed(error):
                    raise
        raise IllegalMove(order_id, move, order.status)  # pragma: no cover - a status is never entered twice

    # Lists. Each is an index that holds what the list answers of an order, and no more.

    def of_customer(self, customer_id: str, limit: int, start: Position | None) -> Page[OrderSummary]:
        """A customer's orders, newest first."""
        query = _query("orders-of-customer", "customer_id = :c", c=customer_id)
        return self._page(OrderSummary, self.OF_CUSTOMER, query | NEWEST_FIRST, limit, start)

    def of_customer_for_support(
        self, customer_id: str, status: OrderStatus | None, limit: int, start: Position | None
    ) -> Page[SupportSummary]:
        """A customer's orders, newest first, all or those in a status. Their couriers are not in the index."""
        query = _query("orders-of-customer", "customer_id = :c", c=customer_id) | NEWEST_FIRST
        if status is not None:
            query |= {"FilterExpression": "#s = :s", "ExpressionAttributeNames": {"#s": "status"}}
            query["ExpressionAttributeValues"] |= {":s": status.value}
        return self._page(SupportSummary, self.OF_CUSTOMER, query, limit, start)

    def of_restaurant(
        self, restaurant_id: str, now: datetime, limit: int, start: Position | None
    ) -> Page[KitchenSummary]:
        """A restaurant's open orders, oldest first; not those whose card has not answered yet."""
        query = _query("orders-of-restaurant", f"restaurant_id = :r AND {OPEN_PERHAPS}", r=restaurant_id, since=now)
        kitchens = sorted(OPEN - {OrderStatus.PLACED})
        names = [f":in{n}" for n, _ in enumerate(kitchens)]
        query["ExpressionAttributeValues"] |= dict(zip(names, kitchens, strict=True))
        only = {"FilterExpression": f"#s IN ({', '.join(names)})", "ExpressionAttributeNames": {"#s": "status"}}
        return self._page(KitchenSummary, self.OF_RESTAURANT, query | only, limit, start)

    def to_be_fetched(self, now: datetime, limit: int, start: Position | None) -> Page[CourierSummary]:
        """Orders that are being prepared and that no courier has taken, oldest first."""
        query = _in_status(OrderStatus.PREPARING, f" AND {OPEN_PERHAPS}", since=now)
        only = {"FilterExpression": "attribute_not_exists(courier_id)"}
        return self._page(CourierSummary, self.BY_STATUS, query | only, limit, start)

    def on_the_road(self, courier_id: str, now: datetime, limit: int, start: Position | None) -> Page[CourierSummary]:
        """Orders that a courier is on the road with, oldest first."""
        query = _in_status(OrderStatus.OUT_FOR_DELIVERY, f" AND {OPEN_PERHAPS}", since=now, c=courier_id)
        return self._page(CourierSummary, self.BY_STATUS, query | {"FilterExpression": "courier_id = :c"}, limit, start)

    def in_status(self, status: OrderStatus, limit: int, start: Position | None) -> Page[SupportSummary]:
        """Orders in a status: of open ones those first that wait longest, of ended ones the newest."""
        order = NEWEST_FIRST if status in ENDS else {}
        return self._page(SupportSummary, self.BY_STATUS, _in_status(status) | order, limit, start)

    def oldest_open(self, limit: int) -> Page[SupportSummary]:
        """Of all open orders those that were placed first, be it that they should have ended long ago.

        They come from four places of an index, which no one position tells: what does not fit is in `in_status`.
        """
        pages = [self.in_status(status, limit, None) for status in sorted(OPEN)]
        orders = sorted((order for page in pages for order in page.orders), key=lambda order: order.placed_at)
        cut = len(orders) > limit or any(page.position for page in pages)
        return Page(orders[:limit], None, sum(page.unreadable for page in pages), cut)

    def _page(
        self, model: type[S], fields: Mapping[str, str], query: dict[str, Any], limit: int, start: Position | None
    ) -> Page[S]:
        items, after = list[dict[str, Any]](), start
        while True:
            begin: dict[str, Any] = {"ExclusiveStartKey": after} if after else {}
            # What is looked at is limited before it is filtered (DynamoDB developer guide, "Query"). Who asks for just
            # as many as there are is told a position after the last: that more follow is known by one more.
            at_once = AT_ONCE if "FilterExpression" in query else limit + 1
            answer = self._table.query(**query, **begin, Limit=at_once)
            items += answer["Items"]
            after = cast("Position | None", answer.get("LastEvaluatedKey"))
            if not after or len(items) >= limit:
                break
        shown = items[:limit]
        orders = list[S]()
        for item in shown:
            # One row that a person must look at hides none of the others.
            with suppress(UnreadableRow):
                orders.append(read(model, plain(item), kind="order", row_id=str(item["order_id"])))
        # Never DynamoDB's own position: behind a filter that may be an order which is not in the list.
        more = shown and (after or len(items) > limit)
        return Page(orders, {name: str(shown[-1][name]) for name in fields} if more else None, len(shown) - len(orders))

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


def _repeat(item: dict[str, Any], request: PlaceOrder) -> StoredOrder:
    """The order that a request made before.

    Raises:
        KeyReused: the key made it, but from another body.
    """
    if item.get("request_fingerprint") != request.fingerprint():
        raise KeyReused(item["order_id"])
    return StoredOrder(item)


def _personal(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in PERSONAL if name in item}


def _ownership(item: Mapping[str, Any]) -> Ownership:
    """Of a row as it is stored, be the rest of it readable or not."""
    return Ownership(
        item.get("customer_id"), item.get("restaurant_id"), item.get("courier_id"), str(item.get("status"))
    )


def _owned_by(caller: Caller) -> tuple[str, str | None]:
    """What `Ownership.lets_move` says, as a condition on the row; and the value that it calls `:owner`."""
    match caller.role:
        case Role.CUSTOMER:
            return "customer_id = :owner", caller.subject
        case Role.RESTAURANT:
            return "restaurant_id = :owner", caller.restaurant_id
        case Role.COURIER:
            return "(attribute_not_exists(courier_id) OR courier_id = :owner)", caller.subject
        case Role.SUPPORT:  # pragma: no cover - moves nothing
            raise AssertionError


def _query(index: str, key: str, since: datetime | None = None, **values: str) -> dict[str, Any]:
    """A query of an index. What was placed longer ago than an order may take has ended, or is support's business."""
    moments = {":since": rfc3339(since - DELIVERY_WINDOW - GRACE)} if since else {}
    named = {f":{name}": value for name, value in values.items()}
    return {"IndexName": index, "KeyConditionExpression": key, "ExpressionAttributeValues": named | moments}


def _in_status(status: OrderStatus, further: str = "", **values: Any) -> dict[str, Any]:
    query = _query("orders-by-status", f"#s = :s{further}", s=status.value, **values)
    return query | {"ExpressionAttributeNames": {"#s": "status"}}


def _item(order: Order) -> dict[str, Any]:
    item = order.model_dump(mode="json", exclude={"timeline", "pending_move", *PERSONAL})
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
