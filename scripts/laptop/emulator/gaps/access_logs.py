"""A stage with access logs writes a line for each request, whoever answers it; without an account's role there is none.

Sources: API Gateway developer guide, "Set up CloudWatch logging for REST APIs in API Gateway": access logging takes a
role that is set for the account; "Variables for access logging for API Gateway". A variable without a value is `-`.
MiniStack forgets a template's `AccessLogSetting`, and writes nothing.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway_v1 as api_gateway
from ministack.services import cloudwatch_logs as logs
from ministack.services.cloudformation import provisioners

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_:]+(?:\.[A-Za-z0-9_:]+)*)")
_STAGE = "AWS::ApiGateway::Stage"

_request: ContextVar[dict[str, str]] = ContextVar("request")
"""What is known of the request by now: variables without `$context.`."""


def fill() -> None:
    """Keep what a template says of access logs, gather what is known of each request, and write its line."""
    _keep_settings()
    _gather()
    handle = api_gateway._handle_execute_in_scope

    async def handle_and_log(api_id: str, stage_name: str, method: str, *rest: Any) -> tuple[int, Any, bytes]:
        known = {"apiId": api_id, "stage": stage_name, "httpMethod": method}
        token = _request.set(known)
        began = time.monotonic()
        try:
            answer: tuple[int, Any, bytes] = await handle(api_id, stage_name, method, *rest)
        finally:
            _request.reset(token)
        known |= {
            "status": str(answer[0]),
            "responseLatency": str(round((time.monotonic() - began) * 1000)),
            "responseLength": str(len(answer[2])),
        }
        settings = api_gateway._stages_v1.get(api_id, {}).get(stage_name, {}).get("accessLogSettings") or {}
        if "destinationArn" in settings and "format" in settings:
            _write(settings["destinationArn"], f"{api_id}/{stage_name}", line(settings["format"], known))
        return answer

    api_gateway._handle_execute_in_scope = handle_and_log


def line(template: str, known: Mapping[str, str]) -> str:
    """A format with its variables replaced.

    Args:
        template: the stage's format.
        known: variables without `$context.`.
    """
    return _VARIABLE.sub(lambda match: known.get(match[1], "-"), template)


def _keep_settings() -> None:
    handlers = provisioners._RESOURCE_HANDLERS[_STAGE]
    create, update = handlers["create"], handlers["update"]

    def keep(props: Mapping[str, Any]) -> None:
        setting = props.get("AccessLogSetting") or {}
        if setting and not (api_gateway._account_settings.get("settings") or {}).get("cloudwatchRoleArn"):
            raise ValueError("CloudWatch Logs role ARN must be set in account settings to enable logging")
        stage = api_gateway._stages_v1[props["RestApiId"]][props["StageName"]]
        names = {"DestinationArn": "destinationArn", "Format": "format"}
        stage["accessLogSettings"] = {names[name]: value for name, value in setting.items()}

    def create_stage(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        made = create(logical_id, props, stack_name)
        keep(props)
        return made

    def update_stage(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        updated = update(physical_id, old, new, *rest)
        keep(new)
        return updated

    handlers["create"], handlers["update"] = create_stage, update_stage


def _gather() -> None:
    execute, authorize = api_gateway._execute_in_scope, api_gateway._authorize_request_v1
    build_event, refuse = api_gateway._build_lambda_event_v1, api_gateway._gateway_error_response

    async def execute_and_note(request: dict[str, Any], *rest: Any) -> Any:
        answer = await execute(request, *rest)
        _request.get()["resourcePath"] = request["resource_path"] or "-"
        _request.get().setdefault("requestId", request["request_id"])
        return answer

    async def authorize_and_note(*given: Any) -> tuple[Any, Any]:
        error, context = await authorize(*given)
        if error is not None:
            _request.get()["authorizer.error"] = str(error.message)
        for name, value in ((context or {}).get("claims") or {}).items():
            _request.get()[f"authorizer.claims.{name}"] = str(value)
        return error, context

    def build_and_note(*given: Any, **named: Any) -> dict[str, Any]:
        event: dict[str, Any] = build_event(*given, **named)
        _request.get()["requestId"] = event["requestContext"]["requestId"]
        return event

    def refuse_and_note(error: Any, request: dict[str, Any]) -> Any:
        if (known := _request.get(None)) is not None:
            known["error.responseType"] = error.response_type
        return refuse(error, request)

    api_gateway._execute_in_scope, api_gateway._authorize_request_v1 = execute_and_note, authorize_and_note
    api_gateway._build_lambda_event_v1, api_gateway._gateway_error_response = build_and_note, refuse_and_note


def _write(destination: str, of: str, text: str) -> None:
    group = destination.split(":log-group:", 1)[1].removesuffix(":*")
    # Named as API Gateway names them: by a hash. One for each stage is enough here.
    name = hashlib.md5(of.encode(), usedforsecurity=False).hexdigest()
    logs._create_log_stream({"logGroupName": group, "logStreamName": name})
    entry = {"timestamp": int(time.time() * 1000), "message": text}
    logs._put_log_events({"logGroupName": group, "logStreamName": name, "logEvents": [entry]})
