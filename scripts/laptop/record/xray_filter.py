"""X-Ray's filter expressions, as far as a person asks them: annotations, services, outcome, time, HTTP.

Source: X-Ray developer guide, "Using filter expressions". Not here: `edge`, `group.name`, `rootcause`, and the keywords
about users and instances, which Tiffin does not record.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .store import nodes

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<name>[A-Za-z_][\w.]*)|(?P<symbol>!=|<=|>=|[=<>!(){}\[\]:,]))"""
)
_BOOLEANS = {"ok", "error", "throttle", "fault", "partial"}
_NUMBERS = {"responsetime", "duration", "http.status"}
_STRINGS = {"http.url", "http.method", "name", "type"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "CONTAINS": lambda found, wanted: str(wanted) in str(found),
    "BEGINSWITH": lambda found, wanted: str(found).startswith(str(wanted)),
    "ENDSWITH": lambda found, wanted: str(found).endswith(str(wanted)),
}

Test = Callable[["Scope"], bool]


class InvalidFilter(ValueError):
    """The expression is not one, or uses what is not known here."""


@dataclass(frozen=True)
class Scope:
    """What an expression is tested on: a whole trace, or one service in it.

    Attributes:
        segments: segment documents, subsegments sent on their own included.
    """

    segments: list[dict[str, Any]]

    def all(self) -> Iterator[dict[str, Any]]:
        """Every segment and subsegment."""
        for segment in self.segments:
            yield from nodes(segment)

    @property
    def root(self) -> dict[str, Any]:
        """The segment that began first, of those that are no subsegments if there are such."""
        tops = [s for s in self.segments if s.get("type") != "subsegment"] or self.segments
        return min(tops, key=lambda s: (bool(s.get("parent_id")), float(s["start_time"])), default={})

    @property
    def duration(self) -> float:
        """Seconds from the first start to the last end."""
        ends = [float(s.get("end_time", s["start_time"])) for s in self.segments]
        return max(ends) - min(float(s["start_time"]) for s in self.segments) if ends else 0.0

    @property
    def response_time(self) -> float:
        """Seconds that the root segment took."""
        root = self.root
        return float(root["end_time"]) - float(root["start_time"]) if root.get("end_time") else self.duration

    def outcome(self, keyword: str) -> bool:
        """`error`, `fault`, `throttle` and `ok` of the root; `partial` if anything is in progress."""
        if keyword == "partial":
            return any(s.get("in_progress") for s in self.segments)
        root = self.root
        if keyword == "ok":
            return not (root.get("error") or root.get("fault") or root.get("throttle"))
        return bool(root.get(keyword))

    def annotations(self, key: str) -> list[Any]:
        """Every value of an annotation."""
        return [node["annotations"][key] for node in self.all() if key in (node.get("annotations") or {})]

    def values(self, keyword: str) -> list[Any]:
        """Every value of a keyword that has values."""
        if keyword == "duration":
            return [self.duration]
        if keyword == "responsetime":
            return [self.response_time]
        if keyword == "name":
            return [s.get("name") for s in self.segments]
        if keyword == "type":
            return [s.get("origin") for s in self.segments if s.get("origin")]
        part, field = {"http.status": ("response", "status"), "http.url": ("request", "url")}.get(
            keyword, ("request", "method")
        )
        found = [((node.get("http") or {}).get(part) or {}).get(field) for node in self.all()]
        return [value for value in found if value is not None]


@dataclass(frozen=True)
class Filter:
    """A parsed expression.

    Attributes:
        matches: whether a trace fits.
        annotated: annotations that every fitting trace must have, to look up in an index first.
    """

    matches: Test
    annotated: dict[str, str]


def parse(expression: str) -> Filter:
    """Parse a filter expression.

    Args:
        expression: such as `annotation.order_id = "ord_x" AND service("orders") AND duration > 1`. Empty fits all.

    Raises:
        InvalidFilter: with what is wrong, and where.
    """
    if not expression.strip():
        return Filter(lambda _: True, {})
    parser = _Parser(expression)
    test, annotated = parser.disjunction()
    parser.expect_end()
    return Filter(test, annotated)


