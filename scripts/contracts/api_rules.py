"""What only a service's API says against a template: CloudFormation's schemas let it pass, and the deployment fails.

Lengths, patterns and ranges come from botocore's model of the call that CloudFormation makes, wherever the model knows
them; what AWS says in prose alone is a row here, with its page.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from botocore.model import ListShape, MapShape, Shape, StructureShape
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from . import service_models
from .cloudformation import REGION, Finding, Stack, Templates, uploaded
from .resource_types import NAMED_BY

# The call by which CloudFormation makes a resource. Its members are named like the properties, but for their case.
_CALLS = {
    "AWS::ApiGateway::RestApi": ("apigateway", "CreateRestApi"),
    "AWS::ApiGateway::Stage": ("apigateway", "CreateStage"),
    "AWS::Budgets::Budget": ("budgets", "CreateBudget"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch", "PutDashboard"),
    "AWS::Cognito::UserPool": ("cognito-idp", "CreateUserPool"),
    "AWS::Cognito::UserPoolClient": ("cognito-idp", "CreateUserPoolClient"),
    "AWS::Cognito::UserPoolDomain": ("cognito-idp", "CreateUserPoolDomain"),
    "AWS::Cognito::UserPoolGroup": ("cognito-idp", "CreateGroup"),
    "AWS::DynamoDB::Table": ("dynamodb", "CreateTable"),
    "AWS::Events::Archive": ("events", "CreateArchive"),
    "AWS::Events::EventBus": ("events", "CreateEventBus"),
    "AWS::Events::EventBusPolicy": ("events", "PutPermission"),
    "AWS::Events::Rule": ("events", "PutRule"),
    "AWS::IAM::Role": ("iam", "CreateRole"),
    "AWS::Kinesis::Stream": ("kinesis", "CreateStream"),
    "AWS::Lambda::EventInvokeConfig": ("lambda", "PutFunctionEventInvokeConfig"),
    "AWS::Lambda::EventSourceMapping": ("lambda", "CreateEventSourceMapping"),
    "AWS::Lambda::Function": ("lambda", "CreateFunction"),
    "AWS::Lambda::LayerVersion": ("lambda", "PublishLayerVersion"),
    "AWS::Logs::LogGroup": ("logs", "CreateLogGroup"),
    "AWS::Logs::QueryDefinition": ("logs", "PutQueryDefinition"),
    "AWS::SNS::Topic": ("sns", "CreateTopic"),
    "AWS::SQS::Queue": ("sqs", "CreateQueue"),
    "AWS::Scheduler::Schedule": ("scheduler", "CreateSchedule"),
    "AWS::StepFunctions::StateMachine": ("stepfunctions", "CreateStateMachine"),
    "AWS::XRay::Group": ("xray", "CreateGroup"),
    "AWS::XRay::SamplingRule": ("xray", "CreateSamplingRule"),
}


class _Prose(NamedTuple):
    """A rule that no model has.

    Attributes:
        pattern: what the whole name must be.
        says: the rule in words.
        page: where AWS says so.
    """

    pattern: str
    says: str
    page: str


# For the name of a resource (`NAMED_BY`).
_NAMES = {
    "AWS::ApiGateway::Stage": _Prose(
        r"[A-Za-z0-9_-]{1,128}",
        "letters, digits, hyphens and underscores, at most 128",
        "API Gateway API reference, CreateStage",
    ),
    "AWS::CloudWatch::Dashboard": _Prose(
        r"[A-Za-z0-9_-]{1,255}",
        "letters, digits, hyphens and underscores, at most 255",
        "CloudWatch API reference, PutDashboard",
    ),
    "AWS::DynamoDB::Table": _Prose(
        r"[A-Za-z0-9_.-]{3,255}",
        "3 to 255 letters, digits, underscores, hyphens and dots",
        "DynamoDB developer guide, Supported data types and naming rules",
    ),
    "AWS::Events::EventBus": _Prose(
        r"(?!default$)(?!aws\.)[.\-_A-Za-z0-9]{1,256}",
        "no slash, which is for partners' buses, and not `default`",
        "EventBridge API reference, CreateEventBus",
    ),
    "AWS::Lambda::Function": _Prose(
        r"[A-Za-z0-9_-]{1,64}",
        "letters, digits, hyphens and underscores, at most 64 (the model's length is that of an ARN)",
        "Lambda API reference, CreateFunction",
    ),
    "AWS::Lambda::LayerVersion": _Prose(
        r"[A-Za-z0-9_-]{1,140}",
        "letters, digits, hyphens and underscores, at most 140",
        "Lambda API reference, PublishLayerVersion",
    ),
    "AWS::Logs::LogGroup": _Prose(
        r"(?!aws/)[.\-_/#A-Za-z0-9]{1,512}",
        "it must not start with `aws/`",
        "CloudWatch Logs API reference, CreateLogGroup",
    ),
    "AWS::Logs::QueryDefinition": _Prose(
        # A slash makes a folder, so none may be empty.
        r"(?:[^:*/]+/)*[^:*/]+",
        "no colon and no asterisk; a slash makes a folder",
        "CloudWatch Logs API reference, PutQueryDefinition",
    ),
    "AWS::SNS::Topic": _Prose(
        r"[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{1,251}\.fifo",
        "letters, digits, underscores and hyphens, at most 256",
        "SNS API reference, CreateTopic",
    ),
    "AWS::SQS::Queue": _Prose(
        r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo",
        "letters, digits, hyphens and underscores, at most 80",
        "SQS API reference, CreateQueue",
    ),
    "AWS::StepFunctions::StateMachine": _Prose(
        r"[A-Za-z0-9_-]{1,80}",
        "letters, digits, hyphens and underscores, at most 80",
        "Step Functions API reference, CreateStateMachine",
    ),
    "AWS::XRay::Group": _Prose(
        r"(?!Default$)[A-Za-z0-9_-]{1,32}",
        "letters, digits, hyphens and underscores, at most 32, and not `Default`",
        "X-Ray API reference, CreateGroup",
    ),
    "AWS::XRay::SamplingRule": _Prose(
        r"(?!Default$)[^\s]{1,32}",
        "at most 32 characters, and not `Default`",
        "X-Ray API reference, CreateSamplingRule; X-Ray developer guide, Configuring sampling rules",
    ),
}

# Properties that end in `Name` and name nothing that a second stack could have already.
_NAME_NOTHING = {
    "DisplayName": "for people, on the mails of a topic",
    "MetricName": "what an alarm looks at; the namespace says whose it is",
    "PolicyName": "named within its role",
    "ServiceName": "a service of AWS's, to which an endpoint leads",
    "RoleName": "where it is not a role's own: which role",
}
_WITHIN_ANOTHER = {
    "AWS::ApiGateway::Stage": "named within its API",
    "AWS::ApiGatewayV2::Stage": "named within its API",
    "AWS::Cognito::UserPoolGroup": "named within its user pool",
    "AWS::Lambda::Alias": "named within its function",
    "AWS::StepFunctions::StateMachineAlias": "named within its state machine",
}


def bounds(stack: Stack) -> Iterator[Finding]:
    """What is too long, too short, out of its pattern or out of range for the call that makes it."""
    for where, _, kind, properties in stack.resources():
        if call := _CALLS.get(kind):
            for place, says in _walk(properties, service_models.input_of(*call), ()):
                yield Finding(where, f"{'.'.join(place)}: {says} ({call[0]} {call[1]}, in botocore)")
        name = _name(kind, properties)
        rule = _NAMES.get(kind)
        if isinstance(name, str) and rule and not re.fullmatch(rule.pattern, name):
            yield Finding(where, f"{NAMED_BY[kind]} {name!r}: {rule.says} ({rule.page})")


def shared_names(stacks: list[Stack], others: list[Stack]) -> Iterator[Finding]:
    """Names that are the same in two stacks of one account: the second is refused, or worse, takes the first's.

    Args:
        stacks: the templates under one root stack's name.
        others: the same under another's.
    """
    elsewhere = {stack.path: stack for stack in others}
    for stack in stacks:
        there = {logical_id: properties for _, logical_id, _, properties in elsewhere[stack.path].resources()}
        for where, logical_id, kind, properties in stack.resources():
            name = _name(kind, properties)
            if name is not None and name == _name(kind, there[logical_id]) and kind not in _WITHIN_ANOTHER:
                yield Finding(where, f"{NAMED_BY[kind]} {name!r} is the same in every stack: name it by the stack")


def unknown_names(location: str, template: dict[str, Any]) -> Iterator[Finding]:
    """Resources that name themselves by a property of which `NAMED_BY` does not know.

    Args:
        location: path of the template.
        template: a transformed one, intrinsic functions in place.
    """
    for logical_id, resource in template["Resources"].items():
        known = NAMED_BY.get(resource["Type"], "").partition(".")[0]
        for key, value in resource.get("Properties", {}).items():
            made_here = isinstance(value, str) or (isinstance(value, dict) and value.keys() & {"Fn::Sub", "Fn::Join"})
            if key.endswith("Name") and made_here and key != known and key not in _NAME_NOTHING:
                yield Finding(
                    f"{location}: {logical_id}",
                    f"{key}: scripts/contracts/resource_types.py does not know it as the name of {resource['Type']}",
                )


def open_parameters(templates: Templates) -> Iterator[Finding]:
    """Parameters that take more values than the properties they fill: refused only when half of the stacks are made."""
    closed: dict[str, dict[str, tuple[frozenset[str], str]]] = {location: {} for location in templates}
    # Nested templates first: what they take, the parameter that is handed on must not exceed.
    for location in sorted(templates, key=lambda path: -path.count("/")):
        template = templates[location]
        for logical_id, resource in template["Resources"].items():
            for parameter, values, why in _closed(logical_id, resource, closed):
                closed[location][parameter] = (values, why)
        for name, declared in template.get("Parameters", {}).items():
            values, why = closed[location].get(name, (frozenset[str](), ""))
            allowed = {str(value) for value in declared.get("AllowedValues", [])}
            if values and not allowed:
                yield Finding(f"{location}: {name}", f"has no AllowedValues, but {why} takes only some values")
            elif extra := sorted(allowed - values) if values else []:
                yield Finding(f"{location}: {name}", f"allows {', '.join(extra)}, which {why} does not take")
            elif allowed:
                closed[location][name] = (frozenset(allowed), f"{name} of {location}")


def substitutions(stack: Stack) -> Iterator[Finding]:
    """`${…}` in a state machine's file that the template does not fill, and fillings that the file does not have."""
    for where, _, kind, properties in stack.resources():
        file = uploaded(properties.get("DefinitionS3Location", {})) if kind.endswith("::StateMachine") else None
        if file is None:
            continue
        wanted = set(re.findall(r"\$\{(\w+)\}", file.read_text("utf-8")))
        given = set(properties.get("DefinitionSubstitutions", {}))
        for name in sorted(wanted - given):
            yield Finding(where, f"{file.name} has ${{{name}}}, which no DefinitionSubstitution fills")
        for name in sorted(given - wanted):
            yield Finding(where, f"the DefinitionSubstitution {name} fills nothing in {file.name}")


