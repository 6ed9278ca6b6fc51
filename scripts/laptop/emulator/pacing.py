"""Time in the emulator: waits pass as fast as the execution's clock says, and work gets the time that it needs.

This is no behaviour of AWS: there time passes as it does, and other people's work slows nobody down. MiniStack has one
factor for all waits of its process (`SFN_WAIT_SCALE`), and ends work after the seconds that the template names.
"""

import math
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import stepfunctions

from .. import clock
from .gaps.execution_ends import current


def fill() -> None:
    """Take the clock into waits, and the machine's slowness into the limits of tasks and functions."""
    sleep, work = stepfunctions._scaled_sleep, stepfunctions._invoke_resource_with_timeout

    def scaled_sleep(seconds: float) -> None:
        execution = current.get()
        counts = clock.current() if execution is None else clock.of(execution)
        sleep(counts.real_seconds(seconds))

    def invoke_resource_with_timeout(resource: str, data: Any, timeout: float) -> Any:
        return work(resource, data, clock.current().enough_seconds(timeout))

    stepfunctions._scaled_sleep = scaled_sleep
    stepfunctions._invoke_resource_with_timeout = invoke_resource_with_timeout

    invoke = lambda_runtime.Worker.invoke

    def invoke_worker(self: Any, *args: Any, **kwargs: Any) -> Any:
        # One invocation has the worker for itself, and what it reads the limit from.
        config = self.config
        limit = math.ceil(clock.current().enough_seconds(config.get("Timeout", 3)))
        self.config = {**config, "Timeout": limit}
        try:
            return invoke(self, *args, **kwargs)
        finally:
            self.config = config

    lambda_runtime.Worker.invoke = invoke_worker
