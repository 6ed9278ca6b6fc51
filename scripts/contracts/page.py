"""One browsable page of the event contracts, made of the catalogue, the schemas and the examples.

The page is one file that needs nothing from elsewhere. What stands in it is said in `events/` and nowhere else.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from . import schemas

CATALOGUE = schemas.EVENTS / "asyncapi.yaml"
PAGE = schemas.EVENTS.parent / "docs" / "events.html"
TEMPLATE = "events.html.j2"

# Shapes that many events hold are described once; by the title of their definition.
SHARED = ("Metadata", "Money")

_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\b\d+(?:\.\d+)?\b)'
    r"|(?P<word>\b(?:true|false|null)\b)"
)


class Field(NamedTuple):
    """One row of a table of fields.

    Attributes:
        path: names of the members down to this one.
        kind: what is allowed, in words.
        shared: title of the shared shape that it has, empty if none.
        rules: further restrictions.
        optional: whether it can be absent.
        description: from the schema.
    """

    path: tuple[str, ...]
    kind: str
    shared: str
    rules: list[str]
    optional: bool
    description: str


def fields(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Field]:
    """The fields of an object, depth first, in the order of the schema.

    Args:
        schema: an object schema with all references resolved.
        path: where the object itself stands.
    """
    for name, member in schema.get("properties", {}).items():
        here = (*path, name)
        title = member.get("title", "")
        shared = title if title in SHARED else ""
        optional = name not in schema.get("required", [])
        yield Field(here, _kind(member), shared, list(_rules(member)), optional, member.get("description", ""))
        if not shared:
            yield from fields(member, here)
        for alternative in member.get("oneOf", []):
            yield from fields(alternative, (*path, f"{name} [{alternative['title']}]"))


def _kind(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"always {json.dumps(schema['const'])}"
    if "oneOf" in schema:
        return "one of: " + ", ".join(kind["title"] for kind in schema["oneOf"])
    if schema.get("format") == "date-time":
        return "moment"
    kinds = schema["type"]
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def _rules(schema: dict[str, Any]) -> Iterator[str]:
    if "enum" in schema:
        yield "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "integer" and "const" not in schema:
        if "maximum" in schema:
            yield f"{schema['minimum']:,} to {schema['maximum']:,}"
        elif "minimum" in schema:
            yield f"{schema['minimum']} or more"
    if "pattern" in schema and schema.get("format") != "date-time":
        yield schema["pattern"]
    elif "maxLength" in schema:
        yield f"at most {schema['maxLength']:,} characters"
    if "examples" in schema:
        yield "such as " + ", ".join(schema["examples"])


def highlighted(document: Any) -> Markup:
    """JSON as HTML with its tokens marked."""
    text, end, parts = json.dumps(document, indent=2, ensure_ascii=False), 0, []
    for match in _TOKEN.finditer(text):
        parts += [escape(text[end : match.start()]), Markup('<i class="{}">{}</i>').format(match.lastgroup, match[0])]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def prose(text: str) -> Markup:
    """The little Markdown that descriptions use: code, bold, paragraphs and lists."""
    html = str(escape(text.strip()))
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    blocks = []
    for block in re.split(r"\n\s*\n", html):
        if block.startswith("- "):
            items = "".join(f"<li>{item.strip()}</li>" for item in re.split(r"^- ", block, flags=re.MULTILINE)[1:])
            blocks.append(f"<ul>{items}</ul>")
        else:
            blocks.append(f"<p>{block}</p>")
    if len(blocks) == 1:
        return Markup(re.sub("^<p>|</p>$", "", blocks[0]))  # noqa: S704 - escaped above
    return Markup("\n".join(blocks))  # noqa: S704 - escaped above


def model(catalogue: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page shows, in the order of the catalogue.

    Args:
        catalogue: `events/asyncapi.yaml`, parsed.

    Raises:
        KeyError: the catalogue names an event that has no contract.
    """
    contracts = schemas.current()
    senders: dict[str, list[str]] = {}
    receivers: dict[str, list[str]] = {}
    for operation in catalogue["operations"].values():
        side = senders if operation["action"] == "send" else receivers
        for message in operation["messages"]:
            side.setdefault(message["$ref"].rsplit("/", 1)[1], []).append(operation["x-service"])
    channels = []
    metadata: dict[str, Any] = {}
    money: dict[str, Any] = {}
    for key, channel in catalogue["channels"].items():
        events = []
        for name in channel["messages"]:
            resolved = contracts.resolved(name)
            metadata, data = resolved["properties"]["metadata"], resolved["properties"]["data"]
            money = data["properties"].get("total", money)
            events.append(
                {
                    "name": name,
                    "version": contracts.version(name),
                    "description": resolved["description"],
                    "identity": metadata["properties"]["event_id"]["description"],
                    "senders": senders.get(name, []),
                    "receivers": receivers.get(name, []),
                    "fields": list(fields(data)),
                    "example": schemas.example(name),
                }
            )
        channels.append({**channel, "key": key, "events": events})
    services = list(dict.fromkeys(operation["x-service"] for operation in catalogue["operations"].values()))
    # The event id differs from event to event; what they share is said by the definition.
    common = contracts.schema(schemas.COMMON)["$defs"]
    metadata["properties"]["event_id"] = common["metadata"]["properties"]["event_id"]
    metadata["properties"]["event_version"] = common["metadata"]["properties"]["event_version"]
    shared = [
        {"name": "Metadata", "description": common["metadata"]["description"], "fields": list(fields(metadata))},
        {"name": "Money", "description": common["money"]["description"], "fields": list(fields(money))},
    ]
    return {
        "info": catalogue["info"],
        "channels": channels,
        "operations": catalogue["operations"],
        "services": services,
        "shared": shared,
        "total": sum(len(channel["events"]) for channel in channels),
    }


def render() -> str:
    """The page as it should be."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(json=highlighted, prose=prose)
    catalogue = yaml.safe_load(CATALOGUE.read_text("utf-8"))
    return environment.get_template(TEMPLATE).render(model(catalogue))
