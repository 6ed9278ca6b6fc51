"""The notifications tables: how customers are reached, and what they were told. Nothing else knows their keys."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from tiffin.dynamodb import condition_failed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# Longer than an invocation may run, shorter than the queue waits: the next attempt finds the claim of a crash run out.
LEASE = timedelta(minutes=2)
# Longer than an event can lie in the queue and its dead-letter queue, 14 days each.
REMEMBERED = timedelta(days=60)


class BeingSent(Exception):
    """Another invocation is at this mail: ask again later whether it got it out."""


class Contacts:
    """E-mail addresses by customer. They leave this context only as the recipient of a mail.

    Args:
        table: the contacts table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def address(self, customer_id: str) -> str | None:
        """A customer's e-mail address, or None if the customer gave none."""
        item = self._table.get_item(Key={"customer_id": customer_id}).get("Item")
        return str(item["email"]) if item else None


class Sent:
    """Which events customers were told about. Claim, send, confirm: in this order a crash loses no mail.

    A mail cannot be part of a transaction. So a crash between sending and confirming sends it again: better than not at
    all.

    Args:
        table: the table of what was sent.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def claim(self, event_id: str, now: datetime) -> bool:
        """Take it upon oneself to tell of an event.

        Args:
            event_id: the event.
            now: the moment, aware.

        Returns:
            False if the customer was told already.

        Raises:
            BeingSent: another invocation took it, and may still be at it.
        """
        try:
            self._table.put_item(
                Item={
                    "event_id": event_id,
                    "progress": "claimed",
                    "claimed_until": int((now + LEASE).timestamp()),
                    "expires_at": int((now + REMEMBERED).timestamp()),
                },
                ConditionExpression="attribute_not_exists(event_id) OR (progress = :claimed AND claimed_until < :now)",
                ExpressionAttributeValues={":claimed": "claimed", ":now": int(now.timestamp())},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            item = self._table.get_item(Key={"event_id": event_id}, ConsistentRead=True).get("Item", {})
            if item.get("progress") != "sent":
                raise BeingSent(event_id) from error
            return False
        return True

    def confirm(self, event_id: str) -> None:
        """The mail is out."""
        self._table.update_item(
            Key={"event_id": event_id},
            UpdateExpression="SET progress = :sent REMOVE claimed_until",
            ExpressionAttributeValues={":sent": "sent"},
        )

    def give_back(self, event_id: str) -> None:
        """The mail did not get out: let the next attempt begin at once."""
        try:
            self._table.delete_item(
                Key={"event_id": event_id},
                ConditionExpression="progress = :claimed",
                ExpressionAttributeValues={":claimed": "claimed"},
            )
        except ClientError as error:
            # Gone or sent meanwhile, or not to be reached: then the claim runs out by itself.
            if not condition_failed(error):
                raise
