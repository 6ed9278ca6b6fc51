"""A template's function is durable if it says so, and every version of it.

Source: CloudFormation template reference, `AWS::Lambda::Function DurableConfig`. MiniStack knows the setting of a
function that is made by the API alone, and takes it for one that is switched on by a member that AWS's has not.
"""

from functools import wraps
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners


def fill() -> None:
    """Keep the setting of what CloudFormation makes or updates."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]

    def create_durable(logical_id: str, props: Any, stack_name: str) -> Any:
        return _configured(create(logical_id, props, stack_name), props)

    @wraps(update)
    def update_durable(physical_id: str, old: Any, props: Any, *rest: Any, **more: Any) -> Any:
        return _configured(update(physical_id, old, props, *rest, **more), props)

    handlers |= {"create": create_durable, "update": update_durable}


def _configured(made: Any, props: dict[str, Any]) -> Any:
    if durable := props.get("DurableConfig"):
        config = lambda_svc._functions[made[0]]["config"]
        config["DurableConfig"] = {name: int(value) for name, value in durable.items()}
    return made
