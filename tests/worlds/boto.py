"""boto3 in the place of our own client of AWS, for tests in which moto answers: it answers boto3 alone.

That the two ask and are answered alike is tested by itself (`tests/unit/test_aws_client.py`), and what is deployed to
the emulator, in all other tiers, is our own.
"""

from functools import cache

import boto3
from tiffin import clients


def boto3_asks() -> None:
    """Let boto3 make what `tiffin.clients` makes. To be called before an entry point is imported."""
    clients.client = cache(clients.by_boto3)
    clients.table = lambda name: boto3.resource("dynamodb", config=clients.client("dynamodb").meta.config).Table(name)
