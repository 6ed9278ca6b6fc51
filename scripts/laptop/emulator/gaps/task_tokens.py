"""A task token is good for one attempt of one task of a running execution; a callback with any other is `TaskTimedOut`.

Source: Step Functions API reference, `SendTaskSuccess` ("The task token has either expired or the task associated with
the token has already been closed"), and developer guide, "Wait for a callback with task token". In MiniStack a second
callback overwrites the first, a token outlives its execution, every retry of a task waits with the same token, and a
token that is spent is `TaskDoesNotExist`.
"""

import threading
from collections.abc import Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, new_uuid
from ministack.services import stepfunctions

from ... import clock
from .execution_ends import RUNNING, current

_lock = threading.Lock()
_Handler = Callable[..., Any]


class Tokens(AccountRegionScopedDict):
    """The store of tokens that are waited for; it remembers those that no longer are."""

    def __init__(self) -> None:
        super().__init__()
        self.spent: set[str] = set()
        self._machines: dict[str, str] = {}

    def machine_of(self, token: str) -> str | None:
        """ARN of the state machine that a token was made for, spent or not."""
        return self._machines.get(token)

    def __setitem__(self, token: str, task: dict[str, Any]) -> None:
        execution = current.get()
        task["execution"] = execution
        super().__setitem__(token, task)
        if execution is not None:
            self._machines[token] = execution["stateMachineArn"]
            execution.wait_with(token, task["event"])

    def pop(self, token: str, *default: Any) -> Any:
        with _lock:
            self.spent.add(token)
            return super().pop(token, *default)


def fill() -> None:
    """Guard the store and the three callbacks, and make a token for each attempt."""
    tokens = stepfunctions._task_tokens = Tokens()

    def guarded(handler: _Handler) -> _Handler:
        def callback(data: dict[str, Any]) -> Any:
            token = data.get("taskToken")
            with _lock:
                task = tokens.get(token)
                execution = task and task["execution"]
                ended = execution is not None and execution["status"] != RUNNING
                if token in tokens.spent or ended or (task and task["event"].is_set()):
                    return error_response_json(
                        "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'", 400
                    )
                return handler(data)

        return callback

    for name in ("_send_task_success", "_send_task_failure", "_send_task_heartbeat"):
        setattr(stepfunctions, name, guarded(getattr(stepfunctions, name)))

    def with_new_token(evaluate: _Handler) -> _Handler:
        # MiniStack evaluates a task's arguments at each attempt, and then waits with the token in the context.
        def evaluated(state: dict[str, Any], data: Any, ctx: dict[str, Any] | None = None) -> Any:
            if ctx is not None and ".waitForTaskToken" in str(state.get("Resource", "")):
                ctx["Task"] = {"Token": new_uuid()}
            return evaluate(state, data, ctx)

        return evaluated

    for name in ("_apply_jsonata_arguments", "_apply_parameters"):
        setattr(stepfunctions, name, with_new_token(getattr(stepfunctions, name)))

    wait = stepfunctions._invoke_with_callback

    def invoke_with_callback(resource: str, data: Any, token: str, state: dict[str, Any]) -> Any:
        if isinstance(state.get("TimeoutSeconds"), int | float):
            state = {**state, "TimeoutSeconds": clock.of(current.get()).real_seconds(state["TimeoutSeconds"])}
        return wait(resource, data, token, state)

    stepfunctions._invoke_with_callback = invoke_with_callback
