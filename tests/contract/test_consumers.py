"""Consumers read only what the contracts promise: each model is walked beside the schemas of the events that it is for.

A member that the schema does not know, or lists without requiring it, is one that will be missing some day.
"""

import copy
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import notifications.consumer
import observability.consumer
import orders.projection
import promotions.consumer
import pytest
from event_contracts import current, example
from pydantic import BaseModel
from support import ROOT
from tiffin.consumer import Consumer
from tiffin.events import EventMetadata

CONSUMERS: dict[str, Consumer] = {
    "promotions": promotions.consumer.consumer,
    "orders": orders.projection.consumer,
    "notifications": notifications.consumer.consumer,
    "observability": observability.consumer.consumer,
}
READINGS = [(service, name) for service, consumer in CONSUMERS.items() for name in sorted(consumer.names)]


def unpromised(model: type[BaseModel], schema: dict[str, Any], at: str) -> Iterator[str]:
    """What a model reads and an object's schema does not promise.

    Args:
        model: what a consumer reads.
        schema: of the object that it reads from, references resolved.
        at: where that is, for the message.
    """
    for field_name, field in model.model_fields.items():
        name = field.alias or field_name
        here = f"{at}.{name}"
        promised = schema.get("properties", {}).get(name)
        if promised is None:
            yield f"{here} is in no schema"
            continue
        if field.is_required() and name not in schema.get("required", []):
            yield f"{here} is read as if it were always there"
        for pattern in (getattr(rule, "pattern", None) for rule in field.metadata):
            if pattern and pattern != promised.get("pattern"):
                yield f"{here} is held to {pattern}, promised is {promised.get('pattern')}"
        nullable = "null" in promised.get("type", [])
        alternatives = list(_alternatives(field.annotation))
        if nullable and type(None) not in alternatives:
            yield f"{here} may be null"
        models = [a for a in alternatives if isinstance(a, type) and issubclass(a, BaseModel)]
        if "oneOf" in promised:
            kinds = {kind["title"]: kind for kind in promised["oneOf"]}
            read = {str(get_args(m.model_fields["type"].annotation)[0]): m for m in models}
            yield from (f"{here} may be a {kind}" for kind in sorted(kinds.keys() - read.keys()))
            for kind, m in read.items():
                yield from unpromised(m, kinds.get(kind, {}), f"{here}[{kind}]")
        else:
            for m in models:
                yield from unpromised(m, promised, here)


def _alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _alternatives(argument)
    else:
        yield annotation


def reads(service: str, name: str) -> type[BaseModel]:
    return CONSUMERS[service].reads[name]


def data_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = current().resolved(name)["properties"]["data"]
    return schema


@pytest.mark.parametrize(("service", "name"), READINGS)
def test_a_consumer_reads_what_is_promised(service: str, name: str) -> None:
    assert list(unpromised(reads(service, name), data_schema(name), name)) == []


@pytest.mark.parametrize("name", current().names())
def test_the_envelope_is_read_as_promised(name: str) -> None:
    assert list(unpromised(EventMetadata, current().resolved(name)["properties"]["metadata"], name)) == []


@pytest.mark.parametrize(("service", "name"), READINGS)
def test_a_consumer_lets_pass_what_is_added_anywhere(service: str, name: str) -> None:
    """Within a version members may be added (`events/asyncapi.yaml`): whoever forbids them breaks on that day."""

    def grown(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: grown(value) for key, value in node.items()} | {"added_later": 1}
        return [grown(item) for item in node] if isinstance(node, list) else node

    CONSUMERS[service].parse(name, grown(example(name)["detail"]["data"]))


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


def test_a_total_that_no_producer_sends_is_noticed() -> None:
    class Delivered(BaseModel):
        total_price: int

    assert list(unpromised(Delivered, data_schema("OrderDelivered"), "e")) == ["e.total_price is in no schema"]


def test_no_consumer_is_forgotten() -> None:
    """Whoever makes a `Consumer` is in the list above."""
    makers = {
        path.relative_to(ROOT / "services").parts[0]
        for path in (ROOT / "services").glob("*/*/*.py")
        if "\nconsumer = Consumer()\n" in path.read_text("utf-8")
    }
    assert makers == CONSUMERS.keys()
