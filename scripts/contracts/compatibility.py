"""Which releases of the contracts there are, and what in a change would break somebody who built upon one."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .schemas import ANNOTATIONS, EVENTS, SCHEMAS, Contracts

RELEASED = EVENTS / "released"
DIGESTS = "SHA256SUMS"


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


def release() -> Path:
    """Freeze `events/schemas` as the next release; its folder."""
    number = int(releases()[-1].name) + 1 if releases() else 1
    folder = RELEASED / str(number)
    shutil.copytree(SCHEMAS, folder)
    (folder / DIGESTS).write_text(digests(SCHEMAS), "utf-8")
    return folder


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
    for keyword in sorted((old.keys() | new.keys()) - ANNOTATIONS - {"properties", "required", "items", "oneOf"}):
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
