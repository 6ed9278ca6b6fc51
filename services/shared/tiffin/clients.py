"""AWS clients and what is made of them: made one way, once per execution environment, in INIT.

By itself boto3 waits a minute for a connection and another one for an answer, several times over (boto3 guide,
"Configuration"): Lambda would have killed the function by then, and nobody would learn what it was waiting for. Here a
call ends within nine seconds, answered or not. Every function in the templates may run for longer.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table

T = TypeVar("T")


def once(make: Callable[[], T]) -> "_lru_cache_wrapper[T]":
    """Make a thing once per execution environment: in Lambda at once, elsewhere when it is first asked for.

    Imports and clients belong into INIT, not into the first customer's call (Lambda developer guide, "Best practices
    for working with AWS Lambda functions").

    Args:
        make: what makes it. In Lambda it is called where it is defined, so all that it uses is to be defined above it.
    """
    made = cache(make)
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        made()
    return made


@cache
def client(service: str, *, read_timeout: float = 3, attempts: int = 2) -> Any:
    """The client of an AWS service, shared by all that ask for it alike.

    Args:
        service: boto3's name of it.
        read_timeout: seconds to wait for an answer.
        attempts: how often one call is tried in all.
    """
    make: Any = boto3.client
    return make(service, config=_patience(read_timeout, attempts))


def table(name: str) -> "Table":
    """A DynamoDB table, for those who read and write plain Python values.

    Args:
        name: of the table.
    """
    return _dynamodb().Table(name)


@cache
def _dynamodb() -> "DynamoDBServiceResource":
    return boto3.resource("dynamodb", config=_patience(3, 2))


def _patience(read_timeout: float, attempts: int) -> Config:
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return Config(connect_timeout=1, read_timeout=read_timeout, retries=retries)
