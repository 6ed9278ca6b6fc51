"""A root template without one of its applications: what is left when somebody takes it out by hand.

CloudFormation deletes a nested stack as soon as the root that is deployed no longer has it (AWS CloudFormation user
guide, "Embed stacks within other stacks using nested stacks").
"""

import json
import re
from collections.abc import Mapping
from typing import Any

NOBODY = "nobody"
"""What another application is given in place of a name of the one that is gone."""
_APPLICATION = "AWS::Serverless::Application"


def without(template: Mapping[str, Any], application: str) -> dict[str, Any]:
    """A template without an application, and without all that names it.

    Outputs and resources that name it go with it. Of a list, such as a policy's of roles, the entry goes. Where another
    application is given a name of it, that is `NOBODY`. All else stays as it is.

    Args:
        template: a root template, with intrinsic functions in their long forms.
        application: the logical id of an application in it.
    """
    gone, resources = set[str](), dict(template["Resources"])
    goes = {application}
    while goes:
        gone |= goes
        resources = {name: _left(each, gone) for name, each in resources.items() if name not in goes}
        goes = {name for name, each in resources.items() if _name(each, gone)}
    outputs = {name: output for name, output in template["Outputs"].items() if not _name(output, gone)}
    return {**template, "Resources": resources, "Outputs": outputs}


def _left(value: Any, gone: set[str]) -> Any:
    """A definition without what names what is gone: entries of lists, dependencies, parameters of an application."""
    if isinstance(value, list):
        # "Fn::GetAtt" has a list of names, of which none is a definition.
        return [_left(each, gone) for each in value if isinstance(each, str | list) or not _name(each, gone)]
    if not isinstance(value, Mapping):
        return value
    left = {key: _left(each, gone) for key, each in value.items()}
    if left.get("DependsOn") in gone:
        del left["DependsOn"]
    if left.get("Type") == _APPLICATION:
        given = left["Properties"].get("Parameters", {})
        left["Properties"]["Parameters"] = {name: NOBODY if _name(each, gone) else each for name, each in given.items()}
    return left


def _name(definition: Any, gone: set[str]) -> bool:
    """Whether a definition names what is gone, by `Ref`, `Fn::GetAtt` or `Fn::Sub`."""
    names = "|".join(map(re.escape, gone))
    reference = rf'"Ref": "({names})"|"Fn::GetAtt": (\[)?"({names})[".]|\$\{{({names})[.}}]'
    return bool(re.search(reference, json.dumps(definition)))
