"""A template's function is durable if it says so, and every version of it.

Source: CloudFormation template reference, `AWS::Lambda::Function DurableConfig`. MiniStack knows the setting of a
function that is made by the API alone, and takes it for one that is switched on by a member that AWS's has not.
"""

from collections.abc import Mapping
from typing import Any

from . import function_settings


def fill() -> None:
    """Keep the setting of what CloudFormation makes or updates."""
    function_settings.keep(_durable)


def _durable(config: dict[str, Any], props: Mapping[str, Any]) -> None:
    if durable := props.get("DurableConfig"):
        config["DurableConfig"] = {name: int(value) for name, value in durable.items()}
