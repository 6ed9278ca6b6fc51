"""Who signs out has their refresh token revoked; and a browser that asks for the sign-in pages' icon is answered.

Sources: Amazon Cognito developer guide, "The token revocation endpoint" (statuses and errors), and RFC 7009, section
2.1: a client revokes its own tokens alone. The guide does not say what another client's token comes to; here, nothing,
as with any that is not valid. MiniStack revokes by the API's `RevokeToken`, and has no such endpoint.
"""

from typing import Any
from urllib.parse import parse_qs

from ministack.services import cognito

ENDPOINT, ICON = "/oauth2/revoke", "/favicon.ico"


def fill() -> None:
    """Add both to what MiniStack serves of Cognito."""
    from ministack import app  # it keeps what it imports, so it has to come after the fillers of that

    get, submit = app._handle_cognito_get_request, app._handle_cognito_body_request

    async def get_an_icon_too(method: str, path: str, headers: dict[str, str], query: dict[str, Any]) -> Any:
        return (204, {}, b"") if (method, path) == ("GET", ICON) else await get(method, path, headers, query)

    async def submit_a_token_too(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        if (method, path) == ("POST", ENDPOINT):
            return _revoke(headers, body)
        return await submit(method, path, headers, body, query)

    app._handle_cognito_get_request = get_an_icon_too
    app._handle_cognito_body_request = submit_a_token_too


def _revoke(headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """What the endpoint answers: status, headers, body."""
    form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    client_id, secret = cognito._authenticate_client(headers, form)
    client = cognito._find_pool_by_client_id(client_id)[2]
    if not client or secret != (client.get("ClientSecret") or ""):
        return cognito._oauth2_error("invalid_client", "Invalid client credentials.", 401)
    token = form.get("token", "")
    if not token or not client.get("EnableTokenRevocation", True):
        return cognito._oauth2_error("invalid_request", "There is no token, or its client revokes none.")
    claims = cognito._token_claims(token)
    if claims.get("token_use") in ("access", "id"):
        return cognito._oauth2_error("unsupported_token_type", "Only refresh tokens are revoked.")
    if claims.get("client_id") == client_id and cognito._signature_valid(token):
        cognito._revoke_token({"Token": token})
    return 200, {}, b""
