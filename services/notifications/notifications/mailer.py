"""The port to Amazon SES."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tiffin.dynamodb import refusals
from tiffin.unmendable import Unmendable, no_retry_mends

from notifications.messages import Message


class Ses(Protocol):
    """Of boto3's SES v2 client, what is used here."""

    def send_email(self, **request: Any) -> Any:
        """Send one mail (Amazon SES API v2 reference, SendEmail)."""


class MailRefused(Exception):
    """SES did not take the mail; the message is its error code."""


class MailImpossible(Unmendable, MailRefused):
    """SES will not take the mail however often it is asked: the address is none, or a person must act first."""


# Refused until somebody has verified, appealed or made something; what is over a rate or a quota, or paused, may pass
# (Amazon SES API v2 reference, SendEmail, "Errors").
_FOR_GOOD = {"MessageRejected", "MailFromDomainNotVerified", "AccountSuspended", "NotFound"}


class Mailer:
    """Sends plain text, at a pace.

    Args:
        client: an SES v2 client.
        sender: address that mails come from, verified with SES.
        interval: seconds from one mail to the next at least. SES refuses what comes faster than the account's rate.
        now, wait: a clock and how time is let pass on it, in seconds.
    """

    def __init__(
        self,
        client: Ses,
        sender: str,
        interval: float = 0.0,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._sender = client, sender
        self._interval, self._now, self._wait = interval, now, wait
        self._due = now()

    def send(self, address: str, message: Message) -> None:
        """Send a mail.

        Raises:
            MailRefused: SES refused it or could not be reached.
            MailImpossible: it would refuse it each time.
        """
        if (early := self._due - self._now()) > 0:
            self._wait(early)
        self._due = self._now() + self._interval
        try:
            self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [address]},
                Content={
                    "Simple": {
                        "Subject": {"Data": message.subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": message.text, "Charset": "UTF-8"}},
                    }
                },
            )
        except ClientError as error:
            for_good = no_retry_mends(error) or not _FOR_GOOD.isdisjoint(refusals(error))
            refused = MailImpossible if for_good else MailRefused
            raise refused(error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            refused = MailImpossible if no_retry_mends(error) else MailRefused
            raise refused(type(error).__name__) from None
