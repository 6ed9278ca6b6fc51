"""What an API's document lets API Gateway answer by itself, such as a preflight, is answered as the document says.

Source: API Gateway developer guide, "x-amazon-apigateway-integration" and "x-amazon-apigateway-integration.responses",
which is what SAM writes for `Cors`. MiniStack knows such answers, but overlooks them in a document.
"""

from typing import Any

from ministack.services import apigateway_v1 as api_gateway

_EXTENSION = "x-amazon-apigateway-integration"


def fill() -> None:
    """Put the templates and the responses of a mock integration that is imported."""
    import_operation = api_gateway._import_operation
    put = api_gateway._put_integration_response

    def import_with_responses(
        api_id: str, resource_id: str, method: str, operation: dict[str, Any] | None, *security: Any
    ) -> None:
        import_operation(api_id, resource_id, method, operation, *security)
        integration = (operation or {}).get(_EXTENSION) or {}
        if str(integration.get("type")).lower() != "mock":
            return
        made = api_gateway._resources[api_id][resource_id]["resourceMethods"][method]["methodIntegration"]
        made["requestTemplates"] = integration.get("requestTemplates") or {}
        for pattern, response in (integration.get("responses") or {}).items():
            selected = {**response, "selectionPattern": "" if pattern == "default" else pattern}
            put(api_id, resource_id, method, str(response["statusCode"]), selected)

    api_gateway._import_operation = import_with_responses
