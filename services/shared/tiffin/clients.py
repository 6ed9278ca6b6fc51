"""AWS clients and what is made of them: made one way, once per execution environment, in INIT.

A client that waits as long as boto3 does by itself, a minute for a connection and another one for an answer, several
times over (boto3 guide, "Configuration"), waits until Lambda kills the function, and nobody learns what it was waiting
for. Here a call ends within nine seconds, answered or not. Every function in the templates may run for longer.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from tiffin.aws import APIS, Client, Table
from tiffin.snapshots import closed_before_snapshots

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

    from mypy_boto3_dynamodb.service_resource import Table as DynamoTable

T = TypeVar("T")

CONNECT_TIMEOUT = 1.0
"""Seconds to wait for a connection."""


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
        service: boto3's name of it. boto3 itself is imported for one that `tiffin.aws` does not speak to.
        read_timeout: seconds to wait for an answer.
        attempts: how often one call is tried in all.
    """
    if service in APIS:
        return _ours(service, read_timeout=read_timeout, attempts=attempts)
    return by_boto3(service, read_timeout=read_timeout, attempts=attempts)


def by_boto3(service: str, *, read_timeout: float = 3, attempts: int = 2) -> Any:
    """The same, by boto3; a new one each time."""
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    make: Any = boto3.client
    made = make(service, config=Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=read_timeout, retries=retries))
    closed_before_snapshots(made.close)
    return made


def table(name: str) -> "DynamoTable":
    """A DynamoDB table, for those who read and write plain Python values.

    Args:
        name: of the table.
    """
    made: Any = Table(name, _plain())
    return made  # type: ignore[no-any-return]


@cache
def _plain() -> Client:
    return _ours("dynamodb", plain=True)


def _ours(service: str, *, read_timeout: float = 3, attempts: int = 2, plain: bool = False) -> Client:
    made = Client(service, connect_timeout=CONNECT_TIMEOUT, read_timeout=read_timeout, attempts=attempts, plain=plain)
    closed_before_snapshots(made.hang_up)
    return made
