"""CloudFormation publishes versions of a state machine, and points an alias to one; an execution knows both.

Source: CloudFormation template reference, "AWS::StepFunctions::StateMachineVersion" and "StateMachineAlias"; Step
Functions API reference, `DescribeExecution`; and developer guide, "Authorization for versions and aliases": who may
start the state machine may start it by its alias. MiniStack has both in its API, no type of CloudFormation for either,
and asks for a permission on the alias.
"""

import json
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import json_response
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

_PREFIX = "AWS::StepFunctions::StateMachine"


def fill() -> None:
    """Add the two types, and let an execution tell by which alias it was started."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers[f"{_PREFIX}Version"] = {"create": _publish, "update": _publish_anew, "delete": _unpublish}
    handlers[f"{_PREFIX}Alias"] = {"create": _point, "update": _point_anew, "delete": _unpoint}
    start, describe = stepfunctions._start_execution, stepfunctions._describe_execution
    extract = iam_actions.extract_resource_arn

    def start_execution(data: dict[str, Any]) -> Any:
        asked = str(data.get("stateMachineArn", ""))
        version = stepfunctions._execution_version_arn(asked)
        status, headers, body = start(data)
        if version and status == 200:
            execution = stepfunctions._executions[json.loads(body)["executionArn"]]
            execution.setdefault("stateMachineVersionArn", version)
            if asked in stepfunctions._state_machine_aliases:
                execution.setdefault("stateMachineAliasArn", asked)
        return status, headers, body

    def describe_execution(data: dict[str, Any]) -> Any:
        status, headers, body = describe(data)
        if status != 200:
            return status, headers, body
        execution = stepfunctions._executions[data["executionArn"]]
        known = ("stateMachineVersionArn", "stateMachineAliasArn")
        return json_response({**json.loads(body), **{name: execution[name] for name in known if name in execution}})

    def extract_resource_arn(service: str, *about: Any, **more: Any) -> Any:
        arn = extract(service, *about, **more)
        return unqualified(arn) if service == "states" and isinstance(arn, str) else arn

    stepfunctions._start_execution = start_execution
    iam_actions.extract_resource_arn = extract_resource_arn
    stepfunctions._describe_execution = describe_execution


def unqualified(arn: str) -> str:
    """The state machine that an ARN names, of an alias or a version too; other ARNs as they are."""
    return ":".join(arn.split(":")[:7]) if ":stateMachine:" in arn else arn


def _done(answer: Any) -> dict[str, Any]:
    """What Step Functions answered, unless it refused."""
    status, _, body = answer
    if status >= 400:
        raise ValueError(body.decode() if isinstance(body, bytes) else str(body))
    return dict(json.loads(body)) if body else {}


def _publish(_: str, properties: Any, __: str) -> Any:
    asked = {"stateMachineArn": properties["StateMachineArn"], "description": properties.get("Description", "")}
    if "StateMachineRevisionId" in properties:
        asked["revisionId"] = properties["StateMachineRevisionId"]
    arn = _done(stepfunctions._publish_state_machine_version(asked))["stateMachineVersionArn"]
    return arn, {"Arn": arn}


def _publish_anew(_: str, __: Any, properties: Any, stack_name: str) -> Any:
    # Whatever changes of a version replaces it; SAM has the former one kept.
    return _publish("", properties, stack_name)


def _unpublish(arn: str, _: Any) -> None:
    _done(stepfunctions._delete_state_machine_version({"stateMachineVersionArn": arn}))


def _routes(properties: Any) -> list[dict[str, Any]]:
    preference = properties.get("DeploymentPreference")
    if preference:
        return [{"stateMachineVersionArn": preference["StateMachineVersionArn"], "weight": 100}]
    return [
        {"stateMachineVersionArn": route["StateMachineVersionArn"], "weight": int(route["Weight"])}
        for route in properties["RoutingConfiguration"]
    ]


def _point(_: str, properties: Any, __: str) -> Any:
    asked = {"name": properties["Name"], "routingConfiguration": _routes(properties)}
    asked["description"] = properties.get("Description", "")
    arn = _done(stepfunctions._create_state_machine_alias(asked))["stateMachineAliasArn"]
    return arn, {"Arn": arn}


def _point_anew(arn: str, old: Any, new: Any, stack_name: str) -> Any:
    if old.get("Name") != new.get("Name"):
        return _point("", new, stack_name)
    _done(
        stepfunctions._update_state_machine_alias({"stateMachineAliasArn": arn, "routingConfiguration": _routes(new)})
    )
    return arn, {"Arn": arn}


def _unpoint(arn: str, _: Any) -> None:
    _done(stepfunctions._delete_state_machine_alias({"stateMachineAliasArn": arn}))
