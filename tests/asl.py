"""A state machine that is stepped by hand: one state at a time, with answers lost, time running out, or death at will.

The definitions are the real ones. Their expressions are evaluated by the emulator's own JSONata, so a state means here
what it means there; only who goes next, and what gets lost, is the test's to say.
"""

import copy
import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ministack.services import stepfunctions
from tiffin.events import rfc3339
from worlds import ROOT

WAITS = ".waitForTaskToken"
# Far more states than any execution enters: whoever steps on without end is told.
MANY = 60


class TaskFailed(Exception):
    """A task's error, by the name that Retry and Catch match."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


def machine(name: str, **substitutions: str) -> dict[str, Any]:
    """A definition of `statemachines/`, its `${…}` filled in."""
    text = (ROOT / "statemachines" / f"{name}.asl.json").read_text()
    for key, value in substitutions.items():
        text = text.replace("${" + key + "}", value)
    return dict(json.loads(text))


class Execution:
    """One execution.

    Args:
        definition: the state machine.
        name: the execution's.
        given: its input.
        call: performs a task; gets resource and arguments, returns the result or raises `TaskFailed`.

    Attributes:
        status: RUNNING, SUCCEEDED, FAILED, ABORTED or TIMED_OUT.
        token: what a callback must bring, while it waits for one.
        entered: the states it went through.
    """

    def __init__(
        self, definition: dict[str, Any], name: str, given: Any, call: Callable[[str, dict[str, Any]], Any]
    ) -> None:
        self._states, self._call, self.name = definition["States"], call, name
        self.status = "RUNNING"
        self.token: str | None = None
        self.error: str | None = None
        self.entered: list[str] = []
        self._variables: dict[str, Any] = {}
        self._execution = {"Id": f"arn:{name}", "Name": name, "Input": given, "StartTime": rfc3339()}
        self._enter(definition["StartAt"], given)

    @property
    def at(self) -> str:
        """The state it is in."""
        return self.entered[-1]

    @property
    def can_step(self) -> bool:
        """Whether it runs and waits for nobody."""
        return self.status == "RUNNING" and self.token is None

    def step(self, answer_lost: bool = False) -> None:
        """Run the present state.

        Args:
            answer_lost: the task is done, but its answer never arrives: it is tried again, as after any failure.
        """
        assert self.can_step
        state = self._states[self.at]
        match state["Type"]:
            case "Succeed":
                self.status = "SUCCEEDED"
            case "Fail":
                self._end("FAILED", state["Error"])
            case "Choice":
                chosen = next((c for c in state["Choices"] if self._evaluate(c["Condition"])), state)
                self._assign(chosen)
                self._enter(chosen.get("Next") or chosen["Default"], self._input)
            case "Task":
                self._task(state, answer_lost)
            case other:
                raise NotImplementedError(other)

    def call_back(self, output: Any) -> None:
        """Bring the answer that it waits for."""
        assert self.token is not None
        self.token = None
        state = self._states[self.at]
        try:
            self._finish(state, output)
        except stepfunctions._ExecutionError as failure:
            self._failed(state, failure.error)

    def wait_is_over(self) -> None:
        """Let the waiting state's own time run out."""
        assert self.token is not None
        assert "TimeoutSeconds" in self._states[self.at]
        self.token = None
        self._failed(self._states[self.at], "States.Timeout")

    def die(self, status: str) -> None:
        """Stop it (ABORTED) or let its whole time run out (TIMED_OUT)."""
        assert self.status == "RUNNING"
        self._end(status, None)

    def asks(self) -> Callable[[], None]:
        """What the present state asks for, for whoever lets it happen though its answer is never heard.

        Returns:
            Does it, now or later: once, and whether or not the execution still runs. Does nothing if it is no task.
        """
        state = self._states[self.at]
        if state["Type"] != "Task" or self.token:
            return lambda: None
        self._context["Task"] = {"Token": uuid.uuid4().hex}
        arguments = self._fill(state.get("Arguments", {}))

        def happens() -> None:
            with suppress(TaskFailed):
                self._call(state["Resource"], arguments)

        return happens

    def fail(self, error: str, times: int = 99) -> int:
        """Let the present state fail, whenever it is tried, until it is given up.

        Args:
            error: the error's name.
            times: how often at most.

        Returns:
            How often it was tried.
        """
        state, at, tried = self._states[self.at], len(self.entered), 0
        self.token = None
        while tried < times and self.status == "RUNNING" and len(self.entered) == at:
            self._failed(state, error)
            tried += 1
        return tried

    def twin(self) -> "Execution":
        """The same execution at the same moment, to come back to."""
        twin = copy.copy(self)
        twin.entered, twin._variables, twin._attempts = [*self.entered], dict(self._variables), dict(self._attempts)
        twin._context = self._context | {"variables": twin._variables}
        return twin

    def _task(self, state: dict[str, Any], answer_lost: bool) -> None:
        token = uuid.uuid4().hex
        self._context["Task"] = {"Token": token}
        try:
            result = self._call(state["Resource"], self._fill(state.get("Arguments", {})))
        except TaskFailed as failure:
            self._failed(state, failure.error)
            return
        if answer_lost:
            self._failed(state, "Test.AnswerLost")
        elif state["Resource"].endswith(WAITS):
            self.token = token
        else:
            self._finish(state, result)

    def _failed(self, state: dict[str, Any], error: str) -> None:
        for number, retry in enumerate(state.get("Retry", [])):
            if _matches(retry["ErrorEquals"], error):
                self._attempts[number] = self._attempts.get(number, 0) + 1
                if self._attempts[number] <= retry["MaxAttempts"]:
                    return
                break
        for catch in state.get("Catch", []):
            if _matches(catch["ErrorEquals"], error):
                self._assign(catch)
                self._enter(catch["Next"], {"Error": error})
                return
        self._end("FAILED", error)

    def _finish(self, state: dict[str, Any], result: Any) -> None:
        output = self._fill(state["Output"], result) if "Output" in state else result
        self._assign(state, result)
        if state.get("End"):
            self.status = "SUCCEEDED"
        else:
            self._enter(state["Next"], output)

    def _enter(self, state: str, given: Any) -> None:
        assert len(self.entered) < MANY, f"it goes in a circle: {self.entered[-6:]}"
        self.entered.append(state)
        self._input, self._attempts = given, dict[int, int]()
        self._context = {
            "QueryLanguage": "JSONata",
            "Execution": self._execution,
            "State": {"Name": state, "EnteredTime": rfc3339(), "RetryCount": 0},
            "variables": self._variables,
        }

    def _end(self, status: str, error: str | None) -> None:
        self.status, self.error, self.token = status, error, None

    def _assign(self, holder: dict[str, Any], result: Any = None) -> None:
        self._variables |= {name: self._fill(value, result) for name, value in holder.get("Assign", {}).items()}
        self._context["variables"] = self._variables

    def _fill(self, template: Any, result: Any = None) -> Any:
        return stepfunctions._apply_jsonata_template(template, self._input, self._context, result)

    def _evaluate(self, expression: str) -> Any:
        return self._fill(expression)


def _matches(names: list[str], error: str) -> bool:
    return error in names or "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")
