"""A policy may say which identity sends mails, and from which address.

Source: Service authorization reference, "Actions, resources, and condition keys for Amazon Simple Email Service v2":
`ses:SendEmail` is authorized on the sender's identity, with `ses:FromAddress`. MiniStack authorizes it on no resource
and without condition keys, so that a policy that names either allows nothing there.
"""

import json
from contextvars import ContextVar
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id

_sender: ContextVar[str | None] = ContextVar("sender", default=None)


def fill() -> None:
    """Note the sender where an SES request is authorized, and add it to what policies are evaluated with."""
    from ministack import app

    authorize = app._enforce_ses_v2
    enforce = iam_evaluator.enforce

    def enforce_ses_v2(method: str, path: str, headers: Any, body: bytes, query_params: Any, request_id: str) -> Any:
        token = _sender.set(_from_address(body))
        try:
            return authorize(method, path, headers, body, query_params, request_id)
        finally:
            _sender.reset(token)

    def enforce_with_sender(*args: Any, service_context: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        if (sender := _sender.get()) is not None:
            service_context = {**(service_context or {}), "ses:FromAddress": sender}
            if kwargs.get("resource_arn", "*") == "*":
                kwargs["resource_arn"] = f"arn:aws:ses:{args[3]}:{get_account_id()}:identity/{sender}"
        return enforce(*args, service_context=service_context, **kwargs)

    app._enforce_ses_v2 = enforce_ses_v2
    iam_evaluator.enforce = enforce_with_sender


def _from_address(body: bytes) -> str | None:
    try:
        return json.loads(body).get("FromEmailAddress")
    except (ValueError, AttributeError):
        return None
