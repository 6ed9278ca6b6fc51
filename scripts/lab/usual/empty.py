"""A function that does nothing: what Python and Lambda's own runtime client cost alone."""

from typing import Any


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Do nothing."""
    return {}
