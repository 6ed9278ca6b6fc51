"""What is asked of a durable execution is a permission on it: on an ARN that begins with its function's version.

Source: AWS Lambda developer guide, "Security and permissions for Lambda durable functions". MiniStack, when it enforces
IAM, knows none of these actions, and lets everybody do what it does not know.
"""

from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions
from ministack.services import lambda_durable

_OF_AN_EXECUTION = {
    "checkpoint": "CheckpointDurableExecution",
    "state": "GetDurableExecutionState",
    "history": "GetDurableExecutionHistory",
    "stop": "StopDurableExecution",
}
_OF_A_CALLBACK = {
    "succeed": "SendDurableExecutionCallbackSuccess",
    "fail": "SendDurableExecutionCallbackFailure",
    "heartbeat": "SendDurableExecutionCallbackHeartbeat",
}


def fill() -> None:
    """Name the action and the execution before MiniStack guesses."""
    action, resource = iam_actions._lambda_action, iam_actions.extract_resource_arn

    def lambda_action(method: str, path: str) -> Any:
        match _parts(path):
            case ["durable-executions", *_, last]:
                return _OF_AN_EXECUTION.get(last, "GetDurableExecution")
            case ["durable-execution-callbacks", _, last]:
                return _OF_A_CALLBACK.get(last)
            case ["functions", _, "durable-executions"]:
                return "ListDurableExecutionsByFunction"
        return action(method, path)

    def extract_resource_arn(service: str, method: str, path: str, *rest: Any, **more: Any) -> Any:
        if service == "lambda":
            match _parts(path):
                case ["durable-executions", *arn]:
                    return "/".join(arn[:-1] if arn[-1] in _OF_AN_EXECUTION else arn)
                case ["durable-execution-callbacks", callback_id, _]:
                    # What waits for no such callback has none: the execution that is not there.
                    return (lambda_durable._callback_index.get(callback_id) or ["*"])[0]
        return resource(service, method, path, *rest, **more)

    iam_actions._lambda_action, iam_actions.extract_resource_arn = lambda_action, extract_resource_arn


def _parts(path: str) -> list[str]:
    """What follows the version of the API in a path."""
    version, *parts = unquote(path).strip("/").split("/")
    return parts if version == "2025-12-01" else []
