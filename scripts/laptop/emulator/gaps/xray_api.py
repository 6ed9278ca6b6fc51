"""There is an X-Ray: a daemon that functions reach, and an API that answers for what it took.

Source: AWS Lambda developer guide, "Visualize Lambda function invocations using AWS X-Ray": the daemon runs beside the
function, at the address in `AWS_XRAY_DAEMON_ADDRESS`. MiniStack knows no service of that name.
"""

import os
from typing import Any

from ministack.core import router

from ...record import hooks
from ...record.xray import Api, Daemon


def fill() -> None:
    """Start the daemon, tell the function workers where it is, and register the service."""
    record = hooks.record()
    if record is None:
        return
    # Only now: it takes names from modules that other fillers change.
    from ministack import app

    # The workers' environment is a copy of this process's.
    os.environ["AWS_XRAY_DAEMON_ADDRESS"] = Daemon(record).address
    api = Api(record)

    async def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        return api.answer(path, body)

    app.SERVICE_HANDLERS["xray"] = handle_request
    router.SERVICE_PATTERNS["xray"] = {}
