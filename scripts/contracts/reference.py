"""The reference pages: what the templates, the code, the contracts and the APIs' documents say, as Markdown in
`docs/reference/`.

Parameters, outputs, alarms, metrics, events, and a page for each API. Nothing is said here that is not said there.
"""

import ast
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cfnlint.decode.cfn_yaml import load  # the short forms (!Ref, !Sub) need a reader that knows them

from . import console, page

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
DECISIONS = ROOT / "docs" / "decisions"
RUNBOOKS = ROOT / "docs" / "runbooks"
TEMPLATES = ["template.yaml", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("services/*/template.yaml"))]
APIS = {
    "orders": "ApiUrl",
    "promotions": "PromotionsApiUrl",
    "support": "SupportApiUrl",
    "live": "LiveApiUrl",
    "estimates": "EstimatesApiUrl",
}
"""Each API, and the output of the root that says where it answers."""
_MADE = "*Made by `.venv/bin/python scripts/render_reference.py` of {}: change it there.*"
_COMPARED = {
    "GreaterThanThreshold": "more than",
    "GreaterThanOrEqualToThreshold": "at least",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "at most",
    "GreaterThanUpperThreshold": "above",
}


def files() -> dict[Path, str]:
    """Each page, and what stands on it."""
    return {
        REFERENCE / "parameters.md": parameters(),
        REFERENCE / "outputs.md": outputs(),
        REFERENCE / "alarms.md": alarms(),
        REFERENCE / "metrics.md": metrics(),
        REFERENCE / "events.md": events(),
        **{REFERENCE / f"api-{name}.md": api(name) for name in APIS},
        DECISIONS / "README.md": decisions(),
    }


def parameters() -> str:
    """What can be chosen when deploying: the root's parameters, and those of each service deployed by itself."""
    text = [
        "# Parameters",
        _MADE.format("the templates"),
        "Of the whole application, and below of each service, for whoever deploys it by itself. "
        "A parameter without a default must be given. "
        "How they are set, and which belong together: [deploying](../deploying.md).",
    ]
    for location in TEMPLATES:
        text += [
            _heading(location),
            _table(("parameter", "type", "default", "allowed", "what it is"), _parameters(location)),
        ]
    return _page(text)


def _parameters(location: str) -> Iterator[tuple[str, ...]]:
    for name, described in _template(location).get("Parameters", {}).items():
        bounds = " to ".join(_code(described[key]) for key in ("MinValue", "MaxValue") if key in described)
        allowed = [
            ", ".join(_code(value) for value in described.get("AllowedValues", [])),
            f"from {bounds}" if bounds else "",
            _code(described["AllowedPattern"]) if "AllowedPattern" in described else "",
            "not empty" if "MinLength" in described else "",
        ]
        default = _code(described["Default"], "empty") if "Default" in described else ""
        yield f"`{name}`", described["Type"], default, "; ".join(filter(None, allowed)), _cell(described["Description"])


def outputs() -> str:
    """What a deployed stack says of itself."""
    text = ["# Outputs", _MADE.format("the templates"), "Of the whole application, and below of each service."]
    for location in TEMPLATES:
        rows = [
            (
                f"`{name}`",
                _cell(output["Description"]) + (f" (if `{output['Condition']}`)" if "Condition" in output else ""),
            )
            for name, output in _template(location).get("Outputs", {}).items()
        ]
        text += [_heading(location), _table(("output", "what it is"), rows)]
    return _page(text)


def alarms() -> str:
    """What wakes somebody up: what it watches, from where on, and what to do then."""
    rows = []
    for location, name, alarm in _alarms():
        says, _, runbook = _said(alarm["AlarmDescription"]).partition(" Runbook: ${RunbooksUrl}/")
        to_do = f"[{_title(RUNBOOKS / runbook)}](../runbooks/{runbook})" if runbook else ""
        rows.append((f"`{name}`", _of(location), _cell(says), *_watched(alarm), to_do))
    return _page([
        "# Alarms",
        _MADE.format("the templates"),
        "All tell the topic in the output `AlarmTopicArn`, when they begin and when they are over. "
        "Where to begin when one comes: [operating](../operating.md).",
        _table(("alarm", "of", "what it means", "watches", "from", "runbook"), rows),
    ])  # fmt: skip


