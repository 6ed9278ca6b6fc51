"""Estimates on the running stack: a model put in force, and the ways in which the service can be broken."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from laptop import Stack, pace
from learning.simulated import orders
from learning.training import learn, write

KEY = "estimates.safetensors"
IN_FORCE = "A model is in force"
_BROKEN = "broken-on-purpose"


def small_model() -> bytes:
    """A model's file, of a few kilobytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, KEY)
        write(path, learn(orders(2000, seed=1)))
        return path.read_bytes()


def upload(stack: Stack, octets: bytes) -> None:
    """Put a file into the bucket, as `aws s3 cp` does, and wait for nothing."""
    stack.client("s3").put_object(Bucket=stack.outputs["ModelsBucketName"], Key=KEY, Body=octets)


def put_in_force(stack: Stack, octets: bytes) -> None:
    """Upload a model, and wait until it is in force."""
    before = in_force(stack)
    upload(stack, octets)
    pace.eventually(lambda: in_force(stack) > before, 30, "a model in force")


def in_force(stack: Stack) -> int:
    """How many models were put in force so far."""
    logs = stack.client("logs").get_paginator("filter_log_events")
    pages = logs.paginate(logGroupName=stack.outputs["EstimatesLogGroupName"])
    return sum(IN_FORCE in event["message"] for page in pages for event in page["events"])


def deny(stack: Stack, action: str, resource: str = "*") -> Callable[[], None]:
    """Take a permission away from the function that makes estimates. Returns how to give it back."""
    iam = stack.client("iam")
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs["EstimatesFunctionArn"])
    role = function["Role"].rsplit("/", 1)[1]
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName=_BROKEN, PolicyDocument=policy)
    return lambda: iam.delete_role_policy(RoleName=role, PolicyName=_BROKEN)
