"""Settings of a template's function that MiniStack leaves out: each gap that needs one keeps it by `keep`."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners


def keep(setting: Callable[[dict[str, Any], Mapping[str, Any]], None]) -> None:
    """Keep a setting of whatever function CloudFormation makes or updates.

    Args:
        setting: writes it into a function's configuration; given that, and the properties of the template.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]

    def configured(made: Any, props: Mapping[str, Any]) -> Any:
        # What was made begins with the function's name.
        setting(lambda_svc._functions[made[0]]["config"], props)
        return made

    def create_with_setting(logical_id: str, props: Any, stack_name: str) -> Any:
        return configured(create(logical_id, props, stack_name), props)

    @wraps(update)
    def update_with_setting(physical_id: str, old: Any, props: Any, *rest: Any, **more: Any) -> Any:
        return configured(update(physical_id, old, props, *rest, **more), props)

    handlers |= {"create": create_with_setting, "update": update_with_setting}
