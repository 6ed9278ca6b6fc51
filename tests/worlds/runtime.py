"""What Lambda gives a function: the variables of its environment, and a context with each invocation."""

from aws_lambda_powertools.utilities.typing import LambdaContext

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "POWERTOOLS_METRICS_DISABLED": "true",
}
"""For a handler that is called in a test's own process: no credentials that work, nothing traced, nothing counted."""


class _Context(LambdaContext):
    def __init__(self, function: str) -> None:
        self._function_name = function
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = f"arn:aws:lambda:eu-central-1:123456789012:function:{function}"
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def context(function: str = "function") -> LambdaContext:
    """An invocation's context.

    Args:
        function: the function's name.
    """
    return _Context(function)
