"""What a nested stack's template retains is there when its root has been deleted.

Source: CloudFormation user guide, "DeletionPolicy attribute": a resource with `Retain` stays, in a nested stack as in
others; one with `RetainExceptOnCreate` too, unless the creation of its stack is being rolled back. MiniStack heeds that
in the root only.
"""

from typing import Any

from ministack.services.cloudformation import _stacks, provisioners

_NESTED = "AWS::CloudFormation::Stack"


def fill() -> None:
    """Wrap what deletes a nested stack: it does not see what is retained."""
    handlers = provisioners._RESOURCE_HANDLERS[_NESTED]
    delete = handlers["delete"]

    def delete_nested(physical_id: str, properties: dict[str, Any]) -> None:
        if child := _stacks.get(provisioners._nested_stack_lookup_name(physical_id)):
            declared = (child.get("_template") or {}).get("Resources", {})
            resources = child.get("_resources", {})
            for logical_id in [name for name in resources if _stays(declared.get(name, {}), child)]:
                resources.pop(logical_id)
        delete(physical_id, properties)

    handlers["delete"] = delete_nested


def _stays(resource: dict[str, Any], child: dict[str, Any]) -> bool:
    if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
        return _root(child)["StackStatus"].startswith("DELETE")
    return resource.get("DeletionPolicy") == "Retain"


def _root(child: dict[str, Any]) -> dict[str, Any]:
    roots = [stack for stack in _stacks.values() if stack["StackId"] == child["RootId"]]
    return roots[0] if roots else child
