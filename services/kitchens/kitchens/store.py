"""The figures' table. Nothing else knows its keys: PK `restaurant_id`, SK `record`.

- `MINUTE#2026-11-26T12:03`: what a kitchen did in that minute. Its `hour` makes it appear in the index `by-hour`.
- `ORDER#ord_…`: what was counted of one order. A fact and its figures are written in one transaction, so that it counts
  once, whoever hands it out how often.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tiffin.dynamodb import CONDITION_FAILED, CONFLICT, deserialize, plain, refusals, serialize
from tiffin.events import rfc3339
from tiffin.models import BaseModel
from tiffin.moments import Moment, later
from tiffin.stored import reading

from kitchens.model import KEPT, MOMENTS, REMEMBERED, Course, Figures, forget, hear, minute, must_be_kept

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_HOUR = "by-hour"
ATTEMPTS = 6
_LONGEST_PAUSE = 0.4
_MINUTE, _ORDER = "MINUTE#", "ORDER#"
_OVERTAKEN = {CONDITION_FAILED, CONFLICT}


class Contended(Exception):
    """Others wrote to the same order or minute each time it was tried: it may go right later."""


class _Order(BaseModel):
    """An order's row, read back."""

    placed_at: Moment | None = None
    accepted_at: Moment | None = None
    dispatched_at: Moment | None = None


