"""Requests count as encrypted, as requests to AWS are.

Source: IAM user guide, "AWS global condition context keys", `aws:SecureTransport`. The emulator is reached by plain
HTTP on a loopback address; a policy that refuses unencrypted requests, as every queue and bucket should, would refuse
everything here.
"""

from contextvars import ContextVar

from ministack.core import iam_evaluator


def fill() -> None:
    """Say so where the origin of a request is noted, and where there is no request: in calls between services."""
    pin = iam_evaluator.pin_request_origin

    def pin_request_origin(source_ip: str, secure_transport: bool) -> None:
        pin(source_ip, True)

    iam_evaluator.pin_request_origin = pin_request_origin
    iam_evaluator._request_origin = ContextVar("request_origin", default=("127.0.0.1", True))
