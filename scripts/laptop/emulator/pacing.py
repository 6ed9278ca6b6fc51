"""Time in the emulator: waits pass as fast as the execution's clock says, and work gets the time that it needs.

This is no behaviour of AWS: there time passes as it does, and other people's work slows nobody down. MiniStack has one
factor for all waits of its process (`SFN_WAIT_SCALE`), and ends work after the seconds that the template names. A
function waits for an answer of AWS for as long as it has set its client to, which here is an answer of this machine.
"""

import math
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import stepfunctions

from .. import clock
from .gaps.execution_ends import current

# Where the worker's script has all packages at hand and has not imported the function yet.
_READY = "    _ms_install_invoke_depth()\n    try:\n"
_PATIENT = f"""
def _be_patient():
    import json, os
    try:
        from botocore.awsrequest import AWSHTTPConnectionPool as Pool
        from urllib3.util import Timeout
    except ImportError:
        return
    urlopen = Pool.urlopen

    def patient(self, *args, **kwargs):
        with open(os.path.join(os.environ["TMPDIR"], "{clock.FILE}")) as file:
            slowness = json.load(file)["slowness"]
        usual = [self.timeout.connect_timeout, self.timeout.read_timeout]
        connect, read = [each * slowness if isinstance(each, (int, float)) else each for each in usual]
        kwargs["timeout"] = Timeout(connect=connect, read=read)
        return urlopen(self, *args, **kwargs)

    Pool.urlopen = patient
"""


def fill() -> None:
    """Take the clock into waits, and the machine's slowness into the limits of tasks, functions and their clients."""
    _waits()
    _tasks()
    _functions()


def _waits() -> None:
    sleep = stepfunctions._scaled_sleep

    def scaled_sleep(seconds: float) -> None:
        sleep(clock.of(current.get()).real_seconds(seconds))

    stepfunctions._scaled_sleep = scaled_sleep


def _tasks() -> None:
    work = stepfunctions._invoke_resource_with_timeout

    def invoke_resource_with_timeout(resource: str, data: Any, timeout: float) -> Any:
        return work(resource, data, clock.current().enough_seconds(timeout))

    stepfunctions._invoke_resource_with_timeout = invoke_resource_with_timeout


def _functions() -> None:
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if _READY not in script:
        raise LookupError("MiniStack's Python worker is not the one that this was written for.")
    lambda_runtime._PYTHON_WORKER_SCRIPT = _PATIENT + script.replace(
        _READY, _READY.replace("    try:", "    _be_patient()\n    try:")
    )
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
