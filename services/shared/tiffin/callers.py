"""Who calls a REST API, and which routes are theirs.

API Gateway verified the token (signature, issuer, expiry) and hands its claims on; what they mean is decided here, and
nowhere else.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tiffin.ids import CUSTOMER_ID, SLUG
from tiffin.problems import Problem
from tiffin.roles import Caller, Role

__all__ = ["Access", "Caller", "Role", "caller_of", "let_in", "sign_in_needed"]

Access = Mapping[str, frozenset[Role] | None]
"""Whose each route is, by method and path (`GET /orders/{order_id}`); None is everybody's, signed in or not."""


def caller_of(event: Mapping[str, Any]) -> Caller:
    """Who sent a request.

    Args:
        event: an API Gateway REST proxy event, of a method with a Cognito authorizer.

    Raises:
        Problem: 401, nobody signed in, or the token is no ID token; 403, the account has not exactly one role.
    """
    claims = (event["requestContext"].get("authorizer") or {}).get("claims") or {}
    # An access token lacks the attributes that say whose orders a restaurant answers (Cognito developer guide,
    # "Understanding user pool JSON web tokens").
    if claims.get("token_use") != "id" or not re.fullmatch(CUSTOMER_ID, str(claims.get("sub", ""))):
        raise sign_in_needed()
    roles = _roles(claims.get("cognito:groups"))
    restaurant_id = claims.get("custom:restaurant_id")
    if len(roles) != 1:
        raise _no_role("An account has one role. Ask support to give this one its own.")
    [role] = roles
    if role is not Role.RESTAURANT:
        return Caller(claims["sub"], role)
    if not re.fullmatch(SLUG, str(restaurant_id)):
        raise _no_role("This account is no restaurant's yet. Ask support to name the restaurant.")
    return Caller(claims["sub"], role, restaurant_id)


def let_in(event: Mapping[str, Any], roles: frozenset[Role]) -> Caller:
    """Who sent a request to a route that is theirs.

    Raises:
        Problem: see `caller_of`; 403, it is others'.
    """
    caller = caller_of(event)
    if caller.role not in roles:
        raise Problem(HTTPStatus.FORBIDDEN, "not-your-role", f"This is not for a {caller.role}.")
    return caller


def sign_in_needed() -> Problem:
    """What a request gets that nobody signed in for; API Gateway's own answer to it says the same."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "sign-in-needed",
        "Sign in, and send the ID token: Authorization: Bearer …",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _no_role(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, "no-role", detail)


def _roles(groups: Any) -> set[Role]:
    """The roles among an account's groups. Several groups come as one text, with spaces or commas between them."""
    named = set(re.split(r"[\s,\[\]]+", groups)) if isinstance(groups, str) else set(groups or ())
    return {role for role in Role if role in named}
