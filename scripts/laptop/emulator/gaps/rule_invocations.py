"""A rule calls a function asynchronously: a call that fails is tried again, and ends at the function's destination.

Source: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation": twice more, or as
often as the event invoke config of what is called says, and then `OnFailure`. MiniStack does so for S3's own
notifications; what a rule calls it calls once, and forgets. It looks for the config of `$LATEST` alone: one of an alias
counts here for the version that the alias points to.
"""

import json
from typing import Any

from ministack.services import eventbridge, lambda_svc


def fill() -> None:
    """Send what a rule delivers to a function the way that S3's notifications go, by the settings of its alias."""
    invoke = lambda_svc.invoke_async_with_retry

    def invoke_by_alias(record: dict[str, Any], event: Any) -> None:
        config = record.get("config") or record
        function = lambda_svc._functions.get(config.get("FunctionName", ""), {})
        for name, alias in function.get("aliases", {}).items():
            settings = lambda_svc._event_invoke_config(function, name)
            if settings and alias["FunctionVersion"] == config.get("Version"):
                record = {**record, "event_invoke_config": settings}
        invoke(record, event)

    lambda_svc.invoke_async_with_retry = invoke_by_alias

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            eventbridge.logger.error("FailedInvocations: there is no function %s", name)
            return
        record = lambda_svc._execution_record_for_config(function, config)
        invoke_by_alias(record, json.loads(payload))

    if not hasattr(eventbridge, "_dispatch_to_lambda"):
        raise LookupError("MiniStack's rules do not call functions as this filler knows it.")
    eventbridge._dispatch_to_lambda = dispatch_to_lambda
