"""An event bus has a policy, and whoever announces is judged by source and detail type.

Source: CloudFormation template reference, `AWS::Events::EventBusPolicy`; EventBridge user guide, "Using resource-based
policies" and "Using IAM policy conditions"; service authorization reference, "Actions, resources, and condition keys
for Amazon EventBridge": `PutEvents` has the keys `events:source` and `events:detail-type`. A call that is denied for
one entry is denied as a whole (`AccessDeniedException`). An explicit Deny in the policy holds for the account's root as
well (IAM user guide, "Policy evaluation logic"), and `aws:PrincipalArn` of a session is its role's ARN (same,
"AWS global condition context keys"). `PutPermission` with a `Policy` writes it whole (EventBridge API reference).
MiniStack has neither the resource type nor the evaluation nor the keys, gives the session's ARN, and makes a statement
that allows all of a `Policy`.
"""

import json
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import eventbridge, iam
from ministack.services.cloudformation import provisioners

_PUT_EVENTS = "events:PutEvents"
_LOOKUP = "tiffin_bus_policy"
_SESSION = ":assumed-role/"
_entries: ContextVar[list[dict[str, Any]]] = ContextVar("entries", default=[])  # noqa: B039 - never changed


def fill() -> None:
    """Add the resource type, the policy and the keys, and let the policy judge the root too."""
    provisioners._RESOURCE_HANDLERS["AWS::Events::EventBusPolicy"] = {
        "create": _create,
        "update": _update,
        "delete": _delete,
    }
    setattr(eventbridge, _LOOKUP, _policy)
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["events"] = ("eventbridge", _LOOKUP)
    extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce
    resolve_key, put_statement = iam_evaluator._resolve_condition_key, eventbridge._put_permission

    def put_permission(data: dict[str, Any]) -> Any:
        if "Policy" not in data:
            return put_statement(data)
        _keep(data.get("EventBusName", "default"), json.loads(data["Policy"])["Statement"])
        return json_response({})

    def extract_resource_arn(service: str, method: str, path: str, headers: Any, body: bytes, *args: Any) -> Any:
        _entries.set(_entries_of(body) if service == "events" else [])
        return extract(service, method, path, headers, body, *args)

    def enforce_each_entry(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        if action != _PUT_EVENTS:
            return enforce(access_key, action, service, region, resource_arn, service_context)
        for entry in [entry for entry in _entries.get() if bus_arn(entry) == resource_arn] or [{}]:
            keys = keys_of(entry)
            denied = enforce(access_key, action, service, region, resource_arn, {**(service_context or {}), **keys})
            if denied or (denied := _denied_as_root(access_key, region, resource_arn, keys)):
                return denied
        return None

    def resolve_condition_key(key: str, context: Any) -> Any:
        value = resolve_key(key, context)
        return _role_of(value) if key.lower() == "aws:principalarn" else value

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_evaluator.enforce = enforce_each_entry
    iam_evaluator._resolve_condition_key = resolve_condition_key
    eventbridge._put_permission = put_permission


def keys_of(entry: dict[str, Any]) -> dict[str, str]:
    """The condition keys of one entry of `PutEvents`: without those whose member it lacks."""
    named = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
    return {key: value for key, value in named.items() if isinstance(value, str) and value}


def bus_arn(entry: dict[str, Any]) -> str:
    """The bus that an entry of `PutEvents` is for, which it names, or gives the ARN of."""
    bus = entry.get("EventBusName") or "default"
    return bus if str(bus).startswith("arn:") else _arn(bus)


def _arn(bus: str) -> str:
    return f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{bus}"


def _entries_of(body: bytes) -> list[dict[str, Any]]:
    try:
        entries = json.loads(body or b"{}").get("Entries")
    except (ValueError, AttributeError):
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


# --- The policy, as requests meet it ----------------------------------------------------------------------------------


def _policy(resource_arn: str) -> tuple[dict[str, Any], str] | None:
    """The policy of a bus and its owner's account, as the evaluator looks resource policies up."""
    _, is_bus, name = resource_arn.partition(":event-bus/")
    policy = eventbridge._event_bus_policies.get(name) if is_bus else None
    return (policy, get_account_id()) if policy else None


def _denied_as_root(access_key: str, region: str, resource_arn: str, keys: dict[str, str]) -> Any:
    found, principal = _policy(resource_arn), iam_evaluator.resolve_principal(access_key, get_account_id())
    # The evaluator stops at the root, who has no policies: everybody else it has judged by the bus's as well.
    if found is None or getattr(principal, "type", "") != "Root":
        return None
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=_PUT_EVENTS,
        resource_arn=resource_arn,
        region=region,
        service_context=keys,
    )
    result = iam_evaluator.evaluate_resource_policy(found[0], context)
    if result.decision != "Deny":
        return None
    result.resource_policy_arn = resource_arn
    return result


def _role_of(principal: Any) -> Any:
    """Of a session the ARN of its role, path included; of everybody else the ARN as it is."""
    if not isinstance(principal, str) or _SESSION not in principal:
        return principal
    role = iam._roles.get(principal.partition(_SESSION)[2].partition("/")[0])
    return role["Arn"] if role else principal


# --- The policy, as CloudFormation makes it: a statement per resource -------------------------------------------------


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    bus, sid = props.get("EventBusName", "default"), props["StatementId"]
    if bus not in eventbridge._event_buses:
        raise ValueError(f"AWS::Events::EventBusPolicy: there is no event bus {bus}")
    _keep(bus, [*_without(bus, sid), {**props["Statement"], "Sid": sid}])
    return f"{bus}|{sid}", {}


def _update(
    physical_id: str, old: dict[str, Any], props: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, str]]:
    _delete(physical_id, old)
    return _create("", props, stack_name)


def _delete(physical_id: str, props: dict[str, Any]) -> None:
    bus, _, sid = physical_id.partition("|")
    _keep(bus, _without(bus, sid))


def _without(bus: str, sid: str) -> Iterable[dict[str, Any]]:
    policy = eventbridge._event_bus_policies.get(bus) or {"Statement": []}
    return [statement for statement in policy["Statement"] if statement.get("Sid") != sid]


def _keep(bus: str, statements: Iterable[dict[str, Any]]) -> None:
    if kept := list(statements):
        eventbridge._event_bus_policies[bus] = {"Version": "2012-10-17", "Statement": kept}
    else:
        eventbridge._event_bus_policies.pop(bus, None)
