"""An API whose OpenAPI document changes stays the API that it is, at the same address.

Source: CloudFormation template reference, "AWS::ApiGateway::RestApi Body": an update requires no interruption.
MiniStack imports a changed document as another API, under a new id and address.
"""

from typing import Any

from ministack.services import apigateway_v1 as api_gateway
from ministack.services.cloudformation import provisioners

# What a document says, by API; stages and deployments stay.
_SAID = (
    api_gateway._rest_apis,
    api_gateway._resources,
    api_gateway._authorizers_v1,
    api_gateway._models,
    api_gateway._gateway_responses,
    api_gateway._documentation_parts,
    api_gateway._request_validators,
)


def fill() -> None:
    """Import a changed document beside the API, and put what it says in the place of what was said before."""
    apis = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]
    update = apis["update"]

    def update_api(api_id: str, old: Any, new: Any, stack_name: str, logical_id: str | None = None) -> Any:
        if old.get("Body") == new.get("Body") or api_id not in api_gateway._rest_apis:
            return update(api_id, old, new, stack_name, logical_id)
        draft, _ = apis["create"](logical_id or api_id, new, stack_name)
        for kept in _SAID:
            kept[api_id] = kept.get(draft, {})
        api_gateway._rest_apis[api_id] = {**api_gateway._rest_apis[api_id], "id": api_id}
        tags = api_gateway._v1_tags
        tags[api_gateway._rest_api_arn(api_id)] = tags.get(api_gateway._rest_api_arn(draft), {})
        api_gateway._delete_rest_api(draft)
        api_gateway._request_validators.pop(draft, None)
        return api_id, provisioners._apigw_rest_api_attrs(api_id)

    apis["update"] = update_api
