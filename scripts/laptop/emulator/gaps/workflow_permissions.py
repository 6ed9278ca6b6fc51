"""A state machine acts with the permissions of its role, and with no others.

Source: Step Functions developer guide, "How AWS Step Functions works with IAM" and "IAM policies for integrated
services"; the error is the Amazon States Language's `States.Permissions`. MiniStack checks callers of its API, but a
state machine calls the services in-process. Checked are the integrations that Tiffin uses: Lambda, DynamoDB,
EventBridge, SQS and Step Functions; by the role's policies, and by the resource's own where it has one.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from . import bus_policies
from .execution_ends import current

_Arguments = dict[str, Any]
_PREFIX = "arn:aws:states:::"


def fill() -> None:
    """Ask before each call to a service, whether or not it waits for a callback."""
    invoke, wait = stepfunctions._invoke_resource, stepfunctions._invoke_with_callback

    def invoke_resource(resource: str, data: _Arguments) -> Any:
        _check(resource, data)
        return invoke(resource, data)

    def invoke_with_callback(resource: str, data: _Arguments, *rest: Any) -> Any:
        _check(resource, data)
        return wait(resource, data, *rest)

    stepfunctions._invoke_resource = invoke_resource
    stepfunctions._invoke_with_callback = invoke_with_callback


def role_allows(role: str, action: str, resource: str, keys: dict[str, Any] | None = None) -> bool:
    """Whether a role may act: its policies allow it, and the resource's own, if it has one, does not deny it.

    Args:
        role: the role's ARN.
        action: like `dynamodb:UpdateItem`.
        resource: ARN of what is acted upon.
        keys: the condition keys that only this action's service has, with their values.
    """
    account = get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=keys or {},
    )
    policies = iam_evaluator._gather_role_policies(role.rpartition("/")[2], account)
    result = iam_evaluator.evaluate(context, policies)
    if found := iam_evaluator._resource_policy(action.partition(":")[0], resource):
        result = iam_evaluator.combine_resource_policy(result, context, *found)
    return bool(result.decision == "Allow")


def _check(resource: str, data: _Arguments) -> None:
    execution = current.get()
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) if execution else None
    if machine is None:
        return
    for action, target, keys in _needs(resource, data):
        if not role_allows(machine["roleArn"], action, target, keys):
            raise stepfunctions._ExecutionError(
                "States.Permissions", f"{machine['roleArn']} is not authorized to perform {action} on {target}"
            )


def _needs(resource: str, data: _Arguments) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The actions that an integration performs, each with its resource and its service's condition keys."""
    if resource.startswith("arn:aws:lambda:"):
        yield "lambda:InvokeFunction", resource, {}
        return
    service, _, operation = (
        resource.removeprefix(_PREFIX).removeprefix("aws-sdk:").removesuffix(".waitForTaskToken").partition(":")
    )
    if service == "events":
        for entry in data.get("Entries", []):
            yield "events:PutEvents", bus_policies.bus_arn(entry), bus_policies.keys_of(entry)
        return
    if (service, operation) == ("dynamodb", "transactWriteItems"):
        # No action of its own (DynamoDB developer guide, "Using IAM with DynamoDB transactions").
        for write in data.get("TransactItems", []):
            for kind, one in write.items():
                for arn in _tables(one):
                    yield f"dynamodb:{kind}Item", arn, {}
        return
    target = _TARGETS.get(service)
    if target is None:
        return
    action = "lambda:InvokeFunction" if service == "lambda" else f"{service}:{operation[:1].upper()}{operation[1:]}"
    if service == "states":
        action = "states:StartExecution"
    for arn in target(data):
        yield action, arn, {}


def _arn(service: str, resource: str) -> str:
    return (
        resource if resource.startswith("arn:") else f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"
    )


def _functions(data: _Arguments) -> list[str]:
    name = str(data.get("FunctionName", ""))
    return [name if name.startswith("arn:") else _arn("lambda", f"function:{name}")]


def _tables(data: _Arguments) -> list[str]:
    name = str(data.get("TableName", ""))
    return [name if name.startswith("arn:") else _arn("dynamodb", f"table/{name}")]


def _queues(data: _Arguments) -> list[str]:
    return [_arn("sqs", str(data.get("QueueUrl", "")).rpartition("/")[2])]


_TARGETS: dict[str, Callable[[_Arguments], list[str]]] = {
    "lambda": _functions,
    "dynamodb": _tables,
    "sqs": _queues,
    "states": lambda data: [str(data.get("StateMachineArn", ""))],
}
