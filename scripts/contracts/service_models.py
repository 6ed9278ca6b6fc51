"""What AWS's own models of its services say of a call: botocore carries them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
import regex
from botocore.model import ServiceModel, Shape, StringShape


class UnknownCall(LookupError):
    """AWS has no such service, or the service no such operation."""


@lru_cache(maxsize=1)
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@lru_cache
def service(name: str) -> ServiceModel:
    """The model of a service.

    Args:
        name: as boto3 calls it.

    Raises:
        UnknownCall: there is none of that name.
    """
    if name not in _session().get_available_services():
        raise UnknownCall(f"no service {name!r}")
    return _session().get_service_model(name)


def input_of(service_name: str, operation: str) -> Shape:
    """What an operation takes.

    Args:
        service_name: as boto3 calls it.
        operation: as the API reference spells it, such as `PutEvents`.

    Raises:
        UnknownCall: there is no such service or operation.
    """
    model = service(service_name)
    if operation not in model.operation_names:
        raise UnknownCall(f"no operation {operation!r} of {service_name}")
    shape = model.operation_model(operation).input_shape
    if shape is None:
        raise UnknownCall(f"{service_name} {operation} takes nothing")
    return shape


def out_of_bounds(value: Any, shape: Shape) -> Iterator[str]:
    """What a model says against one string, number or list: its length, range, pattern or set of values.

    Args:
        value: the one; what it holds is not looked at.
        shape: what the model says.

    Returns:
        One sentence for each thing that is wrong.
    """
    bounds = shape.metadata
    measured: float
    if isinstance(value, bool) or shape.type_name in ("timestamp", "blob", "structure"):
        return
    if isinstance(value, str) and shape.type_name == "string":
        measured, unit = len(value), "characters"
    elif isinstance(value, int | float) and shape.type_name in ("integer", "long", "float", "double"):
        measured, unit = value, ""
    elif isinstance(value, list) and shape.type_name == "list":
        measured, unit = len(value), "items"
    else:
        return
    if measured < bounds.get("min", measured):
        yield f"{measured} {unit}".rstrip() + f", fewer than {bounds['min']}"
    if measured > bounds.get("max", measured):
        yield f"{measured} {unit}".rstrip() + f", more than {bounds['max']}"
    if isinstance(value, str):
        # Services mean the whole, though a pattern may be met by a part (Smithy specification, "pattern trait").
        if "pattern" in bounds and not _pattern(bounds["pattern"]).fullmatch(value):
            yield f"does not match {bounds['pattern']}"
        if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
            yield f"is none of {', '.join(shape.enum)}"


@lru_cache
def _pattern(text: str) -> "regex.Pattern[str]":
    # Java's patterns: `\p{L}`, and a flag in the midst of one, which Python's own `re` does not take.
    return regex.compile(text)
