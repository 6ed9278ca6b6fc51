"""A function sees the file system that its configuration names.

Source: AWS Lambda developer guide, "Configuring file system access for Lambda functions": an access point is mounted at
a path below `/mnt`, if the execution role allows `elasticfilesystem:ClientMount`; EFS user guide, "Working with Amazon
EFS access points": an access point leads to one folder, which it makes. MiniStack keeps the configuration, except that
of a template, and mounts nothing. No ordinary user may make `/mnt/models`, so here the folder lies in the emulator's
temporary directory, and the function finds it by its environment: a variable whose value is that path, or lies below
it, names the folder instead.

Not here: that a role without `ClientWrite` has it read-only, and the users of access points.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import efs

from . import function_settings
from .workflow_permissions import role_allows


def fill() -> None:
    """Make the folders, and tell the worker where they are."""
    spawn = lambda_runtime.Worker._spawn

    def spawn_with_mounts(self: Any) -> Any:
        mounts = {m["LocalMountPath"]: m["Arn"] for m in self.config.get("FileSystemConfigs") or []}
        if not mounts:
            return spawn(self)
        kept = self.config
        folders = {path: _mounted(arn, str(kept["Role"])) for path, arn in mounts.items()}
        variables = kept.get("Environment", {}).get("Variables", {})
        found = {name: _found(value, folders) for name, value in variables.items()}
        self.config = {**kept, "Environment": {"Variables": found}}
        try:
            return spawn(self)
        finally:
            self.config = kept

    lambda_runtime.Worker._spawn = spawn_with_mounts
    function_settings.keep(_file_systems)


def _file_systems(config: dict[str, Any], props: Mapping[str, Any]) -> None:
    config.pop("FileSystemConfigs", None)
    if "FileSystemConfigs" in props:
        config["FileSystemConfigs"] = props["FileSystemConfigs"]


def _mounted(arn: str, role: str) -> Path:
    """The folder that an access point leads to.

    Raises:
        RuntimeError: there is no such access point, or the role may not mount it; the function does not start.
    """
    point = efs._access_points.get(arn.rpartition("/")[2])
    if point is None:
        raise RuntimeError(f"EFSMountFailureException: there is no access point {arn}")
    system = efs._file_systems.get(point["FileSystemId"])["FileSystemArn"]
    if not role_allows(role, "elasticfilesystem:ClientMount", system, {"elasticfilesystem:accesspointarn": arn}):
        raise RuntimeError(f"EFSMountFailureException: {role} may not mount {system}")
    root = point.get("RootDirectory", {}).get("Path", "/")
    folder = Path(os.environ["TMPDIR"], "file-systems", point["FileSystemId"], root.strip("/"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _found(value: str, folders: dict[str, Path]) -> str:
    for mount, folder in folders.items():
        if value == mount or value.startswith(mount + "/"):
            return str(folder) + value.removeprefix(mount)
    return value
