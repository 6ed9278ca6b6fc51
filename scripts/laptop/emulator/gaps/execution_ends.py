"""An execution ends once: nothing that still runs for it changes its status, enters a state or writes history.

Source: Step Functions API reference, `StopExecution`, and developer guide, "Workflow timeouts". In MiniStack the
thread of an execution that was stopped goes on when the task it waits for ends, and marks it FAILED or SUCCEEDED.
"""

import contextlib
import threading
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import stepfunctions

from ... import clock

RUNNING = "RUNNING"
_LAST_EVENTS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}
_lock = threading.RLock()

current: ContextVar["Execution | None"] = ContextVar("current", default=None)
"""The execution that this thread works for; threads of branches and items inherit it."""


class ExecutionEnded(SystemExit):
    """Unwinds the thread of an execution that has ended meanwhile.

    No `Exception`, so that neither a `Catch` nor MiniStack's own handlers take it for an error of the task; and threads
    end silently on a `SystemExit`.
    """


class Execution(dict[str, Any]):
    """An execution's record, whose status leaves RUNNING once.

    Attributes:
        waiting: what wakes the threads that wait for a callback, by task token.
        clock: how time passes for it, from its beginning to its end.
    """

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record)
        self.waiting: dict[str, threading.Event] = {}
        self.clock = clock.current()

    def __setitem__(self, key: str, value: Any) -> None:
        with _lock:
            if key == "status":
                if self["status"] != RUNNING:
                    raise ExecutionEnded
                super().__setitem__(key, value)
                for event in self.waiting.values():
                    event.set()
                return
        super().__setitem__(key, value)

    def wait_with(self, token: str, event: threading.Event) -> None:
        """Wake a waiting thread when the execution ends; at once, if it has ended."""
        with _lock:
            self.waiting[token] = event
            if self["status"] != RUNNING:
                event.set()


class Executions(AccountRegionScopedDict):
    """The store of executions: what is put in is guarded."""

    def __setitem__(self, key: str, value: dict[str, Any]) -> None:
        # MiniStack goes on writing to its own reference of a Distributed Map's child.
        super().__setitem__(key, value if "mapRunArn" in value else Execution(value))


def fill() -> None:
    """Guard the store, and the three functions through which a thread acts for its execution."""
    stepfunctions._executions = Executions()
    run, add_event, stop = stepfunctions._run_execution, stepfunctions._add_event, stepfunctions._stop_execution

    def run_execution(arn: str) -> None:
        scope = current.set(stepfunctions._executions.get(arn))
        try:
            with contextlib.suppress(ExecutionEnded):
                run(arn)
        finally:
            current.reset(scope)

    def guarded_add_event(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
        with _lock:
            if execution["status"] != RUNNING and event_type not in _LAST_EVENTS:
                raise ExecutionEnded
            return add_event(execution, event_type, details)

    def stop_execution(data: dict[str, Any]) -> Any:
        try:
            return stop(data)
        except ExecutionEnded:
            # It ended between the check and the write: answer what the check would have.
            return stop(data)

    stepfunctions._run_execution = run_execution
    stepfunctions._add_event = guarded_add_event
    stepfunctions._stop_execution = stop_execution
