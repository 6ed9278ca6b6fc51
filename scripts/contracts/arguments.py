"""What a state's `Arguments` hold, against the API that they are for.

Step Functions looks at arguments when a state is entered: a field that an API does not have, or that an optimised
integration does not take, fails each order in that state. The members come from botocore's model of the service; what
an optimised integration takes is less, and is a table here.
"""

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from . import service_models

# Step Functions developer guide, "Learning to use AWS service SDK integrations": service names are those of the SDK for
# Java. Where boto3 has another.
_SDK_NAMES = {
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sfn": "stepfunctions",
}

# The fields that the guide documents for an optimised integration, by the field that holds them ("" for the outermost).
# An integration that is not here is unknown: look its page up.
_DOCUMENTED: dict[str, dict[str, frozenset[str]]] = {
    # "Add EventBridge events with Step Functions". TraceHeader is EventBridge's, and nothing says that it is passed on.
    "events:putEvents": {
        "": frozenset({"Entries"}),
        "Entries": frozenset({"Detail", "DetailType", "EventBusName", "Resources", "Source", "Time"}),
    },
    # "Invoke an AWS Lambda function with Step Functions".
    "lambda:invoke": {
        "": frozenset({"ClientContext", "FunctionName", "InvocationType", "Payload", "Qualifier"}),
    },
    # "Perform DynamoDB CRUD operations with Step Functions".
    "dynamodb:getItem": {
        "": frozenset(
            {
                "AttributesToGet",
                "ConsistentRead",
                "ExpressionAttributeNames",
                "Key",
                "ProjectionExpression",
                "ReturnConsumedCapacity",
                "TableName",
            }
        ),
    },
    "dynamodb:updateItem": {
        "": frozenset(
            {
                "AttributeUpdates",
                "ConditionExpression",
                "ConditionalOperator",
                "Expected",
                "ExpressionAttributeNames",
                "ExpressionAttributeValues",
                "Key",
                "ReturnConsumedCapacity",
                "ReturnItemCollectionMetrics",
                "ReturnValues",
                "TableName",
                "UpdateExpression",
            }
        ),
    },
}
# What an optimised integration turns into a string by itself.
_ANY_JSON = {("events:putEvents", "Detail"), ("lambda:invoke", "Payload")}
# EventBridge API reference, PutEventsRequestEntry: an entry without one of them fails, though the model requires none.
_NEEDED = {"events:putEvents": {"Entries": ("Detail", "DetailType", "Source")}}

# A running execution refuses a resource of another partition: States.Runtime, "The resource belongs to a different
# partition from the running execution". So the template substitutes it.
_RESOURCE = re.compile(
    r"arn:\$\{Partition\}:states:::(?P<sdk>aws-sdk:)?(?P<service>[a-z0-9]+):(?P<action>[a-zA-Z0-9]+)"
    r"(?P<pattern>\.sync|\.sync:2|\.waitForTaskToken)?"
)
_LITERAL_PARTITION = re.compile(r"arn:aws[a-z-]*:")
_EXPRESSION = re.compile(r"\A\{%.*%\}\Z", re.DOTALL)
_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "integer": (int,),
    "list": (list,),
    "long": (int,),
    "map": (dict,),
    "structure": (dict,),
}


def check(state: dict[str, Any]) -> Iterator[str]:
    """Check one state.

    Args:
        state: of any type; one that calls no service has nothing to check but ARNs.

    Returns:
        One sentence for each thing that is wrong.
    """
    own = {key: value for key, value in state.items() if key not in ("Branches", "ItemProcessor", "Iterator")}
    for place, text in _strings(own, ()):
        if place[-1] != "Comment" and _LITERAL_PARTITION.search(text):
            yield f"{'/'.join(place)}: a literal partition; write arn:${{Partition}}:"
    if state.get("Type") != "Task":
        return
    resource = _RESOURCE.fullmatch(re.sub(r"^arn:aws[a-z-]*:", "arn:${Partition}:", state["Resource"]))
    if not resource:
        yield f"Resource: {state['Resource']} is no service integration"
        return
    yield from _arguments(resource, state.get("Arguments", {}))


def _arguments(resource: re.Match[str], given: Any) -> Iterator[str]:
    service, action = resource["service"], resource["action"]
    integration = "" if resource["sdk"] else f"{service}:{action}"
    if integration and integration not in _DOCUMENTED:
        yield f"Resource: {integration} has no list of documented fields in scripts/contracts/arguments.py"
        return
    name = _SDK_NAMES.get(service, service) if resource["sdk"] else service
    try:
        shape = service_models.input_of(name, action[0].upper() + action[1:])
    except service_models.UnknownCall as error:
        yield f"Resource: {error}"
        return
    if action[0].isupper():
        yield f"Resource: {action} begins with a small letter here"
    yield from _value(given, shape, ("Arguments",), integration, "")


def _value(value: Any, shape: Shape, place: tuple[str, ...], integration: str, field: str) -> Iterator[str]:
    """Check a value.

    Args:
        value: literal JSON, or a string that is JSONata.
        shape: what the API takes.
        place: where it stands.
        integration: an optimised one, such as `lambda:invoke`; empty for the SDK's.
        field: the named field that it is, or is an item of.
    """
    where = "/".join(place)
    if (isinstance(value, str) and _EXPRESSION.match(value)) or (integration, field) in _ANY_JSON:
        return
    if not _fits(value, shape):
        yield f"{where}: {value!r} is no {shape.type_name}"
        return
    if not isinstance(value, str) or "${" not in value:
        yield from (f"{where}: {says}" for says in service_models.out_of_bounds(value, shape))
    if isinstance(shape, StructureShape):
        yield from _structure(value, shape, place, integration, field)
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from _value(item, shape.member, (*place, str(number)), integration, field)
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _value(item, shape.value, (*place, key), integration, field)


def _fits(value: Any, shape: Shape) -> bool:
    expected = _TYPES.get(shape.type_name, (str,))
    return isinstance(value, expected) and (bool in expected or not isinstance(value, bool))


def _structure(
    value: dict[str, Any], shape: StructureShape, place: tuple[str, ...], integration: str, field: str
) -> Iterator[str]:
    where = "/".join(place)
    # "Learning to use AWS service SDK integrations": members begin with a capital, whatever the API's own spelling.
    members = {name[0].upper() + name[1:]: member for name, member in shape.members.items()}
    documented = _DOCUMENTED.get(integration, {}).get(field, frozenset(members))
    for key, inner in value.items():
        if key not in members:
            near = next((name for name in members if name.lower() == key.lower()), None)
            yield f"{where}: {key} is unknown" + (f"; it is spelled {near}" if near else "")
        elif key not in documented:
            yield f"{where}: {key} is documented nowhere for {integration}"
        else:
            yield from _value(inner, members[key], (*place, key), integration, key)
    required = [name[0].upper() + name[1:] for name in shape.required_members]
    for key in (*required, *_NEEDED.get(integration, {}).get(field, ())):
        if key not in value:
            yield f"{where}: {key} is missing"


def _strings(node: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, (*place, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _strings(value, (*place, str(number)))
    elif isinstance(node, str):
        yield place, node
