"""What a function failed at is sent to its destination if the function's role may send there.

Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations", "Adding a destination": the
execution role needs `sqs:SendMessage` or the like; without it Lambda drops the record, and counts
`DestinationDeliveryFailures`. MiniStack asks nobody.
"""

from typing import Any

from ministack.services import lambda_svc

from .workflow_permissions import role_allows

_SENDS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}


def fill() -> None:
    """Ask before a record is sent."""
    route = lambda_svc._route_async_failure

    def route_if_allowed(target: str, name: str, event: Any, result: Any) -> None:
        role = str(lambda_svc._functions[name]["config"]["Role"])
        if role_allows(role, _SENDS[target.split(":")[2]], target):
            route(target, name, event, result)
        else:
            lambda_svc.logger.error("DestinationDeliveryFailures: %s may not send to %s", role, target)

    lambda_svc._route_async_failure = route_if_allowed
