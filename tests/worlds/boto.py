"""boto3 in the place of our own client of AWS, for tests in which moto answers: it answers boto3 alone.

That the two ask and are answered alike is tested by itself (`tests/unit/test_aws_client.py`), and what is deployed to
the emulator, in all other tiers, is our own.
"""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from tiffin import clients


def boto3_asks() -> None:
    """Let boto3 make what `tiffin.clients` makes. To be called before an entry point is imported."""
    clients.client = cache(_client)
    clients.table = lambda name: boto3.resource("dynamodb", config=_patience()).Table(name)


def _client(service: str, *, read_timeout: float = 3, attempts: int = 2) -> Any:
    make: Any = boto3.client
    return make(service, config=_patience(read_timeout, attempts))


def _patience(read_timeout: float = 3, attempts: int = 2) -> Config:
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return Config(connect_timeout=clients.CONNECT_TIMEOUT, read_timeout=read_timeout, retries=retries)