def _name(kind: str, properties: dict[str, Any]) -> Any:
    node: Any = properties
    for step in NAMED_BY.get(kind, "-").split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _walk(value: Any, shape: Shape, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if place:
        yield from ((place, says) for says in service_models.out_of_bounds(value, shape))
    if isinstance(value, dict) and isinstance(shape, StructureShape):
        members = {name.lower(): member for name, member in shape.members.items()}
        for key, inner in value.items():
            if key.lower() in members:
                yield from _walk(inner, members[key.lower()], (*place, key))
    elif isinstance(value, dict) and isinstance(shape, MapShape):
        for key, inner in value.items():
            yield from _walk(inner, shape.value, (*place, key))
    elif isinstance(value, list) and isinstance(shape, ListShape):
        for number, inner in enumerate(value):
            yield from _walk(inner, shape.member, (*place, str(number)))


def _closed(
    logical_id: str, resource: dict[str, Any], known: dict[str, dict[str, tuple[frozenset[str], str]]]
) -> Iterator[tuple[str, frozenset[str], str]]:
    """Parameters that a resource refers to where only some values are taken: their names, the values, and by whom."""
    properties = resource.get("Properties", {})
    if resource["Type"] == "AWS::CloudFormation::Stack":
        nested = known.get(properties["TemplateURL"], {})
        for key, value in properties.get("Parameters", {}).items():
            if isinstance(value, dict) and value.keys() == {"Ref"} and key in nested:
                yield value["Ref"], nested[key][0], f"{logical_id} ({nested[key][1]})"
        return
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource["Type"]).schema
    for key, value in properties.items():
        values = schema["properties"].get(key, {}).get("enum")
        if values and isinstance(value, dict) and value.keys() == {"Ref"}:
            yield value["Ref"], frozenset(str(one) for one in values), f"{key} of {logical_id}"
