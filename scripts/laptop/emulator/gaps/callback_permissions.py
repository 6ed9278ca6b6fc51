"""The permission to call back is a permission on the state machine that waits, found by the token.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Step Functions". MiniStack,
when it enforces IAM, looks for an ARN in the request; a callback carries a token only, and so needs a permission on
`*`.
"""

import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import stepfunctions


def fill() -> None:
    """Look the token up before the resource of a call to Step Functions is guessed."""
    extract = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, *args: Any, **kwargs: Any
    ) -> Any:
        if service == "states" and ".SendTask" in headers.get("x-amz-target", ""):
            machine = stepfunctions._task_tokens.machine_of(_token(body))
            if machine:
                return machine
        return extract(service, method, path, headers, body, *args, **kwargs)

    iam_actions.extract_resource_arn = extract_resource_arn


def _token(body: bytes) -> str:
    try:
        return str(json.loads(body).get("taskToken"))
    except (ValueError, AttributeError):
        return ""
