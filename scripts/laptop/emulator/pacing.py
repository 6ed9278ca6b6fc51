"""Time in the emulator: waits pass as fast as the execution's clock says, and work gets the time that it needs.

This is no behaviour of AWS: there time passes as it does, and other people's work slows nobody down. MiniStack has one
factor for all waits of its process (`SFN_WAIT_SCALE`), and ends work after the seconds that the template names. A
function waits for an answer of AWS for as long as it has set its client to, which here is an answer of this machine.
"""

import math
import queue
import sys
import time
import types
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import stepfunctions

from .. import clock
from .gaps.execution_ends import current

# Where the worker's script has all packages at hand and has not imported the function yet, where it begins, and where
# it sends an answer.
_READY = "    _ms_install_invoke_depth()\n"
_BEGUN = "    _real_stdout = sys.stdout\n"
_ANSWERED = "        _real_stdout.flush()\n\nrun()\n"
_PATIENT = f"""
def _be_patient():
    import json, os, socket
    set_timeout = socket.socket.settimeout

    def patient(self, seconds):
        if seconds:
            with open(os.path.join(os.environ["TMPDIR"], "{clock.FILE}")) as file:
                seconds *= json.load(file)["slowness"]
        set_timeout(self, seconds)

    socket.socket.settimeout = patient
"""
# What no function writes, with the request's id behind it: its log is whole up to here. It does not come if the
# environment died.
_END_OF_LOG = "\x04 end of the log of "
_NO_END_SECONDS = 5.0


# MiniStack lets each execution begin so many seconds late.
_LATE = 0.15


def fill() -> None:
    """Take the clock into waits, and the machine's slowness into the limits of tasks, functions and their clients."""
    _begin_at_once()
    _waits()
    _tasks()
    _functions()


def _begin_at_once() -> None:
    if f"    time.sleep({_LATE})\n" not in Path(stepfunctions.__file__).read_text("utf-8"):
        raise LookupError("MiniStack's executions do not begin as when this was written.")

    def sleep(seconds: float) -> None:
        if sys._getframe(1).f_code.co_name != "_run_execution":
            time.sleep(seconds)

    own = types.ModuleType("time")
    own.__dict__.update({**time.__dict__, "sleep": sleep})
    stepfunctions.time = own


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
    # MiniStack's own step imports botocore into each environment, for a counter that only boto3 would carry.
    ended = f"        print({_END_OF_LOG!r} + context.aws_request_id, file=_real_stderr, flush=True)\n"
    for old, new in (
        (_READY, "    _be_patient()\n"),
        (_BEGUN, _BEGUN + "    _real_stderr = sys.stderr\n"),
        (_ANSWERED, ended + _ANSWERED),
    ):
        if old not in script:
            raise LookupError("MiniStack's Python worker is not the one that this was written for.")
        script = script.replace(old, new)
    lambda_runtime._PYTHON_WORKER_SCRIPT = _PATIENT + script
    invoke, drain = lambda_runtime.Worker.invoke, lambda_runtime.Worker._drain_stderr_bounded

    def drain_log(self: Any, **limits: Any) -> str:
        # Other runtimes' workers say nothing of an end.
        python = str(self.config.get("Runtime", "python")).startswith("python")
        return _whole_log(self, self._asked) if python else drain(self, **limits)

    def invoke_worker(self: Any, event: Any, request_id: str, **kwargs: Any) -> Any:
        # One invocation has the worker for itself, and what it reads the limit from.
        config = self.config
        limit = math.ceil(clock.current().enough_seconds(config.get("Timeout", 3)))
        self.config, self._asked = {**config, "Timeout": limit}, request_id
        try:
            return invoke(self, event, request_id, **kwargs)
        finally:
            self.config = config

    lambda_runtime.Worker.invoke = invoke_worker
    lambda_runtime.Worker._drain_stderr_bounded = drain_log


def _whole_log(worker: Any, request_id: str) -> str:
    """What a function has written, up to its end.

    MiniStack does not know where that is: it polls each millisecond until nothing has come for five, and for fifty
    where the function writes nothing.
    """
    lines, until = list[str](), time.monotonic() + clock.current().enough_seconds(_NO_END_SECONDS)
    while time.monotonic() < until:
        over = not worker._stderr_thread.is_alive()
        try:
            line, end, whose = worker._stderr_queue.get(timeout=0.05).partition(_END_OF_LOG)
        except queue.Empty:
            # It had been over before there was nothing more: nothing can have come in between.
            if over:
                break
            continue
        if line or not end:
            lines.append(line)
        if end and whose == request_id:
            break
    return "\n".join(lines)
