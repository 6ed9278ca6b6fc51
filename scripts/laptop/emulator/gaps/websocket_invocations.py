"""A WebSocket API invokes a function as everybody does: side by side, with its log lines, its trace and its errors.

Source: API Gateway developer guide, "Set up WebSocket API integration requests in API Gateway": a proxy integration is
an invocation like any other. MiniStack's WebSocket routes take the first worker that there is and wait for each other,
and what the function logs is never read; after a while it waits for somebody to read it.
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc


class _Environment:
    """Stands where a WebSocket route expects a worker."""

    def __init__(self, name: str, config: dict[str, Any], code_zip: bytes, qualifier: str = "$LATEST") -> None:
        self._record = {"config": config, "code_zip": code_zip}

    def invoke(self, event: Any, request_id: str) -> dict[str, Any]:
        """Invoke the function, and say it as a worker would."""
        result = lambda_svc._execute_function(self._record, event)
        response, error = lambda_svc.lambda_execute_result_to_api_proxy_response(result)
        return {"status": "error", "error": error} if error else {"status": "ok", "result": response}


def fill() -> None:
    """WebSocket routes alone ask for a worker in this way."""
    if not hasattr(lambda_runtime, "get_or_create_worker"):
        raise LookupError("MiniStack's WebSocket routes are not those that this filler was written for.")
    lambda_runtime.get_or_create_worker = _Environment
