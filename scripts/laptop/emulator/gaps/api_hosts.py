"""A function that is told where an API is reaches it there.

Source: API Gateway developer guide, "Invoke a REST API in API Gateway" and "Use @connections commands in your backend
service": an API's id is part of a host name, which leads to it from anywhere. No such name leads to this machine, so
a function's environment variable that is the URL of an API names instead where the emulator serves it.
"""

import os
from typing import Any

from ministack.core import lambda_runtime

from ...environment import HOST, served_at


def fill() -> None:
    """Give the worker addresses of this machine."""
    spawn = lambda_runtime.Worker._spawn

    def spawn_with_addresses(self: Any) -> Any:
        kept = self.config
        endpoint = f"http://{HOST}:{os.environ['GATEWAY_PORT']}"
        variables = kept.get("Environment", {}).get("Variables", {})
        found = {name: served_at(value, endpoint) for name, value in variables.items()}
        if found == variables:
            return spawn(self)
        self.config = {**kept, "Environment": {"Variables": found}}
        try:
            return spawn(self)
        finally:
            self.config = kept

    lambda_runtime.Worker._spawn = spawn_with_addresses
