"""JSON read strictly, with the line on which each value begins: whoever wrote a file is told where to look. Pure.

Python's `json` forgets where values stood, and takes what is no JSON (RFC 8259). Here NaN, a name that stands twice in
one object, a lone surrogate, and a number or a nesting beyond any menu are refused.
"""

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, NoReturn

Location = tuple[str | int, ...]
"""Names and positions that lead from the whole document to a value in it."""

DEEPEST = 16
"""How deep a document may nest. A menu nests four deep."""
LONGEST_NUMBER = 20
"""How many characters a number may have."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile("|".join(_WORDS))


class NotJson(ValueError):
    """A text is no JSON as this module has it.

    Attributes:
        line: where, the first being 1.
        location: the value in which that is.
        reason: why, in words that quote nothing of the text.
    """

    def __init__(self, line: int, location: Location, reason: str) -> None:
        super().__init__(reason)
        self.line, self.location, self.reason = line, location, reason


@dataclass
class Document:
    """What was read, and where it stood.

    Attributes:
        value: the whole.
        begins: offsets in the text, by location; of a member of an object, that of its name.
    """

    text: str
    value: Any = None
    begins: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int:
        """The line on which a value begins; of one that is missing, that of the nearest value around it."""
        while location and location not in self.begins:
            location = location[:-1]
        return self.line_at(self.begins.get(location, 0))

    def line_at(self, offset: int) -> int:
        """The line of an offset, the first being 1."""
        return bisect_right(self._line_ends, offset - 1) + 1

    def __post_init__(self) -> None:
        self._line_ends = [found.start() for found in re.finditer("\n", self.text)]


def read(text: str) -> Document:
    """Read a document.

    Args:
        text: JSON.

    Raises:
        NotJson: it is none.
    """
    document = Document(text)
    reader = _Reader(document)
    document.value, end = reader.value(reader.space(0), ())
    if (end := reader.space(end)) < len(text):
        reader.refuse(end, (), "something follows the end of the document")
    return document


class _Reader:
    """Reads a text from left to right; each method takes an offset, and tells the one behind what it read."""

    def __init__(self, document: Document) -> None:
        self._document, self._text = document, document.text

    def refuse(self, at: int, location: Location, reason: str) -> NoReturn:
        raise NotJson(self._document.line_at(at), location, reason)

    def space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def value(self, at: int, location: Location) -> tuple[Any, int]:
        self._document.begins.setdefault(location, at)
        if len(location) > DEEPEST:
            self.refuse(at, location, f"nested more than {DEEPEST} deep")
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, location)
            case "[":
                return self._array(at, location)
            case '"':
                return self._string(at, location)
        if word := _WORD.match(self._text, at):
            return _WORDS[word[0]], word.end()
        if number := _NUMBER.match(self._text, at):
            return self._number(number, location), number.end()
        return self.refuse(at, location, "a value is expected here")

    def _object(self, at: int, location: Location) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        at = self.space(at + 1)
        while not (self._text.startswith("}", at) and not members):
            if not self._text.startswith('"', at):
                self.refuse(at, location, 'a name in "quotes" is expected here')
            name, end = self._string(at, location)
            if name in members:
                self.refuse(at, (*location, name), "this name stands twice in one object")
            self._document.begins[(*location, name)] = at
            end = self.space(end)
            if not self._text.startswith(":", end):
                self.refuse(end, (*location, name), "a colon is expected here")
            members[name], at = self.value(self.space(end + 1), (*location, name))
            at = self.space(at)
            if self._text.startswith("}", at):
                break
            at = self._comma(at, location, "}")
        return members, at + 1

    def _array(self, at: int, location: Location) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = self.space(at + 1)
        while not (self._text.startswith("]", at) and not items):
            item, at = self.value(at, (*location, len(items)))
            items.append(item)
            at = self.space(at)
            if self._text.startswith("]", at):
                break
            at = self._comma(at, location, "]")
        return items, at + 1

    def _comma(self, at: int, location: Location, closes: str) -> int:
        if not self._text.startswith(",", at):
            self.refuse(at, location, f"a comma or {closes} is expected here")
        return self.space(at + 1)

    def _string(self, at: int, location: Location) -> tuple[str, int]:
        found = _STRING.match(self._text, at)
        if found is None:
            self.refuse(at, location, "a text that does not end, or holds a control character or an unknown escape")
        value: str = json.loads(found[0])
        try:
            value.encode()
        except UnicodeEncodeError:
            self.refuse(at, location, "half of a character: a lone surrogate")
        return value, found.end()

    def _number(self, found: re.Match[str], location: Location) -> int | float:
        if len(found[0]) > LONGEST_NUMBER:
            self.refuse(found.start(), location, f"a number of more than {LONGEST_NUMBER} characters")
        if not (found["fraction"] or found["exponent"]):
            return int(found[0])
        # 2.0 is 2, as in a request: JSON has no integers, and for JSON Schema one is any number without a fraction.
        value = float(found[0])
        if value in (float("inf"), float("-inf")):
            self.refuse(found.start(), location, "a number that is too large")
        return int(value) if value.is_integer() else value
