"""An update of a nested stack leaves what does not change as it is: its name, what is in it, what `Fn::GetAtt` answers.

Source: AWS CloudFormation user guide, "Update behaviors of stack resources". MiniStack gets this right for a root. In a
nested stack it forgets the attributes of what did not change, so that the next reference to one fails the update; and
there the part that it draws for a bucket's name gets into the names of all that is created after the bucket, but is not
remembered, so that a table which changes at all is made anew, empty, beside the one that it was.
"""

from typing import Any

from ministack.services.cloudformation import _stacks, provisioners


def fill() -> None:
    """Hand an update what its stack knows of the resource; keep what is drawn for a bucket's name to the bucket."""
    update = provisioners._update_resource
    bucket = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create = bucket["create"]

    def update_resource(
        resource_type: str,
        physical_id: str,
        old: Any,
        new: Any,
        stack_name: str,
        logical_id: str | None = None,
        attributes: Any = None,
    ) -> Any:
        if attributes is None:
            known = _stacks.get(stack_name, {}).get("_resources", {}).get(logical_id, {})
            attributes = known.get("Attributes")
        return update(resource_type, physical_id, old, new, stack_name, logical_id, attributes)

    def create_bucket(logical_id: str, properties: Any, stack_name: str) -> Any:
        token = provisioners._NAME_SEED.set(provisioners._NAME_SEED.get())
        try:
            return create(logical_id, properties, stack_name)
        finally:
            provisioners._NAME_SEED.reset(token)

    provisioners._update_resource = update_resource
    bucket["create"] = create_bucket
