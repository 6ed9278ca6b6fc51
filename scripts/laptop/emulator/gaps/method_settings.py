"""A stage's settings for one method count, as a template writes them.

Source: CloudFormation template reference, "AWS::ApiGateway::Stage MethodSetting": in `ResourcePath` a slash is written
`~1`, but for the first. MiniStack looks for the path as it is.
"""

from typing import Any

from ministack.services.cloudformation import provisioners


def fill() -> None:
    """Give MiniStack paths as it looks for them."""
    settings = provisioners._apigw_method_settings

    def by_path(raw: Any) -> Any:
        if not isinstance(raw, list):
            return settings(raw)
        return settings([{**each, "ResourcePath": _path(each.get("ResourcePath", "/*"))} for each in raw])

    provisioners._apigw_method_settings = by_path


def _path(written: str) -> str:
    return "/" + written.removeprefix("/").replace("~1", "/").removeprefix("/")
