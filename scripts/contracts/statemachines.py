"""Check state machines as far as that can be done without running them.

`sam validate --lint` does not look into a `DefinitionUri` file. So each definition is put inline into a template of one
resource, for cfn-lint's own validator of the States Language (rule E3601), and what that does not see is checked here:
where transitions lead, which variables can be unassigned where they are read, whether JSONata parses, whether arguments
are what the service takes, and what Tiffin promises (comments, timeouts, known events).
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonata
from cfnlint.config import ConfigMixIn
from cfnlint.rules import Rules
from cfnlint.runner import Runner, run_template_by_data
from jsonata.parser import Parser

from . import arguments, schemas
from .layout import no_duplicates

STATEMACHINES = Path(__file__).resolve().parents[2] / "statemachines"

# Three hours, as a literal that a reader finds: the promise of the order workflow.
PROMISED_TIMEOUTS = {"order.asl.json": 10800}

_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")
# "Transforming data with JSONata in Step Functions": no space before the first mark and none after the last.
_EXPRESSION = re.compile(r"\A\{%(.*)%\}\Z", re.DOTALL)
# Step Functions developer guide, "Transforming data with JSONata in Step Functions": JSONata's own functions but for
# $eval, and these. jsonata.org, "Function library".
_STEP_FUNCTIONS_ADDS = frozenset({"partition", "range", "hash", "random", "uuid", "parse"})
# States Language, "Retriers" and "Catchers" (states-language.net). cfn-lint lets any other field pass.
_RETRIER = frozenset(
    {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment"}
)
_CATCHER = frozenset({"ErrorEquals", "Next", "Output", "Assign", "Comment"})
_NESTED = ("Branches", "ItemProcessor", "Iterator")


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        state: name of the state, `-` for the state machine as a whole.
        message: what is wrong.
    """

    state: str
    message: str


class _Edge(NamedTuple):
    """A transition, and the variables that it assigns."""

    target: str
    assigns: frozenset[str]


def lint(text: str, name: str) -> list[Finding]:
    """Check one state machine.

    Args:
        text: the definition, JSON.
        name: its file name; some promises are made by one file only.

    Returns:
        What is wrong, in no meaningful order; empty if nothing is.
    """
    try:
        machine = json.loads(text, object_pairs_hook=no_duplicates)
    except ValueError as error:
        return [Finding("-", f"not JSON: {error}")]
    structure = list(_cfn_lint(machine))
    if structure:
        # What follows reads fields that may be missing or of another type.
        return structure
    findings = list(_promises(machine, name))
    findings += _scope(machine, frozenset(), _assigned_anywhere(machine))
    return findings


def _cfn_lint(machine: Any) -> Iterator[Finding]:
    # cfn-lint knows a task's resource by its partition.
    machine = json.loads(json.dumps(machine).replace("${Partition}", "aws"))
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/states", "Definition": machine}
    if names := _SUBSTITUTION.findall(json.dumps(machine)):
        properties["DefinitionSubstitutions"] = dict.fromkeys(names, "substituted")
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": resource}}
    config, rules = _cfn_rules()
    for match in run_template_by_data(template, config, rules):
        path = [str(part) for part in getattr(match, "path", None) or []][4:]
        state = next((path[i + 1] for i in reversed(range(len(path) - 1)) if path[i] == "States"), "-")
        yield Finding(state, f"{match.message} [{match.rule.id} at /{'/'.join(path)}]")


@lru_cache(maxsize=1)
def _cfn_rules() -> tuple[ConfigMixIn, Rules]:
    # Reading its 320 rules is most of what cfn-lint does; once is enough.
    config = ConfigMixIn(regions=["us-east-1"])
    return config, Runner(config).rules


