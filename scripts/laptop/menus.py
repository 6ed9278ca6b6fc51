"""The sample menus, one file for each restaurant, and their way into a stack: into its bucket, as everybody's."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from orders.menu_bucket import REPORTS, report_key
from orders.menu_rules import Menu, MenuRefused, judged, restaurant_of

from .environment import ROOT
from .errors import MenuNotTaken
from .pace import eventually

MENUS = ROOT / "menus"


class DeployedStack(Protocol):
    """What loading menus needs of a stack; the laptop's `laptop.Stack` is one."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs."""

    @property
    def client(self) -> Callable[[str], Any]:
        """Makes boto3 clients for the stack, by the service's name."""


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
    return [_judged(path.name, path.read_bytes()) for path in files(folder)]


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
    return serve(stack, path.name, path.read_bytes(), within)


def serve(stack: DeployedStack, key: str, content: bytes, within: float = 60) -> Menu:
    """The same with a menu that is no file here.

    Args:
        stack: see `seed`.
        key: the file's name in the bucket.
        content: what it says.
        within: seconds to wait, on a quiet machine.

    Raises:
        MenuNotTaken, NotInTime: see `seed`.
    """
    s3, bucket = stack.client("s3"), stack.outputs["MenusBucketName"]
    version = s3.put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]
    dynamodb, table = stack.client("dynamodb"), stack.outputs["MenusTableName"]
    report = report_key(key, version)
    restaurant_id = key.removesuffix(".json")

    def settled() -> bool:
        if s3.list_objects_v2(Bucket=bucket, Prefix=report).get("KeyCount"):
            raise MenuNotTaken(s3.get_object(Bucket=bucket, Key=report)["Body"].read().decode())
        row = dynamodb.get_item(
            TableName=table, Key={"restaurant_id": {"S": restaurant_id}}, ConsistentRead=True,
            ProjectionExpression="file_version",
        ).get("Item", {})  # fmt: skip
        return bool(row.get("file_version", {}).get("S") == version)

    eventually(settled, within, f"the menu {key} taking effect")
    return _judged(key, content)


def unlist(stack: DeployedStack, restaurant_id: str) -> None:
    """Leave a restaurant out of the list that customers see: orders can be placed by whoever knows its id."""
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["MenusTableName"],
        Key={"restaurant_id": {"S": restaurant_id}},
        UpdateExpression="REMOVE listed",
        ConditionExpression="attribute_exists(restaurant_id)",
    )


def remove(stack: DeployedStack, restaurant_id: str) -> None:
    """Remove a restaurant, whose orders must have ended: every version of its file, what was reported, and its row."""
    s3, bucket, key = stack.client("s3"), stack.outputs["MenusBucketName"], f"{restaurant_id}.json"
    for name in (key, f"{REPORTS}{key}/"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=name):
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                # What begins like the file's name may be another file.
                if version["Key"] != key and not version["Key"].startswith(f"{REPORTS}{key}/"):
                    continue
                s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    stack.client("dynamodb").delete_item(
        TableName=stack.outputs["MenusTableName"], Key={"restaurant_id": {"S": restaurant_id}}
    )


def _judged(key: str, content: bytes) -> Menu:
    try:
        return judged(content, restaurant_of(key, len(content)))
    except MenuRefused as refused:
        raise MenuNotTaken(f"{key}: {json.dumps(refused.report())}") from refused
