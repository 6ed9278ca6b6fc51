"""The two JSONatas: what the emulator makes of an expression is recorded, and the reference implementation is asked.

Step Functions implements JSONata 2.0.6 (developer guide, "Transforming data with JSONata in Step Functions"); npm's
`jsonata` of that version is the reference. The emulator has a port to Python.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonata.timebox import Timebox
from ministack.services import stepfunctions

from worlds import ROOT

REFERENCE = ROOT / "scripts" / "jsonata-js"
NODE = Path(sys.executable).with_name("node")
NOW = 1777919400000


class Recorder:
    """Records what the emulator evaluates, while workflows are stepped through.

    Attributes:
        cases: expression, `$states` and variables of each different evaluation.
        outcomes: what came of each: a value, undefined, or an error's code.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cases: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._evaluate = stepfunctions._evaluate_jsonata
        monkeypatch.setattr(Timebox, "current_milli_time", staticmethod(lambda: NOW))
        monkeypatch.setattr(stepfunctions, "_evaluate_jsonata", self._recorded)

    def evaluate(self, expression: str, states: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Let the emulator evaluate an expression, and record it; returns what came of it."""
        case = _copied({"expression": expression, "states": states, "variables": variables, "now": NOW})
        context = case["states"].get("context", {}) | {"variables": case["variables"]}
        given = case["states"].get("input"), context, case["states"].get("result"), case["states"].get("errorOutput")
        try:
            outcome = {"value": self._evaluate(expression, *given)}
        except stepfunctions._ExecutionError as error:
            outcome = _failure(error)
        if (key := json.dumps(case, sort_keys=True)) not in self._seen:
            self._seen.add(key)
            self.cases.append(case)
            self.outcomes.append(_copied(outcome))
        return outcome

    def _recorded(
        self, expression: str, given: Any, context: Any = None, result: Any = None, error_output: Any = None
    ) -> Any:
        context = dict(context or {})
        variables = context.pop("variables", {})
        states = {"input": given, "context": context, "result": result, "errorOutput": error_output}
        self.evaluate(expression, {key: value for key, value in states.items() if value is not None}, variables)
        return self._evaluate(expression, given, context | {"variables": variables}, result, error_output)


def reference(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the reference implementation makes of the same cases, all in one process."""
    assert (REFERENCE / "node_modules" / "jsonata").is_dir(), "it is not installed here: `make unit` does it"
    done = subprocess.run(
        [NODE, "evaluate.mjs"], cwd=REFERENCE, input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def differences(cases: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> list[str]:
    """Where the two differ, one line each. Errors are compared by their code where both have one."""
    lines = []
    for case, ours, theirs in zip(cases, outcomes, reference(cases), strict=True):
        same_failure = "error" in ours and "error" in theirs and ours["error"] in ("", theirs["error"])
        if not same_failure and _plain(ours) != _plain(theirs):
            lines.append(f"{case['expression']}: the emulator says {ours}, JSONata {theirs}")
    return lines


def _failure(error: Any) -> dict[str, Any]:
    if "did not return a result" in error.cause:
        return {"undefined": True}
    code = error.cause.split(":")[0]
    return {"error": code if len(code) == 5 and code[1:].isdigit() else ""}


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _plain(value: Any) -> str:
    """JSON in which 1 and 1.0 are one number, as in JavaScript, and true is none."""

    def number(node: Any) -> Any:
        if isinstance(node, float) and node.is_integer():
            return int(node)
        if isinstance(node, dict):
            return {key: number(item) for key, item in node.items()}
        return [number(item) for item in node] if isinstance(node, list) else node

    return json.dumps(number(value), sort_keys=True)
