"""The table of connections. Nothing else knows its keys.

A row is keyed by what the connection hears, as that is asked for with every event, and by whose it is, as that is
counted. Which row is a connection's, an index says: API Gateway tells of an end by the connection's id alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tiffin.dynamodb import plain
from tiffin.roles import Caller

from live.model import CONNECTED, CONNECTIONS, CROWDED, OPENING, topic_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

BY_CONNECTION = "by-connection"


class TooManyConnections(Exception):
    """The account has opened as many connections just now as one may have."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection, or one that is being opened.

    Attributes:
        id: API Gateway's name of it.
        topic: what it hears.
        listener: whose it is, and its id: the rest of the row's key.
        connected_at: when it was let in, in seconds since 1970.
    """

    id: str
    topic: str
    listener: str
    connected_at: int

    def may_be_opening(self, now: datetime) -> bool:
        """Whether API Gateway may call it gone only because its handshake is not over yet."""
        return now.timestamp() - self.connected_at < OPENING.total_seconds()


class Connections:
    """Who listens just now.

    Args:
        table: the connections table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def must_have_room(self, caller: Caller, now: datetime) -> None:
        """Refuse an account one connection too many. Several that come at once may all get in, a few too many.

        Raises:
            TooManyConnections: it has as many as one may have, and none is old enough to make room.
        """
        since = (now - CROWDED).timestamp()
        if sum(row["connected_at"] > since for row in self._of_account(caller, now)) >= CONNECTIONS:
            raise TooManyConnections

    def add(self, caller: Caller, connection_id: str, now: datetime) -> None:
        """Let a connection hear what its account may hear. The oldest beyond as many as one may have hears no more.

        Args:
            caller: whose it is.
            connection_id: API Gateway's name of it.
            now: the moment, aware.
        """
        mine = sorted(self._of_account(caller, now), key=lambda row: row["connected_at"])
        for row in mine[: max(0, len(mine) + 1 - CONNECTIONS)]:
            self._forget(row)
        self._table.put_item(
            Item={
                "topic": topic_of(caller),
                "listener": f"{caller.subject}#{connection_id}",
                "connection_id": connection_id,
                "connected_at": int(now.timestamp()),
                "expires_at": int((now + CONNECTED).timestamp()),
            }
        )

    def of(self, topic: str, now: datetime) -> Iterator[Connection]:
        """Who hears a topic. Read as it is now: who was let in before this was asked is in it."""
        for row in self._rows(topic, now):
            yield Connection(row["connection_id"], topic, row["listener"], row["connected_at"])

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone; nothing happens if it is forgotten already."""
        self._table.delete_item(Key={"topic": connection.topic, "listener": connection.listener})

    def ended(self, connection_id: str) -> None:
        """Forget a connection by its id. One that the index does not know yet goes when a message finds it gone."""
        found: Any = self._table.query(
            IndexName=BY_CONNECTION,
            KeyConditionExpression="connection_id = :id",
            ExpressionAttributeValues={":id": connection_id},
        )
        for row in found["Items"]:
            self._forget(row)

    def _of_account(self, caller: Caller, now: datetime) -> Iterator[dict[str, Any]]:
        return self._rows(topic_of(caller), now, f"{caller.subject}#")

    def _forget(self, row: dict[str, Any]) -> None:
        self._table.delete_item(Key={"topic": row["topic"], "listener": row["listener"]})

    def _rows(self, topic: str, now: datetime, whose: str = "") -> Iterator[dict[str, Any]]:
        condition, values = "topic = :topic", {":topic": topic}
        if whose:
            condition, values = f"{condition} AND begins_with(listener, :whose)", values | {":whose": whose}
        pages: Any = self._table.meta.client.get_paginator("query")
        for page in pages.paginate(
            TableName=self._table.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        ):
            # A row may stay for days after its time (DynamoDB developer guide, "Using time to live").
            yield from (row for row in map(plain, page["Items"]) if row["expires_at"] > now.timestamp())
