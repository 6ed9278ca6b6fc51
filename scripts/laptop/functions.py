"""The functions' execution environments, started before anybody waits for them: no customer pays for a cold start."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .environment import Access, client
from .errors import StartFailed
from .pace import eventually

# Two orders at once find an environment each in the functions that they wait for.
_TWICE = ("-ApiFunction", "-PaymentsFunction")


def start(access: Access, told: Callable[[int, int], None] = lambda ready, of: None) -> None:
    """Start environments of every function, of as many at once as there are cores, and invoke none.

    Args:
        access: the emulator's.
        told: called with how many functions are ready, and of how many.

    Raises:
        StartFailed: one does not start.
    """
    functions = client("lambda", access)
    # Those with two first: begun last, they would end last.
    waiting = sorted(names(functions), key=_environments, reverse=True)
    told(0, len(waiting))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for ready, _ in enumerate(pool.map(lambda name: _start(functions, name), waiting), 1):
            told(ready, len(waiting))


def names(functions: Any) -> list[str]:
    """The names of all functions that are deployed."""
    pages = functions.get_paginator("list_functions").paginate()
    return [function["FunctionName"] for page in pages for function in page["Functions"]]


def _environments(name: str) -> int:
    return 2 if any(part in name for part in _TWICE) else 1


def _called(functions: Any, name: str) -> str:
    """By which alias a function is called, if it has one."""
    aliases = functions.list_aliases(FunctionName=name)["Aliases"]
    return str(aliases[0]["Name"]) if aliases else "$LATEST"


def _start(functions: Any, name: str) -> None:
    """Ask for provisioned concurrency, and wait until it is there; see `gaps/provisioned_concurrency.py`."""
    which = {"FunctionName": name, "Qualifier": _called(functions, name)}
    functions.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=_environments(name))

    def settled() -> dict[str, Any] | None:
        config: dict[str, Any] = functions.get_provisioned_concurrency_config(**which)
        return config if config["Status"] != "IN_PROGRESS" else None

    config = eventually(settled, 60, f"the start of {name}")
    if config["Status"] == "FAILED":
        raise StartFailed(f"The function {name} does not start: {config['StatusReason']}")
