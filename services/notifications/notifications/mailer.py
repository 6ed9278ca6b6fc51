"""The port to Amazon SES."""

from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tiffin.unmendable import Unmendable, no_retry_mends

from notifications.messages import Message


class Ses(Protocol):
    """Of boto3's SES v2 client, what is used here."""

    def send_email(self, **request: Any) -> Any:
        """Send one mail (Amazon SES API v2 reference, SendEmail)."""


def ses(client: Any) -> Ses:
    """A client of SES, made such that its errors have a code and no sentence.

    SES names the recipient in it ("Email address is not verified"), and X-Ray writes down what a client's error says
    before anybody could catch it.
    """
    client.meta.events.register("after-call.sesv2.SendEmail", _without_sentence)
    return client  # type: ignore[no-any-return]


def _without_sentence(parsed: dict[str, Any], **_: Any) -> None:
    if "Error" in parsed:
        parsed["Error"]["Message"] = "see the error code"


class MailRefused(Exception):
    """SES did not take the mail; the message is its error code."""


class MailImpossible(Unmendable, MailRefused):
    """SES will never take the mail: the address is none, say."""


class Mailer:
    """Sends plain text.

    Args:
        client: an SES v2 client.
        sender: address that mails come from, verified with SES.
    """

    def __init__(self, client: Ses, sender: str) -> None:
        self._client, self._sender = client, sender

    def send(self, address: str, message: Message) -> None:
        """Send a mail.

        Raises:
            MailRefused: SES refused it or could not be reached.
            MailImpossible: it would refuse it each time.
        """
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
            refused = MailImpossible if no_retry_mends(error) else MailRefused
            raise refused(error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            refused = MailImpossible if no_retry_mends(error) else MailRefused
            raise refused(type(error).__name__) from None