def _alarms() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for location in TEMPLATES:
        for name, resource in _template(location)["Resources"].items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                yield location, name, resource["Properties"]


def _watched(alarm: Mapping[str, Any]) -> tuple[str, str]:
    """Which metric an alarm watches, and what makes it one."""
    metric, statistic, period = alarm, alarm.get("Statistic", alarm.get("ExtendedStatistic")), alarm.get("Period")
    threshold = _number(alarm.get("Threshold", 0))
    for part in alarm.get("Metrics", []):
        if "MetricStat" in part:
            metric, statistic, period = (
                part["MetricStat"]["Metric"],
                part["MetricStat"]["Stat"],
                part["MetricStat"]["Period"],
            )
        else:
            threshold = f"`{part['Expression']}`"
    namespace = metric["Namespace"] if isinstance(metric["Namespace"], str) else ""
    of = [f"`{_said(one['Value'])}`" for one in metric.get("Dimensions", [])]
    many, all_of = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]), alarm["EvaluationPeriods"]
    when = f"in {many} of {all_of} times {period} s" if all_of > 1 else f"within {period} s"
    if alarm.get("TreatMissingData") == "breaching":
        when += ", or nothing"
    watches = f"`{' '.join(filter(None, (namespace, metric['MetricName'])))}`" + (f" of {', '.join(of)}" if of else "")
    return f"{watches}: {statistic}", f"{_COMPARED[alarm['ComparisonOperator']]} {threshold} {when}"


def metrics() -> str:
    """What the application counts itself, where, and which alarms watch it."""
    watched = defaultdict(set)
    for _, name, alarm in _alarms():
        for part in [alarm, *(part.get("MetricStat", {}).get("Metric", {}) for part in alarm.get("Metrics", []))]:
            if isinstance(part.get("Namespace"), dict):
                watched[part["MetricName"]].add(name)
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for name, unit, dimensions, place in [*_counted(), *_filtered()]:
        found[name, unit, ", ".join(f"`{one}`" for one in dimensions)].add(_place(place))
    rows = [
        (
            f"`{name}`",
            unit,
            dimensions,
            ", ".join(sorted(places)),
            ", ".join(f"`{one}`" for one in sorted(watched[name])),
        )
        for (name, unit, dimensions), places in sorted(found.items())
    ]
    namespace = next(
        resource["Properties"]["Parameters"]["MetricsNamespace"]["Fn::Sub"]
        for resource in _template("template.yaml")["Resources"].values()
        if "MetricsNamespace" in resource.get("Properties", {}).get("Parameters", {})
    )
    return _page([
        "# Metrics",
        _MADE.format("the services' code and templates"),
        f"In the namespace `{namespace}`. Each has the dimension `service`, but for `RequestsRefused`, "
        "and the further ones that the table names. What each of them counts: [operating](../operating.md#metrics).",
        _table(("metric", "unit", "further dimensions", "counted in", "watched by"), rows),
    ])  # fmt: skip


