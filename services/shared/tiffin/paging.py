"""Page by page: a table's position as an opaque token for a client to send back."""

import base64
import json
from collections.abc import Set
from http import HTTPStatus
from typing import Any

from tiffin.problems import Problem


def page_token(position: dict[str, Any] | None) -> str | None:
    """The token that asks for what comes after a position, or None at the end."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode() if position else None


def page_start(token: str | None, fields: Set[str], **fixed: str) -> dict[str, str] | None:
    """The position that a client's token stands for.

    Args:
        token: from `page_token`, or None for the first page.
        fields: the attributes that a position here has.
        fixed: attributes that must have these values: a token does not open another customer's list.

    Raises:
        Problem: the token is not one of ours.
    """
    if token is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(token.encode()))
        # An empty value is no key of a table: DynamoDB would refuse the whole request.
        if (
            isinstance(position, dict)
            and position.keys() == fields
            and all(isinstance(value, str) and value for value in position.values())
            and fixed.items() <= position.items()
        ):
            return position
    except (ValueError, RecursionError):  # no base64, no text, no JSON, or nested without end
        pass
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-page-token", "“next” is not a token from an earlier page.")
