"""The table of what customers were told. Nothing else knows its keys."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tiffin.dynamodb import condition_failed, plain

from notifications.model import Telling

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# Longer than an invocation may run, by a minute for clocks that differ; shorter than the queue waits: the next attempt
# finds the claim of a crash run out.
LEASE = timedelta(minutes=2)
# Longer than an event can lie in the queue, its dead-letter queue (14 days each) and the archive (30 days).
REMEMBERED = timedelta(days=60)
# How often it is looked whether another mail of the order is out: for two seconds, in which most are sent.
ATTEMPTS = 8
_LONGEST_PAUSE = 0.4


class BeingSent(Exception):
    """Another invocation is at a mail of this order: ask again later whether it got it out."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one mail of an order, while no other is sent.

    Attributes:
        order_id: the order.
        event_name: what the mail tells of.
        version: of the item, as the claim wrote it.
    """

    order_id: str
    event_name: str
    version: int


class Sent:
    """What customers were told, an item for each order. Claim, send, confirm: in this order a crash loses no mail.

    A mail cannot be part of a transaction. So a crash between sending and confirming sends it again, unless the order
    has gone further by then: better than not at all.

    Args:
        table: the table of what was sent.
        pause: called with seconds to wait while another mail of the order is being sent.
    """

    def __init__(self, table: "Table", pause: Callable[[float], None] = time.sleep) -> None:
        self._table, self._pause = table, pause

    def claim(self, order_id: str, event_name: str, now: datetime) -> Claim:
        """Take it upon oneself to tell of an event. From here on nothing is told that came before it.

        Args:
            order_id: the order.
            event_name: what happened to it.
            now: the moment, aware.

        Raises:
            ToldAlready, Overtaken: see `Telling.must_allow`. Nothing changed.
            BeingSent: another invocation is at a mail of this order, and may be for longer.
        """
        for attempt in range(1, ATTEMPTS + 1):
            item = self._item(order_id)
            _telling(item).must_allow(event_name)
            if item.get("claimed_until", 0) < now.timestamp() and (claim := self._write(item, event_name, now)):
                return claim
            if attempt < ATTEMPTS:
                self._pause(min(_LONGEST_PAUSE, 0.02 * 2**attempt))
        raise BeingSent(order_id)

    def confirm(self, claim: Claim) -> None:
        """The mail is out."""
        self._table.update_item(
            Key={"order_id": claim.order_id},
            UpdateExpression="ADD told :name, version :one REMOVE claimed_until",
            ExpressionAttributeValues={":name": {claim.event_name}, ":one": 1},
        )

    def give_back(self, claim: Claim) -> None:
        """The mail did not get out: let the next attempt begin at once."""
        try:
            self._table.update_item(
                Key={"order_id": claim.order_id},
                UpdateExpression="ADD version :one REMOVE claimed_until",
                ConditionExpression="version = :claimed",
                ExpressionAttributeValues={":one": 1, ":claimed": claim.version},
            )
        except ClientError as error:
            # Gone, or another's meanwhile.
            if not condition_failed(error):
                raise

    def _item(self, order_id: str) -> dict[str, Any]:
        key = {"order_id": order_id}
        return dict(plain(self._table.get_item(Key=key, ConsistentRead=True).get("Item", key)))

    def _write(self, seen: dict[str, Any], event_name: str, now: datetime) -> Claim | None:
        """Write a claim over the item as it was judged; None if somebody wrote meanwhile."""
        claim = Claim(seen["order_id"], event_name, seen.get("version", 0) + 1)
        values: dict[str, Any] = {
            ":name": event_name,
            ":until": int((now + LEASE).timestamp()),
            ":expires": int((now + REMEMBERED).timestamp()),
            ":next": claim.version,
        } | ({":seen": seen["version"]} if "version" in seen else {})
        try:
            self._table.update_item(
                Key={"order_id": claim.order_id},
                UpdateExpression="SET furthest = :name, claimed_until = :until, expires_at = :expires, version = :next",
                ConditionExpression="version = :seen" if "version" in seen else "attribute_not_exists(version)",
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return None
        return claim


def _telling(item: dict[str, Any]) -> Telling:
    return Telling(item.get("furthest"), frozenset(item.get("told", ())))
