"""How customers are reached: by the address with which they sign in, which lies in the user pool and nowhere else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


class Contacts:
    """E-mail addresses by customer. They leave this context only as the recipient of a mail.

    Args:
        client: of the user pool's API.
        user_pool_id: the pool.
    """

    def __init__(self, client: "CognitoIdentityProviderClient", user_pool_id: str) -> None:
        self._client, self._pool = client, user_pool_id

    def address(self, customer_id: str) -> str | None:
        """A customer's e-mail address, as the pool knows it now.

        Args:
            customer_id: the account's `sub`, which is as good as its user name (Cognito API reference, AdminGetUser).

        Returns:
            None if there is no such account any more, or its owner never showed that the address is theirs.
        """
        try:
            user = self._client.admin_get_user(UserPoolId=self._pool, Username=customer_id)
        except self._client.exceptions.UserNotFoundException:
            return None
        known = {attribute["Name"]: attribute.get("Value", "") for attribute in user["UserAttributes"]}
        return known.get("email") if user["Enabled"] and known.get("email_verified") == "true" else None
