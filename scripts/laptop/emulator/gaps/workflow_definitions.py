"""A definition that is none, or leads nowhere, is refused when a workflow is made or changed; not each execution of it.

Source: Step Functions API reference, `CreateStateMachine` and `UpdateStateMachine`, InvalidDefinition, and
`ValidateStateMachineDefinition`, which names the codes; Amazon States Language, "Transitions". MiniStack parses a
definition's JSONata, and CloudFormation makes a workflow there of whatever it is given.
"""

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners


def fill() -> None:
    """Look at each definition, by whichever way it comes."""
    jsonata, written = stepfunctions._validate_definition_jsonata, provisioners._sfn_definition

    def validate(definition: Any) -> str | None:
        return (_problem(definition) if isinstance(definition, str) else None) or jsonata(definition)

    def sfn_definition(props: dict[str, Any]) -> Any:
        definition = written(props)
        if problem := validate(definition):
            raise provisioners._sfn_handler_error(f"Invalid State Machine Definition: '{problem}'")
        return definition

    stepfunctions._validate_definition_jsonata = validate
    provisioners._sfn_definition = sfn_definition


def _problem(definition: str) -> str | None:
    try:
        machine = json.loads(definition)
    except ValueError as error:
        return f"INVALID_JSON_DESCRIPTION: {error}"
    return next(_lost(machine, ""), None)


def _lost(machine: Any, path: str) -> Iterator[str]:
    """What leads to no state, in a machine or in one within it."""
    states = machine.get("States") if isinstance(machine, dict) else None
    if not isinstance(states, dict):
        yield f"SCHEMA_VALIDATION_FAILED: The field 'States' is required at {path or '/'}"
        return
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'StartAt' target: {machine.get('StartAt')} at {path}/StartAt"
    for name, state in states.items():
        within = f"{path}/States/{name}"
        for field, target in _transitions(state):
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: Missing '{field}' target: {target} at {within}"
        for inner in (
            *state.get("Branches", ()),
            *(state[key] for key in ("ItemProcessor", "Iterator") if key in state),
        ):
            yield from _lost(inner, within)


def _transitions(state: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((field, state[field]) for field in ("Next", "Default") if field in state)
    yield from (("Next", rule.get("Next")) for rule in (*state.get("Choices", ()), *state.get("Catch", ())))
