"""What CloudFormation would make of the templates, without an account: SAM transformed, intrinsic functions resolved.

`sam deploy` lets CloudFormation transform the root template and each nested application by itself, and gives nested
stacks names of its own. So are they here: a name that is too long, or one that all stacks share, is only seen in what
a nested template becomes.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from cfnlint.data import Serverless
from cfnlint.decode.cfn_yaml import load  # the short forms (!Ref, !Sub) need a reader that knows them
from cfnlint.helpers import load_resource
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator

from .resource_types import NAMED_BY, TYPES, Made

ROOT = Path(__file__).resolve().parents[2]
ROOT_TEMPLATE = "template.yaml"
REGION, ACCOUNT, PARTITION = "eu-central-1", "123456789012", "aws"
NO_VALUE = object()

Templates = dict[str, dict[str, Any]]
"""Templates as SAM has transformed them, intrinsic functions in place, by their path in the repository."""

# What `sam package` uploads and replaces by its address: type, and the property with the local path.
_UPLOADED = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
_BUCKET = "uploaded"
_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")


class Finding(NamedTuple):
    """One thing that AWS would refuse, or that should not be.

    Attributes:
        where: template and logical id.
        message: what is wrong.
    """

    where: str
    message: str


class NotResolved(Exception):
    """It is not known what CloudFormation would put in a place: the template is wrong, or a table must learn it."""


class Stack(NamedTuple):
    """One stack as it would be made.

    Attributes:
        path: the logical ids that lead to it from the root; empty for the root.
        name: its name, a nested one as CloudFormation makes it.
        location: path of its template.
        resolved: the template without intrinsic functions: what is made, and the outputs.
        problems: what could not be resolved.
    """

    path: tuple[str, ...]
    name: str
    location: str
    resolved: dict[str, Any]
    problems: list[Finding]

    def resources(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """Where, logical id, type and properties of each resource that is made."""
        for logical_id, resource in self.resolved["Resources"].items():
            yield f"{self.location}: {logical_id}", logical_id, resource["Type"], resource.get("Properties", {})


@lru_cache(maxsize=1)
def transformed() -> Templates:
    """The templates of the root and of all services, as SAM transforms them. Not to be changed: copy them.

    Raises:
        ValueError: SAM refuses one, with what it says.
    """
    paths = [ROOT_TEMPLATE, *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("services/*/template.yaml"))]
    return {path: transform(path, json.loads(json.dumps(load(str(ROOT / path))))) for path in paths}


def transform(path: str, template: dict[str, Any]) -> dict[str, Any]:
    """Transform one template with SAM.

    Args:
        path: of the template in the repository.
        template: as it is written, long forms of the intrinsic functions.

    Raises:
        ValueError: SAM refuses it.
    """
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        uploaded = _UPLOADED.get(resource["Type"], "")
        if isinstance(local := properties.get(uploaded), str):
            properties[uploaded] = f"s3://{_BUCKET}/{_joined(path, local)}"
    translator = Translator(
        load_resource(Serverless, "ManagedPolicies.json"), Parser(), boto_session=boto3.Session(region_name=REGION)
    )
    try:
        made = translator.translate(template, parameter_values={}, passthrough_metadata=True)
    except InvalidDocumentException as error:
        raise ValueError(f"{path}: {[cause.message for cause in error.causes]}") from error
    return dict(json.loads(json.dumps(made)))


def uploaded(location: Mapping[str, str]) -> Path | None:
    """The file in the repository that a transformed template names by `Bucket` and `Key`."""
    return ROOT / location["Key"] if location.get("Bucket") == _BUCKET else None


def deploy(templates: Templates, name: str, parameters: Mapping[str, str] | None = None) -> list[Stack]:
    """Resolve the root template and everything nested in it.

    Args:
        templates: transformed ones.
        name: of the root stack.
        parameters: the root's, where they differ from the defaults.

    Returns:
        The root stack first, then the nested ones.
    """
    root = _Deployment(templates, ROOT_TEMPLATE, name, dict(parameters or {}), ())
    return list(root.stacks())


def _joined(template: str, local: str) -> str:
    return str((ROOT / template).parent.joinpath(local).resolve().relative_to(ROOT))


@cache
def _suffix(*of: str, length: int) -> str:
    """What CloudFormation appends to a name, made of the thing's path, so that it is the same each time."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    number = int.from_bytes(hashlib.sha256("/".join(of).encode()).digest(), "big")
    return "".join(alphabet[number // 36**n % 36] for n in range(length))


def _typed(kind: str, value: Any) -> Any:
    return value.split(",") if kind == "CommaDelimitedList" and isinstance(value, str) else value


@cache
def _uuid(of: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, of)


class _Deployment:
    """One stack while it is resolved. A resource or nested stack is looked at when somebody refers to it."""

    def __init__(
        self, templates: Templates, location: str, name: str, parameters: dict[str, Any], path: tuple[str, ...]
    ) -> None:
        self._templates, self._location, self._name, self._path = templates, location, name, path
        self._template = templates[location]
        self._problems: list[Finding] = []
        self._nested: dict[str, _Deployment] = {}
        self._parameters = {
            key: _typed(declared["Type"], parameters.get(key, declared.get("Default")))
            for key, declared in self._declared().items()
        }
        # CloudFormation refuses a stack for either.
        for key in [key for key, value in self._parameters.items() if value is None]:
            self._problem("Parameters", f"{key} gets no value")
        for key in parameters.keys() - self._parameters.keys():
            self._problem("Parameters", f"{key} is given, but not declared")
        self._id = f"arn:{PARTITION}:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{_uuid(name)}"

    def stacks(self) -> Iterator[Stack]:
        resources = {}
        for logical_id, resource in self._template["Resources"].items():
            if self._is_made(logical_id):
                properties = self._resolved(logical_id, resource.get("Properties", {}))
                resources[logical_id] = {"Type": resource["Type"]} | ({"Properties": properties} if properties else {})
        outputs = {
            key: {"Value": self._resolved(f"Outputs.{key}", output["Value"])}
            for key, output in self._template.get("Outputs", {}).items()
            if self._condition(output.get("Condition"))
        }
        resolved = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
        yield Stack(
            self._path,
            self._name,
            self._location,
            resolved | ({"Outputs": outputs} if outputs else {}),
            self._problems,
        )
        for logical_id, resource in self._template["Resources"].items():
            if resource["Type"] == "AWS::CloudFormation::Stack" and self._is_made(logical_id):
                yield from self._child(logical_id).stacks()

    def output(self, key: str) -> Any:
        try:
            return self._value(self._template["Outputs"][key]["Value"])
        except KeyError:
            raise NotResolved(f"{self._location} has no output {key}") from None

    def _declared(self) -> dict[str, Any]:
        return dict(self._template.get("Parameters", {}))

    def _problem(self, where: str, message: str) -> None:
        self._problems.append(Finding(f"{self._location}: {where}", message))

    def _resolved(self, where: str, node: Any) -> Any:
        """Resolve member by member, so that one that cannot be resolved does not hide the others."""
        if isinstance(node, dict) and not _intrinsic(node):
            members = {key: self._resolved(where, member) for key, member in node.items()}
            return {key: member for key, member in members.items() if member is not NO_VALUE}
        try:
            return self._value(node)
        except NotResolved as error:
            self._problem(where, str(error))
            return NO_VALUE

    def _is_made(self, logical_id: str) -> bool:
        return self._condition(self._template["Resources"][logical_id].get("Condition"))

    def _condition(self, name: str | None) -> bool:
        return name is None or bool(self._value(self._template["Conditions"][name], within_condition=True))

    def _value(self, node: Any, within_condition: bool = False) -> Any:
        if isinstance(node, list):
            values = [self._value(item, within_condition) for item in node]
            return [value for value in values if value is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if within_condition and node.keys() == {"Condition"}:
            return self._condition(node["Condition"])
        if function := _intrinsic(node):
            return self._call(function, node[function], within_condition)
        members = {key: self._value(member, within_condition) for key, member in node.items()}
        return {key: member for key, member in members.items() if member is not NO_VALUE}

    def _call(self, function: str, given: Any, within_condition: bool) -> Any:
        if function == "Fn::If":
            return self._value(given[1] if self._condition(given[0]) else given[2])
        if function == "Fn::Sub":
            text, variables = (given, {}) if isinstance(given, str) else given
            return _VARIABLE.sub(lambda found: self._variable(found, variables), text)
        if function == "Fn::GetAtt":
            logical_id, attribute = given.split(".", 1) if isinstance(given, str) else given
            return self._attribute(logical_id, attribute)
        argument = self._value(given, within_condition)
        match function:
            case "Ref":
                return self._ref(argument)
            case "Fn::Join":
                return argument[0].join(str(part) for part in argument[1])
            case "Fn::Select":
                return argument[1][int(argument[0])]
            case "Fn::Split":
                return argument[1].split(argument[0])
            case "Fn::Equals":
                return str(argument[0]) == str(argument[1])
            case "Fn::Not":
                return not argument[0]
            case "Fn::And":
                return all(argument)
            case "Fn::Or":
                return any(argument)
            case "Fn::GetAZs":
                return [f"{argument or REGION}{zone}" for zone in "abc"]
            case "Fn::FindInMap":
                return self._template["Mappings"][argument[0]][argument[1]][argument[2]]
        raise NotResolved(f"{function}: no value is known for it here")

    def _variable(self, found: re.Match[str], variables: dict[str, Any]) -> str:
        literal, name = found.groups()
        if literal:
            return f"${{{name}}}"
        if name in variables:
            return str(self._value(variables[name]))
        if "." in name:
            return str(self._attribute(*name.split(".", 1)))
        return str(self._ref(name))

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": PARTITION,
            "AWS::Region": REGION,
            "AWS::StackId": self._id,
            "AWS::StackName": self._name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        if name not in self._template["Resources"]:
            raise NotResolved(f"{name} is neither a parameter nor a resource")
        made = self._made(name)
        return made.ref.format(**self._facts(name, made))

    def _attribute(self, logical_id: str, attribute: str) -> Any:
        if logical_id not in self._template["Resources"]:
            raise NotResolved(f"{logical_id} is no resource")
        if attribute.startswith("Outputs."):
            return self._child(logical_id).output(attribute.removeprefix("Outputs."))
        made = self._made(logical_id)
        if attribute not in made.attributes:
            of = self._template["Resources"][logical_id]["Type"]
            raise NotResolved(f"{logical_id}.{attribute}: scripts/contracts/resource_types.py knows none of {of}")
        return made.attributes[attribute].format(**self._facts(logical_id, made))

    def _made(self, logical_id: str) -> Made:
        if not self._is_made(logical_id):
            raise NotResolved(f"{logical_id} is referred to, but its condition is false")
        return TYPES.get(self._template["Resources"][logical_id]["Type"], Made())

    def _facts(self, logical_id: str, made: Made) -> dict[str, Any]:
        resource = self._template["Resources"][logical_id]
        node = resource.get("Properties", {})
        for step in NAMED_BY.get(resource["Type"], "-").split("."):
            node = node.get(step) if isinstance(node, dict) else None
        given = None if node is None else self._value(node)
        suffix = _suffix(self._name, logical_id, length=12)
        # Of a name that gets too long, CloudFormation cuts the stack's part.
        generated = f"{self._name[: max(1, made.longest - len(logical_id) - 14)]}-{logical_id}-{suffix}"
        if resource["Type"] == "AWS::S3::Bucket":
            generated = generated.lower()
        if resource["Type"] == "AWS::CloudFormation::Stack":
            generated = self._child_name(logical_id)
        properties = resource.get("Properties", {})
        bus = self._value(properties.get("EventBusName", ""))
        version = properties.get("DeploymentPreference", {}).get("StateMachineVersionArn")
        return {
            "partition": PARTITION,
            "region": REGION,
            "account": ACCOUNT,
            "name": generated if given is None else given,
            "id": suffix[:10].lower(),
            "hex": _uuid(f"{self._name}/{logical_id}").hex[:17],
            "uuid": _uuid(logical_id),
            "bus": f"{bus}/" if bus else "",
            "function": self._value(properties.get("FunctionName", "")),
            "machine": str(self._value(version)).rpartition(":")[0]
            if version
            else self._value(properties.get("StateMachineArn", "")),
        }

    def _child_name(self, logical_id: str) -> str:
        return f"{self._name}-{logical_id}-{_suffix(self._name, logical_id, length=13)}"

    def _child(self, logical_id: str) -> "_Deployment":
        if logical_id not in self._nested:
            properties = self._template["Resources"][logical_id]["Properties"]
            location = _joined(self._location, properties["TemplateURL"])
            parameters = {
                key: self._resolved(logical_id, value) for key, value in properties.get("Parameters", {}).items()
            }
            self._nested[logical_id] = _Deployment(
                self._templates,
                location,
                self._child_name(logical_id),
                {key: value for key, value in parameters.items() if value is not NO_VALUE},
                (*self._path, logical_id),
            )
        return self._nested[logical_id]


def _intrinsic(node: dict[str, Any]) -> str | None:
    if len(node) != 1:
        return None
    [key] = node
    return key if key == "Ref" or key.startswith("Fn::") else None