class _Parser:
    """Recursive descent: OR binds less than AND, AND less than `!`."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._tokens: list[tuple[str, str]] = []
        end = len(text.rstrip())
        while self._at < end:
            match = _TOKEN.match(text, self._at)
            if match is None:
                raise InvalidFilter(f"unexpected {text[self._at :].strip()[:20]!r}")
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            self._at = match.end()
        self._next = 0

    def disjunction(self) -> tuple[Test, dict[str, str]]:
        test, annotated = self._conjunction()
        while self._take_word("OR"):
            second, _ = self._conjunction()
            test, annotated = _either(test, second), {}
        return test, annotated

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise InvalidFilter(f"unexpected {self._tokens[self._next][1]!r}")

    def _conjunction(self) -> tuple[Test, dict[str, str]]:
        test, annotated = self._negation()
        while self._take_word("AND"):
            second, more = self._negation()
            test, annotated = _both(test, second), annotated | more
        return test, annotated

    def _negation(self) -> tuple[Test, dict[str, str]]:
        if self._take("!"):
            test, _ = self._negation()
            return (lambda s: not test(s)), {}
        if self._take("("):
            inner = self.disjunction()
            self._need(")")
            return inner
        return self._term()

    def _term(self) -> tuple[Test, dict[str, str]]:
        kind, name = self._pop()
        if kind != "name":
            raise InvalidFilter(f"a keyword is wanted, not {name!r}")
        keyword = name.lower()
        if keyword.startswith("annotation"):
            return self._annotation(name)
        if keyword == "service":
            return self._service(), {}
        if keyword in _BOOLEANS:
            wanted = self._pop()[1].lower() == "true" if self._take("=") else True
            return (lambda s: s.outcome(keyword) is wanted), {}
        if keyword in _NUMBERS | _STRINGS:
            compare, value = self._comparison()
            return (lambda s: any(compare(found, value) for found in s.values(keyword))), {}
        raise InvalidFilter(f"{name!r} is not a keyword that is known here")

    def _annotation(self, name: str) -> tuple[Test, dict[str, str]]:
        if self._take("["):
            kind, text = self._pop()
            key = text[1:-1] if kind == "string" else text
            self._need("]")
        else:
            key = name.partition(".")[2]
        if not key:
            raise InvalidFilter("an annotation needs a name")
        symbol = self._peek()
        if symbol not in {*_COMPARE} and symbol.upper() not in _COMPARE:
            return (lambda s: bool(s.annotations(key))), {}
        compare, value = self._comparison()
        annotated = {key: value} if symbol == "=" and isinstance(value, str) else {}
        return (lambda s: any(_same_kind(f, value) and compare(f, value) for f in s.annotations(key))), annotated

    def _service(self) -> Test:
        name = kind = None
        self._need("(")
        if self._peek() == "id":
            self._pop()
            self._need("(")
            while not self._take(")"):
                field = self._pop()[1]
                self._need(":")
                if field == "name":
                    name = self._literal()
                elif field == "type":
                    kind = self._literal()
                else:
                    raise InvalidFilter(f"{field!r} does not identify a service here")
                self._take(",")
        elif self._peek() != ")":
            name = self._literal()
        self._need(")")
        inner: Test | None = None
        if self._take("{"):
            inner, _ = self.disjunction()
            self._need("}")

        def of_service(scope: Scope) -> bool:
            services = [
                s
                for s in scope.segments
                if s.get("type") != "subsegment" and name in (None, s.get("name")) and kind in (None, s.get("origin"))
            ]
            # Powertools annotates its subsegments with the service, which several functions may form.
            services += [n for n in scope.all() if name and (n.get("annotations") or {}).get("Service") == name]
            return any(inner is None or inner(Scope([s])) for s in services)

        return of_service

    def _comparison(self) -> tuple[Callable[[Any, Any], bool], str | float | bool]:
        symbol = self._pop()[1].upper()
        if symbol not in _COMPARE:
            raise InvalidFilter(f"{symbol!r} compares nothing")
        return _COMPARE[symbol], self._literal()

    def _literal(self) -> str | float | bool:
        kind, text = self._pop()
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            return float(text)
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise InvalidFilter(f"a value is wanted, not {text!r}; strings stand in quotes")

    def _peek(self) -> str:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else ""

    def _pop(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise InvalidFilter("it ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _take(self, symbol: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == ("symbol", symbol):
            self._next += 1
            return True
        return False

    def _take_word(self, word: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next][0] == "name" and self._peek().upper() == word:
            self._next += 1
            return True
        return False

    def _need(self, symbol: str) -> None:
        if not self._take(symbol):
            raise InvalidFilter(f"{symbol!r} is missing before {self._peek()!r}")


def _same_kind(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return isinstance(found, bool) and isinstance(value, bool)
    return isinstance(found, str) == isinstance(value, str)


def _either(first: Test, second: Test) -> Test:
    return lambda scope: first(scope) or second(scope)


def _both(first: Test, second: Test) -> Test:
    return lambda scope: first(scope) and second(scope)