def _promises(machine: dict[str, Any], name: str) -> Iterator[Finding]:
    timeout = machine.get("TimeoutSeconds")
    if timeout is None:
        yield Finding("-", "no TimeoutSeconds: an execution could stay open for a year")
    promised = PROMISED_TIMEOUTS.get(name, timeout)
    if timeout != promised:
        yield Finding("-", f"TimeoutSeconds is {timeout}, but {promised} is promised")
    if not machine.get("Comment"):
        yield Finding("-", "no Comment")


def _scope(machine: dict[str, Any], outer: frozenset[str], somewhere: frozenset[str]) -> Iterator[Finding]:
    """Check the states of one scope: a state machine, a branch of a Parallel or the processor of a Map.

    Args:
        machine: has `StartAt` and `States`.
        outer: variables surely assigned where the scope begins; inner scopes can read them.
        somewhere: variables that any state of the whole machine assigns.
    """
    states = machine["States"]
    edges = {name: list(_edges(state)) for name, state in states.items()}
    for name, state in states.items():
        for edge in edges[name]:
            if edge.target not in states:
                yield Finding(name, f"leads to {edge.target!r}, which is no state here")
        if not state.get("Comment"):
            yield Finding(name, "no Comment")
        yield from (Finding(name, message) for message in arguments.check(state))
        yield from _errors_handled(name, state)
        yield from _announcements(name, state)

    assigned = _surely_assigned(machine["StartAt"], edges, outer)
    for name in states.keys() - assigned.keys():
        yield Finding(name, "cannot be reached")
    if not any(_ends(states[name]) for name in assigned):
        yield Finding("-", f"no end can be reached from {machine['StartAt']!r}")
    for name, here in assigned.items():
        for place, expression in _expressions(states[name], ()):
            yield from (Finding(name, m) for m in _expression(place, expression, states[name], here, somewhere))
        for nested in _nested(states[name]):
            yield from _scope(nested, here, somewhere)


def _edges(state: dict[str, Any]) -> Iterator[_Edge]:
    own = frozenset(state.get("Assign", {}))
    for field in ("Next", "Default"):
        if field in state:
            yield _Edge(state[field], own)
    for rule in (*state.get("Choices", []), *state.get("Catch", [])):
        if "Next" in rule:
            yield _Edge(rule["Next"], frozenset(rule.get("Assign", {})))


def _surely_assigned(start: str, edges: dict[str, list[_Edge]], outer: frozenset[str]) -> dict[str, frozenset[str]]:
    """For every state that can be reached: the variables that every way to it has assigned."""
    assigned = {start: outer}
    todo = [start]
    while todo:
        name = todo.pop()
        for edge in edges[name]:
            if edge.target not in edges:
                continue
            arriving = assigned[name] | edge.assigns
            before = assigned.get(edge.target)
            now = arriving if before is None else before & arriving
            if now != before:
                assigned[edge.target] = now
                todo.append(edge.target)
    return assigned


def _ends(state: dict[str, Any]) -> bool:
    return bool(state.get("End")) or state["Type"] in ("Succeed", "Fail")


