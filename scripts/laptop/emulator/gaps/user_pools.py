"""What an app client may read of a user is in the ID token, and no more; what it may not write, its user cannot.

Sources: Amazon Cognito API reference, `CreateUserPoolClient` (`ReadAttributes`, `WriteAttributes`), and developer
guide, "Understanding the identity (ID) token" and "Refresh tokens": a token that was refreshed names the user's groups,
too. MiniStack keeps both lists and heeds neither, and leaves the groups out of refreshed tokens.
"""

from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cognito


def fill() -> None:
    """Wrap what makes tokens, and what a user's own token may change."""
    make_token = cognito._fake_token
    update = cognito._update_user_attributes

    def make_token_of_what_may_be_read(
        sub: str, pool_id: str, client_id: str, kind: str = "access", username: str = "", **claims: Any
    ) -> Any:
        if claims.get("groups") is None and username:
            claims["groups"] = cognito._get_pool_unscoped(pool_id)["_users"][username].get("_groups", [])
        if readable := _client(client_id).get("ReadAttributes"):
            claims["user_attrs"] = {k: v for k, v in (claims.get("user_attrs") or {}).items() if k in readable}
        return make_token(sub, pool_id, client_id, kind, username, **claims)

    def update_what_may_be_written(data: dict[str, Any]) -> Any:
        writable = _client(cognito._token_claims(data.get("AccessToken", "")).get("client_id", "")).get(
            "WriteAttributes"
        )
        if writable and {attribute["Name"] for attribute in data.get("UserAttributes", [])} - set(writable):
            return error_response_json(
                "NotAuthorizedException", "A client attempted to write unauthorized attribute", 400
            )
        return update(data)

    cognito._fake_token = make_token_of_what_may_be_read
    cognito._update_user_attributes = update_what_may_be_written


def _client(client_id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = cognito._find_pool_by_client_id(client_id)[2]
    return found or {}
