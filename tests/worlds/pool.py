"""A user pool at its port: who has which address, and whether they showed that it is theirs."""

from types import SimpleNamespace
from typing import Any


class FakePool:
    """As much of the pool's API as somebody asks who wants an address.

    Attributes:
        users: attributes by `sub`; of one who is disabled, with `enabled` false among them.
    """

    class NotFound(Exception):
        """There is no such account."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, str]] = {}
        self.exceptions = SimpleNamespace(UserNotFoundException=self.NotFound)

    def add(self, subject: str, email: str, **more: str) -> None:
        """Give an account its address, which its owner confirmed."""
        self.users[subject] = {"sub": subject, "email": email, "email_verified": "true"} | more

    def admin_get_user(self, UserPoolId: str, Username: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if Username not in self.users:
            raise self.NotFound
        known = dict(self.users[Username])
        enabled = known.pop("enabled", "true") == "true"
        return {
            "Enabled": enabled,
            "UserAttributes": [{"Name": name, "Value": value} for name, value in known.items()],
        }