def _nested(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field in _NESTED:
        inner = state.get(field, [])
        yield from inner if isinstance(inner, list) else [inner]


def _assigned_anywhere(machine: dict[str, Any]) -> frozenset[str]:
    found: set[str] = set()
    for state in machine["States"].values():
        for holder in (state, *state.get("Choices", []), *state.get("Catch", [])):
            found.update(holder.get("Assign", {}))
        for nested in _nested(state):
            found |= _assigned_anywhere(nested)
    return frozenset(found)


def _errors_handled(name: str, state: dict[str, Any]) -> Iterator[Finding]:
    for field, allowed in (("Retry", _RETRIER), ("Catch", _CATCHER)):
        handlers = state.get(field, [])
        for number, handler in enumerate(handlers):
            for unknown in sorted(handler.keys() - allowed):
                yield Finding(name, f"{field}/{number} has an unknown field {unknown!r}")
            wanted = handler["ErrorEquals"]
            # States Language, "Errors": States.ALL must appear alone, and in the last handler.
            if "States.ALL" in wanted and (len(wanted) > 1 or number < len(handlers) - 1):
                yield Finding(name, f"{field}/{number}: States.ALL must stand alone and come last")


def _announcements(name: str, state: dict[str, Any]) -> Iterator[Finding]:
    if "events:putEvents" not in str(state.get("Resource", "")):
        return
    entries = state.get("Arguments", {}).get("Entries", [])
    if len(entries) != 1:
        # A retry sends all entries again: Step Functions developer guide, "Add EventBridge events".
        yield Finding(name, f"announces {len(entries)} events, not one: a retry would repeat those that went well")
    for entry in entries:
        event, source = entry.get("DetailType"), entry.get("Source")
        if _EXPRESSION.match(str(event)):
            continue  # known only when it runs; the workflow's own tests look at what arrives on the bus
        if event not in schemas.names():
            yield Finding(name, f"announces {event!r}, which has no contract in events/schemas")
        elif source != schemas.current().source(event):
            yield Finding(name, f"announces {event} as {source!r}, not as its contract says")


def _expressions(node: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string of a state that holds JSONata, with its place; nested scopes are left out."""
    if isinstance(node, dict):
        for key, value in node.items():
            if place or key not in _NESTED:
                yield from _expressions(value, (*place, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _expressions(value, (*place, str(number)))
    elif isinstance(node, str) and ("{%" in node or "%}" in node) and place[-1] != "Comment":
        yield place, node


def _expression(
    place: tuple[str, ...], text: str, state: dict[str, Any], assigned: frozenset[str], somewhere: frozenset[str]
) -> Iterator[str]:
    where = "/".join(place)
    whole = _EXPRESSION.match(text)
    if not whole:
        yield f"{where}: {{% … %}} must be the whole string, or it is taken literally"
        return
    try:
        tree = jsonata.Jsonata(whole[1]).ast
    except jsonata.JException as error:
        yield f"{where}: not JSONata: {error} [{error.error}]"
        return
    nodes = list(_walk(tree, set()))
    bound = {node.lhs.value for node in nodes if node.type == "bind"}
    bound |= {argument.value for node in nodes if node.type == "lambda" for argument in node.arguments}
    read = {node.value for node in nodes if node.type == "variable"} - bound - {"states"}
    # `$` is what a predicate or a function looks at, `$$` the document, which Step Functions leaves undefined.
    for name in sorted(read - _functions() - {""}):
        if name not in somewhere:
            yield f"{where}: ${name} is assigned nowhere"
        elif name not in assigned:
            yield f"{where}: ${name} may be unassigned: there is a way here that does not assign it"
    for node in nodes:
        if node.type == "path" and node.steps[0].value == "states" and len(node.steps) > 1:
            member = node.steps[1].value
            if member not in _members(place, state):
                yield f"{where}: $states.{member} is not to be had here"


def _members(place: tuple[str, ...], state: dict[str, Any]) -> frozenset[str]:
    """What `$states` has at a place (Step Functions developer guide, "Reserved variable: $states")."""
    members = {"input", "context"}
    if place[0] == "Catch":
        members.add("errorOutput")
    elif place[0] in ("Assign", "Output") and state["Type"] in ("Task", "Parallel", "Map"):
        members.add("result")
    return frozenset(members)


def _walk(node: Any, seen: set[int]) -> Iterator[Parser.Symbol]:
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _walk(item, seen)
    elif isinstance(node, Parser.Symbol) and id(node) not in seen:
        seen.add(id(node))
        yield node
        for value in list(vars(node).values()):
            yield from _walk(value, seen)


@lru_cache(maxsize=1)
def _functions() -> frozenset[str]:
    own = frozenset(jsonata.Jsonata("1").static_frame.bindings)
    return (own | _STEP_FUNCTIONS_ADDS) - {"eval"}
