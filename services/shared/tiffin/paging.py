"""Page by page: a table's position as an opaque token for a client to send back."""

import base64
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tiffin.problems import Problem


def page_token(position: dict[str, Any] | None) -> str | None:
    """The token that asks for what comes after a position, or None at the end."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode() if position else None


def page_start(token: str | None, fields: Mapping[str, str], **fixed: str) -> dict[str, str] | None:
    """The position that a client's token stands for.

    Args:
        token: from `page_token`, or None for the first page.
        fields: the attributes that a position here has, each with the pattern of its values. DynamoDB would refuse the
            whole request over a value that no key can have: empty, of another type, longer than 1,024 bytes (Developer
            guide, "Quotas").
        fixed: attributes that must have these values: a token does not open another customer's list.

    Raises:
        Problem: the token is not one of ours.
    """
    if token is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(token.encode()))
        if (
            isinstance(position, dict)
            and position.keys() == fields.keys()
            and all(
                isinstance(position[name], str) and re.fullmatch(pattern, position[name])
                for name, pattern in fields.items()
            )
            and fixed.items() <= position.items()
        ):
            return position
    except (ValueError, RecursionError):  # no base64, no text, no JSON, or nested without end
        pass
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-page-token", "“next” is not a token from an earlier page.")
