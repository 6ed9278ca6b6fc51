"""The event contracts as a program reads them: load, validate, and look up.

The contracts are the files in `events/schemas/`; nothing about an event is said here a second time.
"""

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from referencing import Registry, Resource

EVENTS = Path(__file__).resolve().parents[2] / "events"
SCHEMAS = EVENTS / "schemas"
COMMON = "common"

# JSON Schema lets 2350.0 pass as an integer. It is not one for a consumer that refuses floats as money, so not here.
_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
# These say something to a reader; every other keyword binds.
ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "title", "description", "examples"})


class ContractViolation(ValueError):
    """An event is not what its contract promises.

    Attributes:
        detail_type: name of the event, as far as it has one.
        pointer: JSON pointer (RFC 6901) into the EventBridge event.
        reason: what is wrong there.
    """

    def __init__(self, detail_type: str, pointer: str, reason: str) -> None:
        super().__init__(f"{detail_type} at {pointer or '/'}: {reason}")
        self.detail_type, self.pointer, self.reason = detail_type, pointer, reason


class NotJson(ValueError):
    """A contract's file is no JSON; it says which, and where."""

    def __init__(self, path: Path, error: ValueError) -> None:
        super().__init__(f"{path.parent.name}/{path.name} is no JSON: {error}")


class Contracts:
    """All event contracts of one folder: one JSON Schema per event, and the definitions that they share.

    Args:
        documents: schema by file name without its ending; `common` is the shared one.
    """

    def __init__(self, documents: Mapping[str, dict[str, Any]]) -> None:
        self._documents = dict(documents)

    @classmethod
    def load(cls, folder: Path = SCHEMAS) -> "Contracts":
        """Read every `*.json` of a folder.

        Args:
            folder: `events/schemas`, or one release below `events/released`.

        Raises:
            NotJson: one is none.
        """
        documents = {}
        for path in sorted(folder.glob("*.json")):
            try:
                documents[path.stem] = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise NotJson(path, error) from None
        return cls(documents)

    def names(self) -> list[str]:
        """The names of all events, sorted."""
        return sorted(name for name in self._documents if name != COMMON)

    def schema(self, name: str) -> dict[str, Any]:
        """One schema as it stands in its file, references and all.

        Raises:
            KeyError: there is no such event.
        """
        return self._documents[name]

    def version(self, name: str) -> int:
        """The `event_version` that an event's contract describes."""
        return int(self.schema(name)["properties"]["metadata"]["properties"]["event_version"]["const"])

    def source(self, name: str) -> str:
        """The EventBridge `source` that alone sends this event."""
        return str(self.schema(name)["x-source"])

    def resolved(self, name: str) -> dict[str, Any]:
        """One schema with every reference replaced by what it refers to."""
        inlined: dict[str, Any] = self._inline(self.schema(name), self._documents[COMMON]["$id"])
        return inlined

    def validate(self, event: Mapping[str, Any]) -> None:
        """Check a complete EventBridge event against the contract of its `detail-type`.

        Args:
            event: as a rule's target receives it: `version`, `id`, `detail-type`, …, `detail`.

        Raises:
            ContractViolation: with the place and the reason of the worst deviation.
        """
        name = str(event.get("detail-type", "unnamed event"))
        if error := best_match(self._envelope.iter_errors(dict(event))):
            raise ContractViolation(name, _pointer(error.absolute_path), error.message)
        if name not in self.names():
            raise ContractViolation(name, "/detail-type", "no contract describes this event")
        if event["source"] != self.source(name):
            raise ContractViolation(name, "/source", f"{event['source']!r} is not {self.source(name)!r}")
        if error := best_match(self._validators[name].iter_errors(event["detail"])):
            raise ContractViolation(name, "/detail" + _pointer(error.absolute_path), error.message)
        metadata = event["detail"]["metadata"]
        # A schema cannot compare two members of a document.
        if not metadata["event_id"].startswith(metadata["order_id"] + ":"):
            raise ContractViolation(name, "/detail/metadata/event_id", "names another order than `order_id`")

    @cached_property
    def _registry(self) -> Registry[Any]:
        resources = [Resource.from_contents(document) for document in self._documents.values()]
        return Registry().with_resources((str(resource.id()), resource) for resource in resources).crawl()

    @cached_property
    def _envelope(self) -> Any:
        return self._validator({"$ref": self._documents[COMMON]["$id"] + "#/$defs/eventbridge_event"})

    @cached_property
    def _validators(self) -> dict[str, Any]:
        return {name: self._validator(self.schema(name)) for name in self.names()}

    def _validator(self, schema: dict[str, Any]) -> Any:
        return _Validator(schema, registry=self._registry, format_checker=FormatChecker())

    def _inline(self, node: Any, base: str) -> Any:
        if isinstance(node, list):
            return [self._inline(item, base) for item in node]
        if not isinstance(node, dict):
            return node
        siblings = {key: self._inline(value, base) for key, value in node.items() if key != "$ref"}
        if "$ref" not in node:
            return siblings
        target = self._registry.resolver(base).lookup(node["$ref"])
        return _overlay(self._inline(target.contents, base), siblings)


@lru_cache(maxsize=1)
def current() -> Contracts:
    """The contracts as they stand in `events/schemas`."""
    return Contracts.load()


def names() -> list[str]:
    """The names of all events that Tiffin announces, sorted."""
    return current().names()


def validate(event: Mapping[str, Any]) -> None:
    """Check a complete EventBridge event against its contract in `events/schemas`.

    Args:
        event: as a rule's target receives it.

    Raises:
        ContractViolation: the event is not what its contract promises.
    """
    current().validate(event)


def example(name: str) -> dict[str, Any]:
    """The committed example of an event: complete, valid, and a fresh copy at each call.

    Args:
        name: the event's name.
    """
    document: dict[str, Any] = json.loads((EVENTS / "examples" / f"{name}.json").read_text("utf-8"))
    return document


def _overlay(target: dict[str, Any], siblings: dict[str, Any]) -> dict[str, Any]:
    """Merge what stands beside a `$ref` into what it refers to. Both apply, so they must not contradict each other."""
    merged = dict(target)
    for key, value in siblings.items():
        present = merged.get(key)
        if key == "properties" and present:
            merged[key] = {**present, **{n: _overlay(present.get(n, {}), member) for n, member in value.items()}}
        elif present in (None, value) or key in ANNOTATIONS:
            merged[key] = value
        else:
            raise ValueError(f"{key!r} stands beside a $ref whose target says otherwise: {value!r}, {present!r}")
    return merged


def _pointer(path: Any) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
