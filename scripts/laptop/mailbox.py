"""The mails that the emulator's SES took, and the addresses that it may send from and to."""

from typing import Any

import httpx

from .environment import signed
from .pace import patience
from .stack import Stack


def verify(stack: Stack, *addresses: str) -> None:
    """Have addresses verified, as on AWS their owners do by a link (SES developer guide, "Verified identities").

    Args:
        stack: whose SES.
        addresses: of the sender, and of the recipients while the account is in the sandbox.
    """
    ses = stack.client("sesv2")
    for address in addresses:
        try:
            ses.create_email_identity(EmailIdentity=address)
        except ses.exceptions.AlreadyExistsException:
            continue


def mails(stack: Stack, recipient: str | None = None) -> list[dict[str, Any]]:
    """Mails in the order in which they were sent: `Source`, `To`, `Subject`, `BodyText`, …

    Args:
        stack: whose SES.
        recipient: only those to this address.
    """
    url = f"{stack.endpoint}/_ministack/ses/messages"
    answer = httpx.get(url, headers=signed(stack.access, url), timeout=patience(30), trust_env=False)
    sent = [mail for account in answer.raise_for_status().json()["messages"].values() for mail in account]
    return [mail for mail in sent if recipient is None or recipient in mail["To"]]
