"""A state machine as a picture for people who do not read ASL, in Mermaid, which GitHub draws."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

WAIT = ".waitForTaskToken"
# A state by what it does: Mermaid's brackets for its shape, and the class that colours it.
_LOOKS = {
    "choice": ("{{", "}}"),
    "wait": ("([", "])"),
    "announce": (">", "]"),
    "pay": ("[[", "]]"),
    "fail": ("[", "]"),
    "final": ("(((", ")))"),
    "task": ("[", "]"),
}
_COLOURS = {
    "choice": "fill:#fff7d6,stroke:#b58900,color:#222",
    "wait": "fill:#dbeafe,stroke:#1d4ed8,color:#222",
    "announce": "fill:#dcfce7,stroke:#15803d,color:#222",
    "pay": "fill:#f3e8ff,stroke:#7e22ce,color:#222",
    "fail": "fill:#fee2e2,stroke:#b91c1c,color:#222",
    "final": "fill:#f5f5f4,stroke:#57534e,color:#222",
    "task": "fill:#f5f5f4,stroke:#57534e,color:#222",
}
# What went wrong, in plain words. A write is refused if another one was first.
_ERRORS = {"Timeout": "no answer in time", "ConditionalCheckFailedException": "already settled"}
_OTHERWISE = "otherwise"


class Transition(NamedTuple):
    """One way from a state to another.

    Attributes:
        target: the state that it leads to.
        label: when it is taken; empty if it is simply what comes next.
        caught: whether an error leads there.
    """

    target: str
    label: str = ""
    caught: bool = False


def transitions(state: dict[str, Any]) -> Iterator[Transition]:
    """Where a state may go, the usual way first."""
    if "Next" in state:
        yield Transition(state["Next"])
    for choice in state.get("Choices", []):
        yield Transition(choice["Next"], _condition(choice.get("Condition", "")))
    if "Default" in state:
        yield Transition(state["Default"], _OTHERWISE)
    for catcher in state.get("Catch", []):
        errors = (error.rsplit(".", 1)[-1] for error in catcher["ErrorEquals"])
        yield Transition(catcher["Next"], ", ".join(_ERRORS.get(error, _words(error)) for error in errors), caught=True)


def mermaid(definition: dict[str, Any]) -> str:
    """Draw it, as a flowchart from top to bottom.

    Args:
        definition: the ASL.
    """
    states = definition["States"]
    lines = ["flowchart TD"]
    for name, state in states.items():
        kind = _kind(state)
        opening, closing = _LOOKS[kind]
        lines.append(f'  {name}{opening}"{_label(name, state)}"{closing}:::{kind}')
    for name, state in states.items():
        ways: dict[tuple[str, bool], list[str]] = {}
        for way in transitions(state):
            ways.setdefault((way.target, way.caught), []).append(way.label)
        for (target, caught), labels in ways.items():
            # Whatever leads where all else leads needs no name.
            label = _OTHERWISE if _OTHERWISE in labels else ", ".join(filter(None, labels))
            arrow = "-.->" if caught else "-->"
            lines.append(f"  {name} {arrow}" + (f'|"{label}"|' if label else "") + f" {target}")
    used = {_kind(state) for state in states.values()}
    lines += [f"  classDef {kind} {colours}" for kind, colours in _COLOURS.items() if kind in used]
    return "\n".join(lines) + "\n"


def _kind(state: dict[str, Any]) -> str:
    resource = state.get("Resource", "")
    if state["Type"] in ("Choice", "Fail"):
        return str(state["Type"]).lower()
    if state["Type"] == "Succeed" or state.get("End"):
        return "final"
    if resource.endswith(WAIT):
        return "wait"
    kinds = {"events:putEvents": "announce", "lambda:invoke": "pay"}
    return next((kind for ending, kind in kinds.items() if resource.endswith(ending)), "task")


def _label(name: str, state: dict[str, Any]) -> str:
    label = _words(name).capitalize() + ("?" if state["Type"] == "Choice" else "")
    if state.get("Resource", "").endswith(WAIT) and "TimeoutSeconds" in state:
        label += f"<br>{state['TimeoutSeconds'] // 60} minutes at most"
    return label


def _condition(expression: str) -> str:
    """The values that a condition asks for, in plain words; if it asks for none, what it looks at."""
    values = re.findall(r"'([^']+)'", expression) or re.findall(r"\.(\w+)", expression)[-1:]
    return ", ".join(value.lower().replace("_", " ") for value in values)


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
