"""The table of tickets. Nothing else knows its keys.

A browser cannot send a header with a WebSocket's handshake, and an ID token in its address would end up in logs and be
good for an hour. So whoever is signed in fetches a ticket first: it is good once, for half a minute, and what is stored
of it opens nothing.
"""

import hashlib
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from tiffin.dynamodb import condition_failed, plain
from tiffin.roles import Caller, Role

from live.model import TICKET

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


class NoTicket(Exception):
    """Nobody has such a ticket: it was used, has expired, or never was."""


class Tickets:
    """Tickets that nobody has used yet.

    Args:
        table: the tickets table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def issue(self, caller: Caller, now: datetime) -> str:
        """Make a ticket for somebody who is signed in.

        Args:
            caller: who it is.
            now: the moment, aware.

        Returns:
            The ticket: 43 characters that no one guesses.
        """
        ticket = secrets.token_urlsafe(32)
        self._table.put_item(
            Item={
                "digest": _digest(ticket),
                "subject": caller.subject,
                "role": str(caller.role),
                "restaurant_id": caller.restaurant_id,
                "expires_at": int((now + TICKET).timestamp()),
            }
        )
        return ticket

    def redeem(self, ticket: str, now: datetime) -> Caller:
        """Use a ticket up.

        Args:
            ticket: what was sent.
            now: the moment, aware.

        Returns:
            Whom it was made for.

        Raises:
            NoTicket: it is not good, and whoever sends it again learns no more.
        """
        try:
            # Reading and using up are one: of two who send the same ticket, one gets in.
            used = self._table.delete_item(
                Key={"digest": _digest(ticket)},
                ConditionExpression="attribute_exists(digest)",
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise NoTicket from None
        row = plain(used["Attributes"])
        # A row may stay for days after its time (DynamoDB developer guide, "Using time to live").
        if row["expires_at"] < now.timestamp():
            raise NoTicket
        return Caller(row["subject"], Role(row["role"]), row["restaurant_id"])


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="replace")).hexdigest()
