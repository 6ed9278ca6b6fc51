"""An API that is made of an OpenAPI document answers refusals of API Gateway's own as that document says.

Source: API Gateway developer guide, "x-amazon-apigateway-gateway-responses", which is what SAM writes for
`GatewayResponses`. MiniStack knows such answers, but overlooks them in a document.
"""

from typing import Any

from ministack.services import apigateway_v1 as api_gateway

_EXTENSION = "x-amazon-apigateway-gateway-responses"


def fill() -> None:
    """Put the gateway responses of a document that is imported."""
    import_rest_api = api_gateway._import_rest_api
    put = api_gateway._put_gateway_response

    def import_with_responses(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
        api_id: str = import_rest_api(spec, base_data)
        for response_type, response in (spec.get(_EXTENSION) or {}).items():
            status, _, body = put(api_id, response_type, response)
            if status >= 400:
                raise ValueError(f"{response_type}: {body!r}")
        return api_id

    api_gateway._import_rest_api = import_with_responses