def _counted() -> Iterator[tuple[str, str, list[str], str]]:
    """Each metric that code counts: its name, unit, dimensions besides the service, and file."""
    announced = {service["name"]: service["announces"] for service in console.services()}
    for path in sorted((ROOT / "services").rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            given = {word.arg: word.value for word in node.keywords if word.arg}
            called = ast.unparse(node.func)
            if called.endswith(".add_metric"):
                given = dict(zip(("name", "unit"), node.args, strict=False)) | given
            elif called == "count":
                given = {"name": node.args[0], "by": ast.Dict([], [])} | given
            elif "capture_cold_start_metric" in given:
                yield "ColdStart", "Count", ["function_name"], place
                continue
            else:
                continue
            by = given.get("by")
            dimensions = [ast.literal_eval(key) for key in by.keys if key] if isinstance(by, ast.Dict) else []
            unit = ast.unparse(given["unit"]).removeprefix("MetricUnit.") if "unit" in given else "Count"
            name = given["name"]
            # A name that is none yet is that of the event which is announced.
            names = [str(name.value)] if isinstance(name, ast.Constant) else announced[path.relative_to(ROOT).parts[1]]
            yield from ((one, unit, dimensions, place) for one in names)


def _filtered() -> Iterator[tuple[str, str, list[str], str]]:
    """Each metric that a filter counts in log lines."""
    for location in TEMPLATES:
        for resource in _template(location)["Resources"].values():
            if resource["Type"] == "AWS::Logs::MetricFilter":
                for one in resource["Properties"]["MetricTransformations"]:
                    yield one["MetricName"], one["Unit"], [], location


def events() -> str:
    """Each event: who announces it, who takes it in, and what it holds."""
    told = page.model(yaml.safe_load(page.CATALOGUE.read_text("utf-8")))
    text = [
        "# Events",
        _MADE.format("`events/`"),
        "With examples, on one page to be filtered: [the catalogue](../events.html). What every event promises, and "
        "what consumers refuse: [the event contracts](../events.md). Each holds [Metadata](#metadata) beside the "
        "data below.",
    ]
    for channel in told["channels"]:
        text += [f"## {channel['title']}", f"From `{channel['address']}`. {_cell(channel['description'])}"]
        for event in channel["events"]:
            name, receivers = event["name"], ", ".join(event["receivers"]) or "nobody yet"
            text += [
                f"### {name}",
                _cell(event["description"]),
                f"Taken in by {receivers}. Version {event['version']}, event id {event['identity'].rstrip('.')}; "
                f"[schema](../../events/schemas/{name}.json), [example](../../events/examples/{name}.json).",
                _members(event["fields"]),
            ]
    text.append("## Shared shapes")
    for shape in told["shared"]:
        text += [f"### {shape['name']}", shape["description"], _members(shape["fields"])]
    return _page(text)


def _members(fields: Iterable[page.Field]) -> str:
    rows = [
        (
            f"`{'.'.join(one.path)}`" + (", optional" if one.optional else ""),
            f"[{one.shared}](#{one.shared.lower()})" if one.shared else one.kind.replace('"', "`"),
            "; ".join(_code(rule) if rule.startswith(("^", "(")) else _cell(rule) for rule in one.rules),
            _cell(one.description),
        )
        for one in fields
    ]
    return _table(("field", "type", "allowed", ""), rows)


def api(service: str) -> str:
    """The page of a service's API: its routes, and what goes in and out.

    Args:
        service: its folder below `services/`.
    """
    document = console.document(service)
    schemas = {name: schema for name, schema in document["components"]["schemas"].items() if name != "Problem"}
    routes = [
        (method.upper(), path, described)
        for path, methods in sorted(document["paths"].items())
        for method, described in methods.items()
    ]
    text = [
        f"# The API of {service}",
        _MADE.format("the API's OpenAPI document, which it serves at `/openapi.json`"),
        f"It answers at the URL in the output `{APIS[service]}`. "
        "What holds of every request and every refusal: [the APIs](../api.md).",
        _table(("", "route", "for", ""), [_row(*route) for route in routes]),
    ]
    for method, path, described in routes:
        text += [f"## `{method} {path}`", *_route(described)]
    if schemas:
        text.append("## What goes in and out")
    for name, schema in schemas.items():
        text += [f"### {name}", *_schema(schema)]
    return _page(text)


def _row(method: str, path: str, described: Mapping[str, Any]) -> tuple[str, ...]:
    anchor = re.sub(r"[^\w\- ]", "", f"{method} {path}".lower()).replace(" ", "-")
    return f"`{method}`", f"[`{path}`](#{anchor})", _whose(described), described["summary"]


def _whose(described: Mapping[str, Any]) -> str:
    said = re.search(r"For: (.*)\.", described.get("description", ""))
    return said[1] if said else "anybody"


def _route(described: Mapping[str, Any]) -> Iterator[str]:
    said = re.sub(r"\s*For: .*\.", "", described.get("description", "")).strip()
    yield f"{described['summary']}. For: {_whose(described)}." + (f" {said}" if said else "")
    rows = [
        (
            f"`{one['name']}`",
            one["in"],
            "yes" if one.get("required") else "no",
            _type(one["schema"]),
            _cell(one.get("description", "")),
        )
        for one in described.get("parameters", [])
    ]
    if rows:
        yield _table(("parameter", "in", "required", "type", ""), rows)
    if body := described.get("requestBody"):
        yield f"Body: {_type(_content(body))}" + ("." if body.get("required") else ", or none.")
    yield _table(("answer", "body", ""), [_answer(*answer) for answer in sorted(described["responses"].items())])


def _answer(status: str, answer: Mapping[str, Any]) -> tuple[str, ...]:
    schema = _content(answer)
    types = [
        type_.rpartition("/")[2]
        for part in schema.get("allOf", [])
        for type_ in part.get("properties", {}).get("type", {}).get("enum", [])
    ]
    if types:
        return status, "a problem", ", ".join(f"`{one}`" for one in types)
    headers = ", ".join(f"`{name}`" for name in answer.get("headers", {}))
    said = _cell(answer["description"]) + (f" With {headers}." if headers else "")
    return status, _type(schema) if schema else "none", said


def _content(described: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((content.get("schema", {}) for content in described.get("content", {}).values()), {})


def _schema(schema: Mapping[str, Any]) -> Iterator[str]:
    said, _, attributes = schema.get("description", "").partition("Attributes:\n")
    described = {
        name: " ".join(text.split())
        for name, text in re.findall(r"^    (\w+): (.*(?:\n     .*)*)", attributes, re.MULTILINE)
    }
    if said.strip():
        yield " ".join(said.split())
    if "properties" not in schema:
        yield f"{_type(schema)}."
        return
    required = schema.get("required", [])
    rows = [
        (
            f"`{name}`",
            "yes" if name in required else "no",
            _type(one),
            _cell(one.get("description", described.get(name, ""))),
        )
        for name, one in schema["properties"].items()
    ]
    yield _table(("field", "required", "type", ""), rows)


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON Schema, as a person would say it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for either in ("anyOf", "oneOf", "allOf"):
        if either in schema:
            return (" and " if either == "allOf" else " or ").join(_type(one) for one in schema[either])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}{_bounds(schema, 'Items', '')}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    bounds = _bounds(schema, "Length", " characters") or _bounds(schema, "imum", "")
    said = str(schema.get("format", kind)) + bounds + (f", {_code(schema['pattern'])}" if "pattern" in schema else "")
    return said + (f"; {_code(schema['default'], 'empty')} by default" if schema.get("default") is not None else "")


def _bounds(schema: Mapping[str, Any], of: str, unit: str) -> str:
    least, most = schema.get(f"min{of}"), schema.get(f"max{of}")
    if least is not None and most is not None:
        return f", {least:,.0f} to {most:,.0f}{unit}"
    return (
        f", at least {least:,.0f}{unit}"
        if least is not None
        else f", at most {most:,.0f}{unit}"
        if most is not None
        else ""
    )


def decisions() -> str:
    """The list of decisions."""
    pages = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
    listed = "\n".join(f"- [{_title(path)}]({path.name})" for path in pages)
    return _page(
        [
            "# Decisions",
            "Why it is so, one page each: what was in question, what was decided, and what follows.",
            listed,
        ]
    )


@cache
def _template(location: str) -> Any:
    # As plain data: the reader's own classes know where they stand in the file, which nobody asks here.
    return json.loads(json.dumps(load(str(ROOT / location))))


def _heading(location: str) -> str:
    return f"## {_of(location)}\n\n[`{location}`]({os.path.relpath(ROOT / location, REFERENCE)})"


def _of(location: str) -> str:
    return "The whole application" if location == "template.yaml" else Path(location).parent.name


def _place(path: str) -> str:
    return f"[{'/'.join(Path(path).parts[-2:])}](../../{path})"


def _title(path: Path) -> str:
    return path.read_text("utf-8").partition("\n")[0].removeprefix("# ")


def _said(value: Any) -> str:
    """An intrinsic function by what it names."""
    if isinstance(value, dict):
        [(_, named)] = value.items()
        return ".".join(named) if isinstance(named, list) else str(named)
    return str(value)


def _number(value: float) -> str:
    return f"{value:,}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(value: Any, empty: str = "") -> str:
    return f"`{_cell(str(value))}`" if str(value) else empty


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"
