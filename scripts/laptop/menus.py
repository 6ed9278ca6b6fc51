"""The sample menus, one file for each restaurant, and their way into a stack: into its bucket, as everybody's."""

import hashlib
import json
from pathlib import Path
from typing import Any, Protocol

from orders.menu_bucket import report_key
from orders.menu_rules import Menu, MenuRefused, judged, restaurant_of

from .environment import ROOT
from .errors import MenuNotTaken
from .pace import eventually

MENUS = ROOT / "menus"


class DeployedStack(Protocol):
    """What loading menus needs of a stack; the laptop's `laptop.Stack` is one."""

    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client for the stack."""


def files(folder: Path = MENUS) -> list[Path]:
    """The files of menus in a folder."""
    return sorted(folder.glob("*.json"))


def read(folder: Path = MENUS) -> list[Menu]:
    """Read and check the menus, as the function does that takes them in.

    Args:
        folder: where they are.

    Raises:
        MenuNotTaken: one is no menu; says where and why.
    """
    return [_judged(path) for path in files(folder)]


def seed(stack: DeployedStack, folder: Path = MENUS) -> int:
    """Put menus into a stack's bucket, and wait until each has taken effect.

    One after the other: each finds the function started, and the machine is nobody else's meanwhile.

    Args:
        stack: with the outputs `MenusBucketName` and `MenusTableName`.
        folder: where the menus are.

    Returns:
        How many dishes can be ordered now.

    Raises:
        MenuNotTaken: one was refused; says where and why.
        NotInTime: nobody took it in.
    """
    return sum(len(put(stack, path).dishes) for path in files(folder))


def changed(stack: DeployedStack, folder: Path = MENUS) -> list[Path]:
    """The files of menus that a stack's bucket does not hold as they are."""
    s3, bucket = stack.client("s3"), stack.outputs["MenusBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    held = {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", [])}
    return [path for path in files(folder) if held.get(path.name) != _etag(path.read_bytes())]


def _etag(content: bytes) -> str:
    """What S3 answers as the ETag of an object that was put in one piece."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def put(stack: DeployedStack, path: Path, within: float = 60) -> Menu:
    """Put one menu into a stack's bucket, and wait until it has taken effect.

    Args:
        stack: see `seed`.
        path: the file.
        within: seconds to wait, on a quiet machine.

    Raises:
        MenuNotTaken, NotInTime: see `seed`.
    """
    s3, bucket = stack.client("s3"), stack.outputs["MenusBucketName"]
    version = s3.put_object(Bucket=bucket, Key=path.name, Body=path.read_bytes())["VersionId"]
    dynamodb, table = stack.client("dynamodb"), stack.outputs["MenusTableName"]
    report = report_key(path.name, version)

    def settled() -> bool:
        if s3.list_objects_v2(Bucket=bucket, Prefix=report).get("KeyCount"):
            raise MenuNotTaken(s3.get_object(Bucket=bucket, Key=report)["Body"].read().decode())
        row = dynamodb.get_item(
            TableName=table, Key={"restaurant_id": {"S": path.stem}}, ConsistentRead=True,
            ProjectionExpression="file_version",
        ).get("Item", {})  # fmt: skip
        return bool(row.get("file_version", {}).get("S") == version)

    eventually(settled, within, f"the menu {path.name} taking effect")
    return _judged(path)


def _judged(path: Path) -> Menu:
    content = path.read_bytes()
    try:
        return judged(content, restaurant_of(path.name, len(content)))
    except MenuRefused as refused:
        raise MenuNotTaken(f"{path}: {json.dumps(refused.report())}") from refused
