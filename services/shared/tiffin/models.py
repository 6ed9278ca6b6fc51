"""The base of every model: pydantic's, except that its errors keep to themselves what they were given.

A validation error is logged with its message, and X-Ray writes the message of whatever a function raises into the
trace. By default that message repeats the input, such as a customer's address. What is said of an error here repeats
nothing of the input: no value, no name of a member that the sender thought of, no tag.

Source: pydantic documentation, "Configuration", `hide_input_in_errors`, and "Error handling".
"""

import sys
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin

import pydantic

# Before it makes its first model, pydantic looks for plugins of its own in the metadata of all that is installed. There
# are none, and whoever has one takes this line out.
sys.modules.setdefault("pydantic.plugin._loader", SimpleNamespace(get_plugins=tuple))  # type: ignore[arg-type]

# What a location may be told by: names of fields, and the tags by which unions tell their members apart. Everything
# else in one is the sender's, such as the name of a member that nobody knows.
_OURS: set[str] = set()


class BaseModel(pydantic.BaseModel):
    """A pydantic model whose errors say where and why, never what.

    A validator of one's own says what is wrong in words that are the same for every value.
    """

    model_config = pydantic.ConfigDict(hide_input_in_errors=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Note by which names its fields are known."""
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            _OURS.update(known for known in (name, field.alias, field.validation_alias) if isinstance(known, str))
            if get_origin(field.annotation) is Literal:
                _OURS.update(map(str, get_args(field.annotation)))


def faults(error: pydantic.ValidationError) -> str:
    """Where a value does not fit its model and why, without the value, and without names that its sender chose.

    Args:
        error: what pydantic raised.

    Returns:
        `delivery.address: Field required; …`, at most 1,024 characters.
    """
    wrong = error.errors(include_input=False, include_context=False, include_url=False)
    return "; ".join(f"{where(e['loc']) or 'message'}: {why(e)}" for e in wrong)[:1024]


def where(location: Iterable[int | str]) -> str:
    """A place in a document, `lines.0.quantity`, with a question mark for each part that nobody here knows."""
    return ".".join(str(part) if isinstance(part, int) or part in _OURS else "?" for part in location)


def why(detail: Mapping[str, Any]) -> str:
    """What is wrong, without what was sent: of pydantic's own messages only this one repeats it.

    Args:
        detail: one of `ValidationError.errors()`.
    """
    return "Unknown tag" if detail["type"] == "union_tag_invalid" else str(detail["msg"])
