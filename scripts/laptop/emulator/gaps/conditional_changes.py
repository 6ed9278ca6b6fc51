"""A change set sees that a resource comes or goes because a parameter decides its `Condition`.

Source: AWS CloudFormation user guide, "Conditions section syntax": conditions are evaluated before a stack is created
or updated, a resource whose condition is true is created, and one whose condition has become false is deleted.
MiniStack compares the properties of all resources alike: where nothing but a condition changed, it finds no change, and
the AWS CLI and SAM deploy nothing.
"""

from typing import Any

from ministack.services.cloudformation import changesets


def fill() -> None:
    """Wrap what makes the two templates that a change set compares."""
    resolve = changesets._resolve_props_for_diff

    def resolve_what_is_there(template: dict[str, Any], params: dict[str, Any], *rest: Any) -> dict[str, Any]:
        resolved: dict[str, Any] = resolve(template, params, *rest)
        if template and template.get("Conditions"):
            holds = changesets._evaluate_conditions(template, params)
            resolved["Resources"] = {
                name: resource
                for name, resource in resolved["Resources"].items()
                if holds.get(resource.get("Condition"), True)
            }
        return resolved

    changesets._resolve_props_for_diff = resolve_what_is_there
