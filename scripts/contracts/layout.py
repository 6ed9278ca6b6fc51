"""How a state machine's definition is laid out, so that a person can read it: as wide as a screen, and short.

A member of a state, of what it assigns and of an event's `data` has a line of its own; what a service is called with is
filled up like a paragraph. What fits on a line is not broken, so a retrier is one line.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

WIDTH = 160
# Members that go on in the line of `Type`: together they say what kind of state it is.
_KIND = ("Type", "Resource", "Error", "Cause")
_FILLED = frozenset({"Arguments", "Entries", "Payload", "metadata", "ExpressionAttributeValues", "fields"})


def laid_out(text: str) -> str:
    """A definition as it should stand in its file, its members in the order given.

    A string is never broken: nothing else makes a line longer than `WIDTH`.

    Raises:
        ValueError: it is no JSON, or a name is used twice in an object, of which one would be lost.
    """
    definition = json.loads(text, object_pairs_hook=no_duplicates)
    head = [f"  {_member(name, value)}" for name, value in definition.items() if name != "States"]
    states = [f"    {_line(name)}: {_state(state)}" for name, state in definition["States"].items()]
    return "{\n" + ",\n".join([*head, '  "States": {\n' + ",\n".join(states) + "\n  }"]) + "\n}\n"


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON parsers keep the last of two members of one name: a second state would silently replace the first.

    Raises:
        ValueError: a name is used twice.
    """
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"names used twice: {sorted({n for n in names if names.count(n) > 1})}")
    return result


def too_long(text: str) -> Iterator[int]:
    """Numbers, from 1, of the lines that are longer than `WIDTH`."""
    return (number for number, line in enumerate(text.splitlines(), 1) if len(line) > WIDTH)


def _state(state: dict[str, Any]) -> str:
    kind = ", ".join(_member(name, state[name]) for name in _KIND if name in state)
    lines = [_broken(name, value, 6) for name, value in state.items() if name not in _KIND]
    # The comment says why there is such a state: it comes first.
    lines.insert(int("Comment" in state), kind)
    return "{\n      " + ",\n      ".join(lines) + "\n    }"


def _broken(name: str, value: Any, indent: int, opened: str = "", within: str = "") -> str:
    """A member, or an item of a list, on as few lines as it needs.

    Args:
        name: of the member; empty for an item.
        value: its value.
        indent: of its line, which the first line is not given yet.
        opened: what stands in its line before it.
        within: the name of what it is in.
    """
    whole = _member(name, value)
    fits = indent + len(opened + whole + "}],") <= WIDTH and not _is_read_downwards(name, value)
    if fits or not value or not isinstance(value, dict | list):
        return whole
    members = list(value.items()) if isinstance(value, dict) else [("", item) for item in value]
    opening, end = "{}" if isinstance(value, dict) else "[]"
    start = whole.removesuffix(_line(value)) + opening
    kind, (first, item) = name or within, members[0]
    if len(members) == 1 and isinstance(item, dict | list):
        # A box in a box opens and closes in the lines of the outer one.
        return start + _broken(first, item, indent, opened + start, kind) + end

    def lines(at: int) -> list[str]:
        parts = [_broken(key, item, at, within=kind) for key, item in members]
        return [*_paragraph(parts, WIDTH - at)] if kind in _FILLED else parts

    column = indent + len(opened + start)
    aligned = (",\n" + " " * column).join(lines(column))
    # Under one another, if that is simple: for an item of a list even if some members go on below.
    below = re.search(r"\n *[]}]", aligned) if not name else any("\n" in line for line in lines(column))
    if not below and max(map(len, (" " * column + aligned).splitlines())) < WIDTH - 2:
        return start + aligned + end
    pad = "\n" + " " * indent
    return start + f"{pad}  " + f",{pad}  ".join(lines(indent + 2)) + pad + end


def _is_read_downwards(name: str, value: Any) -> bool:
    """Whether there is an event's data or a list of several objects in it: those are tables, each row on its line."""
    if isinstance(value, dict):
        return name == "data" or any(_is_read_downwards(key, member) for key, member in value.items())
    if isinstance(value, list):
        return any((isinstance(item, dict) and len(value) > 1) or _is_read_downwards("", item) for item in value)
    return False


def _paragraph(parts: list[str], width: int) -> Iterator[str]:
    """Join what fits on a line; what has several lines stands alone."""
    line = ""
    for part in parts:
        if line and "\n" not in line + part and len(f"{line}, {part}}}],") <= width:
            line += f", {part}"
            continue
        if line:
            yield line
        line = part
    yield line


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _member(name: str, value: Any) -> str:
    return f"{_line(name)}: {_line(value)}" if name else _line(value)
