"""Consumers read only what the contracts promise: each model is walked beside the schemas of the events that it is for.

A member that the schema does not know, or lists without requiring it, is one that will be missing some day.
"""

import copy
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import estimates.consumer
import kitchens.consumer
import live.consumer
import notifications.consumer
import observability.consumer
import orders.consumer
import promotions.consumer
import pytest
from contracts.compatibility import releases
from contracts.schemas import Contracts, current, example
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from tiffin.consumer import Consumer
from tiffin.events import EventMetadata
from tiffin.money import Money
from worlds import ROOT

CONSUMERS: dict[str, Consumer] = {
    "promotions": promotions.consumer.consumer,
    "orders": orders.consumer.consumer,
    "notifications": notifications.consumer.consumer,
    "observability": observability.consumer.consumer,
    "kitchens": kitchens.consumer.consumer,
    "estimates": estimates.consumer.consumer,
    "live": live.consumer.consumer,
}
READINGS = [(service, *known) for service, consumer in CONSUMERS.items() for known in sorted(consumer.reads)]


def unpromised(model: type[BaseModel], schema: dict[str, Any], at: str) -> Iterator[str]:
    """What a model reads and an object's schema does not promise.

    Args:
        model: what a consumer reads.
        schema: of the object that it reads from, references resolved.
        at: where that is, for the message.
    """
    for field_name, field in model.model_fields.items():
        name = field.validation_alias or field.alias or field_name
        here = f"{at}.{name}"
        promised = schema.get("properties", {}).get(name)
        if promised is None:
            yield f"{here} is in no schema"
            continue
        if field.is_required() and name not in schema.get("required", []):
            yield f"{here} is read as if it were always there"
        alternatives = list(_alternatives(field.annotation))
        for rule in (*field.metadata, *(rule for _, rules in alternatives for rule in rules)):
            pattern = getattr(rule, "pattern", None)
            if pattern and pattern != promised.get("pattern"):
                yield f"{here} is held to {pattern}, promised is {promised.get('pattern')}"
        kinds = [kind for kind, _ in alternatives]
        if "null" in promised.get("type", []) and type(None) not in kinds:
            yield f"{here} may be null"
        if unseen := [k for k in kinds if k is Any or (get_origin(k) or k) in (dict, list, object)]:
            yield f"{here} is read as {unseen[0]}, and nobody sees what of it"
        models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if "oneOf" in promised:
            titled = {kind["title"]: kind for kind in promised["oneOf"]}
            read = {str(get_args(m.model_fields["type"].annotation)[0]): m for m in models}
            yield from (f"{here} may be a {kind}" for kind in sorted(titled.keys() - read.keys()))
            for kind, m in read.items():
                yield from unpromised(m, titled.get(kind, {}), f"{here}[{kind}]")
        else:
            for m in models:
                yield from unpromised(m, promised, here)


def _alternatives(annotation: Any, rules: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The types that a field may be of, each with what it is held to there."""
    if get_origin(annotation) is Annotated:
        annotated, *more = get_args(annotation)
        more = [rule for one in more for rule in (one.metadata if isinstance(one, FieldInfo) else [one])]
        yield from _alternatives(annotated, (*rules, *more))
    elif get_origin(annotation) in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _alternatives(argument, rules)
    else:
        yield annotation, rules


def reads(service: str, name: str, version: int = 1) -> type[BaseModel]:
    return CONSUMERS[service].reads[name, version]


def data_schema(name: str, version: int = 1) -> dict[str, Any]:
    """What is promised of an event: now, or in the last release that had this version."""
    known = [current(), *(Contracts.load(release) for release in reversed(releases()))]
    contracts = next(c for c in known if name in c.names() and c.version(name) == version)
    schema: dict[str, Any] = contracts.resolved(name)["properties"]["data"]
    return schema


@pytest.mark.parametrize(("service", "name", "version"), READINGS)
def test_a_consumer_reads_what_is_promised(service: str, name: str, version: int) -> None:
    assert list(unpromised(reads(service, name, version), data_schema(name, version), name)) == []


@pytest.mark.parametrize("service", CONSUMERS)
def test_a_consumer_reads_the_version_that_is_sent_now(service: str) -> None:
    consumer = CONSUMERS[service]
    assert {(name, current().version(name)) for name in consumer.names} <= consumer.reads.keys()


@pytest.mark.parametrize("name", current().names())
def test_the_envelope_is_read_as_promised(name: str) -> None:
    assert list(unpromised(EventMetadata, current().resolved(name)["properties"]["metadata"], name)) == []


@pytest.mark.parametrize(("service", "name"), [(s, n) for s, n, v in READINGS if v == current().version(n)])
def test_a_consumer_accepts_a_field_that_is_added_anywhere(service: str, name: str) -> None:
    """Within a version members may be added (`events/asyncapi.yaml`): whoever forbids them breaks on that day."""

    def grown(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: grown(value) for key, value in node.items()} | {"added_later": 1}
        return [grown(item) for item in node] if isinstance(node, list) else node

    CONSUMERS[service].parse(name, current().version(name), grown(example(name)["detail"]["data"]))


def test_a_promise_that_is_withdrawn_is_noticed() -> None:
    """The check can fail: each of these is a change that some producer might think harmless."""
    model, schema = reads("orders", "PromoCodeIssued"), data_schema("PromoCodeIssued")
    renamed, optional, narrowed, grown = (copy.deepcopy(schema) for _ in range(4))
    renamed["properties"]["valid_to"] = renamed["properties"].pop("expires_at")
    optional["required"].remove("minimum_order")
    narrowed["properties"]["minimum_order"]["properties"].pop("currency")
    grown["properties"]["discount"]["oneOf"].append({"title": "second_half_price", "properties": {}})
    assert list(unpromised(model, renamed, "e")) == ["e.expires_at is in no schema"]
    assert list(unpromised(model, optional, "e")) == ["e.minimum_order is read as if it were always there"]
    assert list(unpromised(model, narrowed, "e")) == ["e.minimum_order.currency is in no schema"]
    assert list(unpromised(model, grown, "e")) == ["e.discount may be a second_half_price"]


def test_a_field_that_the_consumer_alone_knows_is_noticed() -> None:
    class Delivered(BaseModel):
        total_price: int

    assert list(unpromised(Delivered, data_schema("OrderDelivered"), "e")) == ["e.total_price is in no schema"]


def test_a_mismatch_hidden_in_a_union_an_alias_or_a_dictionary_is_noticed() -> None:
    """A code that a consumer takes for malformed would go to its dead letters, and never be restored."""

    class Narrow(BaseModel):
        promo_code: Annotated[str, Field(pattern="^WELCOME")] | None

    class Aliased(BaseModel):
        total: Money = Field(validation_alias="total_price")

    class Blind(BaseModel):
        total: dict[str, Any]

    schema = data_schema("OrderDelivered")
    promised = schema["properties"]["promo_code"]["pattern"]
    assert list(unpromised(Narrow, schema, "e")) == [f"e.promo_code is held to ^WELCOME, promised is {promised}"]
    assert list(unpromised(Aliased, schema, "e")) == ["e.total_price is in no schema"]
    [blind] = unpromised(Blind, schema, "e")
    assert blind == "e.total is read as dict[str, typing.Any], and nobody sees what of it"


def test_every_consumer_is_checked_here() -> None:
    """Whoever makes a `Consumer` is in the list above."""
    makers = {
        path.relative_to(ROOT / "services").parts[0]
        for path in (ROOT / "services").glob("*/*/*.py")
        if "\nconsumer = Consumer()\n" in path.read_text("utf-8")
    }
    assert makers == CONSUMERS.keys()
