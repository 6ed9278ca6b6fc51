"""The event contracts as a program reads them: load, validate, compare with what was released.

    python scripts/event_contracts.py check event.json …    validate complete EventBridge events
    python scripts/event_contracts.py compare               refuse a change that would break a consumer
    python scripts/event_contracts.py release               freeze the contracts as the next release

The contracts are the files in `events/schemas/`; nothing about an event is said here a second time.
"""

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from referencing import Registry, Resource

EVENTS = Path(__file__).resolve().parent.parent / "events"
SCHEMAS = EVENTS / "schemas"
RELEASED = EVENTS / "released"
COMMON = "common"
DIGESTS = "SHA256SUMS"

# JSON Schema lets 2350.0 pass as an integer. It is not one for a consumer that refuses floats as money, so not here.
_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
# These say something to a reader; every other keyword binds.
_ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "title", "description", "examples"})


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


class Break(NamedTuple):
    """One way in which a changed contract breaks a consumer.

    Attributes:
        event: name of the event.
        pointer: JSON pointer into the resolved schema.
        reason: what changed.
    """

    event: str
    pointer: str
    reason: str

    def __str__(self) -> str:
        return f"{self.event}: {self.pointer or '/'}: {self.reason}"


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
        """
        return cls({path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))})

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


def releases() -> list[Path]:
    """The folders of all releases, oldest first."""
    return sorted((path for path in RELEASED.glob("*") if path.name.isdigit()), key=lambda path: int(path.name))


def digests(release: Path) -> str:
    """The SHA-256 of each contract of a folder, as `sha256sum` writes it."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(release.glob("*.json"))
    )


def altered() -> list[Path]:
    """The releases that are not what they were when they were frozen."""
    return [path for path in releases() if (path / DIGESTS).read_text("utf-8") != digests(path)]


def breaks(released: Contracts, changed: Contracts) -> list[Break]:
    """Find what in changed contracts would break somebody, unless the event's version was raised.

    Events live long: they wait in queues and dead-letter queues and are replayed from the archive. So a contract must
    stay compatible both ways. A consumer that knows the released contract reads new events, and ignores members it
    does not know; a consumer that knows the changed contract reads old events. What is left to change freely is
    descriptions, and adding members that need not be there.

    Args:
        released: the contracts that others have built upon.
        changed: the contracts as they shall become.

    Returns:
        Every break; empty if the change is compatible.
    """
    found: list[Break] = []
    for name in released.names():
        if name not in changed.names():
            found.append(Break(name, "", "the event was removed"))
            continue
        before, after = released.version(name), changed.version(name)
        if after < before:
            found.append(Break(name, "", f"event_version went back from {before} to {after}"))
        if after == before:
            differences = _differences(released.resolved(name), changed.resolved(name), "")
            found.extend(Break(name, pointer, reason) for pointer, reason in differences)
    return found


def _differences(old: Any, new: Any, at: str) -> Iterator[tuple[str, str]]:
    for keyword in sorted((old.keys() | new.keys()) - _ANNOTATIONS - {"properties", "required", "items", "oneOf"}):
        before, after = old.get(keyword), new.get(keyword)
        if keyword in ("enum", "type"):
            before, after = _as_list(before), _as_list(after)
            if gone := [value for value in before if value not in after]:
                yield f"{at}/{keyword}", f"narrowed: {gone} removed"
            if added := [value for value in after if value not in before]:
                yield f"{at}/{keyword}", f"extended: {added} added, which a consumer does not know"
        elif before != after:
            yield f"{at}/{keyword}", f"changed from {before!r} to {after!r}"

    old_members, new_members = old.get("properties", {}), new.get("properties", {})
    old_required, new_required = set(old.get("required", [])), set(new.get("required", []))
    for name, member in old_members.items():
        if name not in new_members:
            yield f"{at}/properties/{name}", "removed: a consumer may read it"
        else:
            yield from _differences(member, new_members[name], f"{at}/properties/{name}")
    for name in sorted((old_required - new_required) & new_members.keys()):
        yield f"{at}/required", f"{name!r} is no longer promised"
    for name in sorted(new_required - old_required):
        yield f"{at}/required", f"{name!r} is required now, but events sent before do not have it"

    if "items" in old or "items" in new:
        yield from _differences(old.get("items", {}), new.get("items", {}), f"{at}/items")
    old_kinds = {kind["title"]: kind for kind in old.get("oneOf", [])}
    new_kinds = {kind["title"]: kind for kind in new.get("oneOf", [])}
    for title in sorted(old_kinds.keys() | new_kinds.keys()):
        if title not in new_kinds:
            yield f"{at}/oneOf/{title}", "removed"
        elif title not in old_kinds:
            yield f"{at}/oneOf/{title}", "added, which a consumer does not know"
        else:
            yield from _differences(old_kinds[title], new_kinds[title], f"{at}/oneOf/{title}")


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _overlay(target: dict[str, Any], siblings: dict[str, Any]) -> dict[str, Any]:
    """Merge what stands beside a `$ref` into what it refers to. Both apply, so they must not contradict each other."""
    merged = dict(target)
    for key, value in siblings.items():
        present = merged.get(key)
        if key == "properties" and present:
            merged[key] = {**present, **{n: _overlay(present.get(n, {}), member) for n, member in value.items()}}
        elif present in (None, value) or key in _ANNOTATIONS:
            merged[key] = value
        else:
            raise ValueError(f"{key!r} stands beside a $ref whose target says otherwise: {value!r}, {present!r}")
    return merged


def _pointer(path: Any) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check events and the contracts that describe them.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="validate complete EventBridge events")
    check.add_argument("files", nargs="+", type=Path)
    commands.add_parser("compare", help="compare events/schemas with the last release")
    commands.add_parser("release", help="freeze events/schemas as the next release")
    options = parser.parse_args(arguments)

    if options.command == "check":
        failed = 0
        for path in options.files:
            try:
                validate(json.loads(path.read_text("utf-8")))
            except (ContractViolation, json.JSONDecodeError) as error:
                failed += 1
                print(f"{path}: {error}", file=sys.stderr)
        return 1 if failed else 0

    if changed := altered():
        print(f"Never to be changed, and changed: {', '.join(map(str, changed))}", file=sys.stderr)
        return 1
    found = breaks(Contracts.load(releases()[-1]), current()) if releases() else []
    for item in found:
        print(item, file=sys.stderr)
    if found:
        print("Raise event_version of these events, or change them compatibly.", file=sys.stderr)
        return 1
    if options.command == "release":
        number = int(releases()[-1].name) + 1 if releases() else 1
        shutil.copytree(SCHEMAS, RELEASED / str(number))
        (RELEASED / str(number) / DIGESTS).write_text(digests(SCHEMAS), "utf-8")
        print(f"released as {RELEASED / str(number)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
