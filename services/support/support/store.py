"""The table of stories that were told a moment ago. Nothing else knows its keys.

It is a cache: what is in it is a copy that is read by support alone, expires by itself, and is missed by nobody.
"""

import base64
import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tiffin.dynamodb import condition_failed
from tiffin.stored import UnreadableRow, reading

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

LARGEST = 380_000
"""Characters of a text that is kept: DynamoDB takes 400 KB (developer guide, "Quotas"). What is larger is not."""
REMEMBERED = timedelta(hours=1)
"""For longer than any story is told again."""


@dataclass(frozen=True)
class Kept:
    """A story that was told.

    Attributes:
        text: it, as JSON.
        told: when it was read, epoch seconds.
        fresh_until: until when it may be told again, epoch seconds.
    """

    text: str
    told: float
    fresh_until: float


class StoryStore:
    """Stories by their key, which is an order's id, or another name of what was read.

    Args:
        table: the stories table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def find(self, key: str) -> Kept | None:
        """The story as it was last told; None if it was not, or cannot be read."""
        item: dict[str, Any] = self._table.get_item(Key={"story": key}, ConsistentRead=True).get("Item", {})
        if "text" not in item:
            return None
        try:
            with reading("story", key):
                text = zlib.decompress(base64.b85decode(item["text"])).decode()
                return Kept(text, int(item["told_ms"]) / 1000, int(item["fresh_until_ms"]) / 1000)
        except (UnreadableRow, zlib.error):
            return None

    def keep(self, key: str, kept: Kept) -> bool:
        """Keep a story, and let others read anew.

        Returns:
            Whether it was small enough to be kept.
        """
        text = base64.b85encode(zlib.compress(kept.text.encode())).decode()
        small = len(text) <= LARGEST
        item: dict[str, Any] = {"story": key, "expires_at": _expiry(kept.told)}
        if small:
            item |= {"text": text, "told_ms": _ms(kept.told), "fresh_until_ms": _ms(kept.fresh_until)}
        self._table.put_item(Item=item)
        return small

    def begin(self, key: str, now: float, until: float) -> bool:
        """Say that somebody reads, so that others wait for what comes of it.

        Args:
            key: of the story.
            now: epoch seconds.
            until: when others need not wait any more, epoch seconds; nobody reads for longer.

        Returns:
            Whether nobody else does.
        """
        try:
            self._table.update_item(
                Key={"story": key},
                UpdateExpression="SET read_until_ms = :until, expires_at = :expires",
                ConditionExpression="attribute_not_exists(read_until_ms) OR read_until_ms < :now",
                ExpressionAttributeValues={":until": _ms(until), ":now": _ms(now), ":expires": _expiry(until)},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def give_up(self, key: str) -> None:
        """Say that nobody reads any more, though nothing was kept."""
        self._table.update_item(Key={"story": key}, UpdateExpression="REMOVE read_until_ms")


def _expiry(moment: float) -> int:
    return int(moment + REMEMBERED.total_seconds())


def _ms(moment: float) -> int:
    return int(moment * 1000)