class KitchenFigures:
    """What kitchens did, by restaurant and minute.

    Args:
        client: DynamoDB client.
        table: name of the table.
        pause: called with seconds to wait while somebody else writes the same.
    """

    def __init__(self, client: "DynamoDBClient", table: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self._table, self._pause = client, table, pause

    def count(self, restaurant_id: str, order_id: str, name: str, at: datetime, now: datetime) -> None:
        """Take a fact into the figures of its minute, once.

        Args:
            restaurant_id: whose kitchen it is.
            order_id: the order.
            name: what happened to it, one of `MOMENTS`.
            at: when that was.
            now: the moment.

        Raises:
            CountedAlready, Forgotten: see `model`. Nothing changed.
            Contended: somebody else was faster each time. Nothing changed.
        """
        must_be_kept(at, now)
        for attempt in range(1, ATTEMPTS + 1):
            known = self._course(restaurant_id, order_id)
            course, adds = hear(known, name, at)
            writes = [self._remember(restaurant_id, order_id, known, course)]
            writes += [self._add(restaurant_id, when, figures) for when, figures in adds.items()]
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if not _OVERTAKEN & set(refusals(error)):
                    raise
                if attempt < ATTEMPTS:
                    self._pause(min(_LONGEST_PAUSE, 0.02 * 2**attempt))
            else:
                return
        raise Contended(order_id)

    def between(self, since: datetime, until: datetime) -> Iterator[tuple[str, datetime, Figures]]:
        """What each kitchen did in each minute of a time, minutes without anything left out.

        Args:
            since: a moment; its minute is the first.
            until: a moment; its minute is the last.
        """
        first, last = _record(minute(since)), _record(minute(until))
        hour = minute(since).replace(minute=0)
        while hour <= until:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=BY_HOUR,
                KeyConditionExpression="#hour = :hour AND #record BETWEEN :first AND :last",
                ExpressionAttributeNames={"#hour": "hour", "#record": "record"},
                ExpressionAttributeValues=_typed({":hour": _hour(hour), ":first": first, ":last": last}),
            )
            for row in (_untyped(item) for page in pages for item in page["Items"]):
                yield row["restaurant_id"], datetime.fromisoformat(_moment(row["record"])), _figures(row)
            hour += timedelta(hours=1)

    def forget(self, since: datetime) -> int:
        """Let the figures be as if nothing had been heard that happened since a minute: so they can be made anew.

        While this goes on, nobody may count. It may be repeated, and must be after an interruption.

        Args:
            since: a moment; its minute is the first that is forgotten.

        Returns:
            How many minutes of how many kitchens are gone.
        """
        since, gone = minute(since), 0
        rows = [_untyped(item) for item in self._all()]
        # Orders first: what is forgotten of an order may still stand in a minute, until this is repeated. The other way
        # round it would be counted in no minute for good.
        for row in (row for row in rows if row["record"].startswith(_ORDER)):
            known = _course(row)
            if (left := forget(known, since)) != known:
                self._set_back(row["restaurant_id"], row["record"], left)
        for row in (row for row in rows if row["record"].startswith(_MINUTE)):
            if row["record"] >= _record(since):
                self._client.delete_item(TableName=self._table, Key=_key(row["restaurant_id"], row["record"]))
                gone += 1
        return gone

    def _course(self, restaurant_id: str, order_id: str) -> Course:
        key = _key(restaurant_id, _ORDER + order_id)
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _course(_untyped(found.get("Item", {})), order_id)

    def _remember(self, restaurant_id: str, order_id: str, known: Course, course: Course) -> Any:
        """The order's row as it is from now on, if it still is as it was read."""
        moments = _written(course)
        unchanged = [
            f"{n} = :seen_{n}" if n in _written(known) else f"attribute_not_exists({n})" for n in MOMENTS.values()
        ]
        seen = {f":seen_{name}": at for name, at in _written(known).items()}
        values = {f":{name}": at for name, at in moments.items()} | {
            ":expires": _expiry(
                max(filter(None, (course.placed_at, course.accepted_at, course.dispatched_at))), REMEMBERED
            )
        }
        sets = ", ".join(f"{name} = :{name}" for name in moments)
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(restaurant_id, _ORDER + order_id),
                "UpdateExpression": f"SET {sets}, expires_at = :expires",
                "ConditionExpression": " AND ".join(unchanged),
                "ExpressionAttributeValues": _typed(values | seen),
            }
        }

    def _add(self, restaurant_id: str, when: datetime, figures: Figures) -> Any:
        """A minute's row with more in it. Its slowest order is read first, as no write can take the larger of two."""
        key = _key(restaurant_id, _record(when))
        adds = {name: value for name, value in asdict(figures).items() if value and name != "slowest_ms"}
        values: dict[str, Any] = {f":{name}": value for name, value in adds.items()}
        values |= {":hour": _hour(when), ":expires": _expiry(when, KEPT)}
        sets, condition = ["#hour = :hour", "expires_at = :expires"], {}
        if figures.prepared:
            found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
            seen = _untyped(found.get("Item", {})).get("slowest_ms")
            values[":slowest"] = figures.slowest_ms
            if seen is None or seen < figures.slowest_ms:
                sets.append("slowest_ms = :slowest")
                condition = {"ConditionExpression": "attribute_not_exists(slowest_ms) OR slowest_ms < :slowest"}
            else:
                condition = {"ConditionExpression": "slowest_ms >= :slowest"}
        return {
            "Update": {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": f"SET {', '.join(sets)} ADD {', '.join(f'{name} :{name}' for name in adds)}",
                "ExpressionAttributeNames": {"#hour": "hour"},
                "ExpressionAttributeValues": _typed(values),
                **condition,
            }
        }

    def _set_back(self, restaurant_id: str, record: str, left: Course) -> None:
        key, moments = _key(restaurant_id, record), _written(left)
        if not moments:
            self._client.delete_item(TableName=self._table, Key=key)
            return
        gone = ", ".join(name for name in MOMENTS.values() if name not in moments)
        self._client.update_item(TableName=self._table, Key=key, UpdateExpression=f"REMOVE {gone}")

    def _all(self) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        for page in pages:
            yield from page["Items"]


def _key(restaurant_id: str, record: str) -> dict[str, Any]:
    return _typed({"restaurant_id": restaurant_id, "record": record})


def _record(when: datetime) -> str:
    return f"{_MINUTE}{when:%Y-%m-%dT%H:%M}"


def _moment(record: str) -> str:
    return f"{record.removeprefix(_MINUTE)}:00Z"


def _hour(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H}"


def _expiry(at: datetime, after: timedelta) -> int:
    return int(later(at, after).timestamp())


def _written(course: Course) -> dict[str, str]:
    return {name: rfc3339(at) for name in MOMENTS.values() if (at := getattr(course, name)) is not None}


def _course(row: Mapping[str, Any], order_id: str = "") -> Course:
    with reading("kitchen order", order_id or str(row.get("record"))):
        read = _Order.model_validate({name: row[name] for name in MOMENTS.values() if name in row})
        return Course(read.placed_at, read.accepted_at, read.dispatched_at)


def _figures(row: Mapping[str, Any]) -> Figures:
    return Figures(**{name: int(row.get(name, 0)) for name in asdict(Figures())})


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: serialize(value) for name, value in row.items()}


def _untyped(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(deserialize(value)) for name, value in item.items()}
