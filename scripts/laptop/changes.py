"""What a deployment changed, by comparing what CloudFormation has before it and after it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


class Deployment:
    """What is deployed at one moment.

    Args:
        cloudformation: a client of CloudFormation.
        stack: the root stack's name.
    """

    def __init__(self, cloudformation: Any, stack: str = "tiffin") -> None:
        self._resources = dict(_resources(cloudformation, stack, ""))
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Parameters", [])
        self._parameters = {given["ParameterKey"]: given.get("ParameterValue", "") for given in described}

    def since(self, before: "Deployment") -> list[str]:
        """What changed since an earlier moment, a line each; none if nothing did."""
        told = [
            f"parameter {name}: {self._parameters.get(name) or 'none'} (was {before._parameters.get(name) or 'none'})"
            for name in sorted(self._parameters.keys() | before._parameters.keys())
            if self._parameters.get(name) != before._parameters.get(name)
        ]
        for path in sorted(self._resources.keys() | before._resources.keys()):
            now, then = self._resources.get(path), before._resources.get(path)
            if now is None and then is not None:
                told.append(f"{path}: removed")
            elif then is None and now is not None:
                told.append(f"{path}: new")
            elif now is not None and then is not None and now != then:
                told.append(f"{path}: {', '.join(_differing(then, now)) or 'definition'}")
        return told


def _resources(cloudformation: Any, stack: str, path: str) -> Iterator[tuple[str, str]]:
    """The resources of a stack's own template that are there, and those of stacks nested in it, by their path.

    Each as its definition in the template, as text: names of packages in it follow from their content.
    """
    template = parsed(cloudformation.get_template(StackName=stack)["TemplateBody"])
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    there = {found["LogicalResourceId"]: found for page in pages for found in page["StackResourceSummaries"]}
    for name, definition in template["Resources"].items():
        if name not in there:
            continue
        if there[name]["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from _resources(cloudformation, there[name]["PhysicalResourceId"], f"{path}{name}/")
        else:
            yield path + name, json.dumps(definition, sort_keys=True, default=str)


def parsed(body: Any) -> Mapping[str, Any]:
    """A template: as CloudFormation's API hands it out, read or not, or as a file has it."""
    if isinstance(body, dict):
        return body
    # The short forms (!Ref, !Sub) need a reader that knows them. It takes half a second to import, which only a build
    # and an update wait for: every start of an emulator comes by this module.
    from cfnlint.decode.cfn_yaml import loads

    read: Mapping[str, Any] = loads(body)
    return read


def _differing(before: str, after: str) -> list[str]:
    """Names of the properties that are not what they were."""
    then, now = (json.loads(text).get("Properties", {}) for text in (before, after))
    return [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
