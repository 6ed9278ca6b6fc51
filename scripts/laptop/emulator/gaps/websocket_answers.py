"""What a template lets a WebSocket API answer by itself is answered: route responses and integration responses.

Sources: API Gateway developer guide, "Set up WebSocket API integration responses in API Gateway"; CloudFormation
template reference, "AWS::ApiGatewayV2::IntegrationResponse" and "AWS::ApiGatewayV2::RouteResponse". MiniStack has
both in its API, and answers by the template of a mock integration's response, but knows no such resources.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners


def fill() -> None:
    """Make the two kinds of resources by MiniStack's own API."""
    for kind, parent in (("integration", "IntegrationId"), ("route", "RouteId")):
        provisioners._RESOURCE_HANDLERS[f"AWS::ApiGatewayV2::{kind.title()}Response"] = _handlers(kind, parent)


def _handlers(kind: str, parent: str) -> dict[str, Any]:
    create, update, delete = (
        getattr(apigateway, f"_{verb}_{kind}_response") for verb in ("create", "update", "delete")
    )

    def where(props: Mapping[str, Any]) -> tuple[str, str]:
        # MiniStack's reference to a route has the API's id before it.
        return props["ApiId"], props[parent].rpartition("/")[2]

    def create_response(logical_id: str, props: Mapping[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        own = _made(create(*where(props), _members(props)))[f"{kind}ResponseId"]
        return own, {f"{kind.title()}ResponseId": own}

    def update_response(own: str, old: Any, props: Mapping[str, Any], *rest: Any) -> tuple[str, dict[str, str]]:
        _made(update(*where(props), own, _members(props)))
        return own, {f"{kind.title()}ResponseId": own}

    def delete_response(own: str, props: Mapping[str, Any]) -> None:
        delete(*where(props), own)

    return {"create": create_response, "update": update_response, "delete": delete_response}


def _members(props: Mapping[str, Any]) -> dict[str, Any]:
    return {name[:1].lower() + name[1:]: value for name, value in props.items()}


def _made(answer: Any) -> dict[str, Any]:
    if answer[0] >= 400:
        raise ValueError(f"API Gateway made no response: {answer[2]!r}")
    made: dict[str, Any] = json.loads(answer[2])
    return made
