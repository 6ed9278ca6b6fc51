"""The event contracts are sound, complete, documented, and refuse what they should refuse."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import event_contracts
import pytest
from contracts.schemas import EVENTS, SCHEMAS, ContractViolation, current, example, names, validate
from jsonschema import Draft202012Validator

DESIGNED = {
    "tiffin.orders": {
        "OrderPlaced", "OrderDeclined", "OrderAccepted", "OrderRejected", "OrderDispatched", "OrderDelivered",
        "OrderCancelled", "OrderExpired", "OrderFailed",
    },
    "tiffin.payments": {"PaymentAuthorized", "PaymentDeclined", "PaymentCaptured", "PaymentReleased"},
    "tiffin.promotions": {"PromoCodeIssued", "PromoCodeRedeemed", "PromoCodeRestored"},
}  # fmt: skip
ENDS_WITHOUT_DELIVERY = ["OrderDeclined", "OrderRejected", "OrderCancelled", "OrderExpired", "OrderFailed"]

Change = Callable[[dict[str, Any]], object]


def test_exactly_the_designed_events_have_a_contract_and_an_example() -> None:
    designed = set().union(*DESIGNED.values())
    assert set(names()) == designed
    assert {path.stem for path in (EVENTS / "examples").glob("*.json")} == designed


@pytest.mark.parametrize("name", [*names(), "common"])
def test_a_schema_is_itself_valid(name: str) -> None:
    schema = current().schema(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", names())
def test_a_schema_names_its_event_version_and_sender(name: str) -> None:
    contracts = current()
    schema = contracts.schema(name)
    assert schema["title"] == name
    assert schema["$id"] == f"https://tiffin.example/events/schemas/{name}-{contracts.version(name)}"
    assert name in DESIGNED[contracts.source(name)]


@pytest.mark.parametrize("name", names())
def test_every_field_says_what_it_means_and_every_amount_its_unit(name: str) -> None:
    for pointer, field in fields(current().resolved(name), ""):
        assert field.get("description"), f"{pointer} has no description"
        if field.get("title") == "Money":
            assert "minor units" in field["description"], f"{pointer} does not say its unit"
        if field.get("format") == "date-time":
            assert "UTC" in field["description"], f"{pointer} does not say its time zone"


@pytest.mark.parametrize("name", names())
def test_every_schema_accepts_documented_fields_only(name: str) -> None:
    for pointer, node in objects(current().resolved(name), ""):
        assert node.get("additionalProperties") is False, f"{pointer} is open"


@pytest.mark.parametrize("name", names())
def test_the_example_is_valid(name: str) -> None:
    event = example(name)
    assert event["detail-type"] == name
    validate(event)


@pytest.mark.parametrize("name", ENDS_WITHOUT_DELIVERY)
def test_an_end_without_delivery_says_why_and_which_code_to_restore(name: str) -> None:
    required = current().schema(name)["properties"]["data"]["required"]
    assert {"reason", "promo_code"} <= set(required)


@pytest.mark.parametrize("name", names())
def test_an_event_with_any_required_field_missing_is_refused(name: str) -> None:
    removed = 0
    for holder, field in members(example(name)["detail"], ()):
        event = example(name)
        inside = event["detail"]
        for step in holder:
            inside = inside[step]
        del inside[field]
        if field in ("cap", "deadline_at"):  # the optional members of all examples
            validate(event)
            continue
        with pytest.raises(ContractViolation) as refusal:
            validate(event)
        assert refusal.value.detail_type == name
        removed += 1
    assert removed >= 9


def move(*path: str, to: Any) -> Change:
    def change(event: dict[str, Any]) -> None:
        inside: Any = event
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = to

    return change


DATA, METADATA = ("detail", "data"), ("detail", "metadata")
OTHER = "ord_" + "a" * 26
REFUSED: list[tuple[str, str, Change, str]] = [
    ("extra field in the data", "OrderPlaced", move(*DATA, "email", to="a@b.example"), "/detail/data"),
    ("extra field in the metadata", "OrderPlaced", move(*METADATA, "user", to="x"), "/detail/metadata"),
    ("extra field beside them", "OrderPlaced", move("detail", "extra", to=1), "/detail"),
    ("extra field in the money", "OrderPlaced", move(*DATA, "total", "vat", to=1), "/detail/data/total"),
    ("fraction of a cent", "OrderPlaced", move(*DATA, "total", "amount", to=20.5), "/detail/data/total/amount"),
    ("whole amount as float", "OrderPlaced", move(*DATA, "total", "amount", to=2050.0), "/detail/data/total/amount"),
    ("amount as text", "OrderPlaced", move(*DATA, "total", "amount", to="2050"), "/detail/data/total/amount"),
    ("amount as boolean", "OrderPlaced", move(*DATA, "total", "amount", to=True), "/detail/data/total/amount"),
    ("negative amount", "PaymentCaptured", move(*DATA, "amount", "amount", to=-1), "/detail/data/amount/amount"),
    ("bare number for money", "PaymentCaptured", move(*DATA, "amount", to=2050), "/detail/data/amount"),
    ("currency in small letters", "OrderPlaced", move(*DATA, "total", "currency", to="eur"),
     "/detail/data/total/currency"),
    ("later version", "OrderPlaced", move(*METADATA, "event_version", to=2), "/detail/metadata/event_version"),
    ("version as text", "OrderPlaced", move(*METADATA, "event_version", to="1"), "/detail/metadata/event_version"),
    ("event id of another event", "OrderAccepted", move(*METADATA, "event_id", to=OTHER + ":OrderPlaced"),
     "/detail/metadata/event_id"),
    ("event id of another order", "OrderAccepted", move(*METADATA, "event_id", to=OTHER + ":OrderAccepted"),
     "/detail/metadata/event_id"),
    ("random event id", "OrderAccepted", move(*METADATA, "event_id", to="5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11"),
     "/detail/metadata/event_id"),
    ("local time", "OrderPlaced", move(*METADATA, "occurred_at", to="2026-11-26T13:00:00+01:00"),
     "/detail/metadata/occurred_at"),
    ("thirtieth of February", "OrderPlaced", move(*METADATA, "occurred_at", to="2026-02-30T13:00:00Z"),
     "/detail/metadata/occurred_at"),
    ("epoch seconds", "OrderDelivered", move(*DATA, "delivered_at", to=1795600000), "/detail/data/delivered_at"),
    ("empty trace header", "OrderPlaced", move(*METADATA, "trace_header", to=""), "/detail/metadata/trace_header"),
    ("e-mail as customer id", "OrderPlaced", move(*DATA, "customer_id", to="ana@example.org"),
     "/detail/data/customer_id"),
    ("empty order", "OrderPlaced", move(*DATA, "item_count", to=0), "/detail/data/item_count"),
    ("empty promo code", "OrderPlaced", move(*DATA, "promo_code", to=""), "/detail/data/promo_code"),
    ("reason off the list", "OrderRejected", move(*DATA, "reason", "code", to="bad_mood"), "/detail/data/reason/code"),
    ("empty message", "OrderExpired", move(*DATA, "reason", "message", to=""), "/detail/data/reason/message"),
    ("reason as text", "OrderCancelled", move(*DATA, "reason", to="cancelled_by_customer"), "/detail/data/reason"),
    ("101 percent", "PromoCodeIssued", move(*DATA, "discount", "percent", to=101), "/detail/data/discount/percent"),
    ("percentage of an amount", "PromoCodeIssued",
     move(*DATA, "discount", to={"type": "percentage", "amount": {"amount": 1, "currency": "EUR"}}),
     "/detail/data/discount"),
    ("unknown discount", "PromoCodeIssued", move(*DATA, "discount", to={"type": "two_for_one"}),
     "/detail/data/discount"),
    ("event without contract", "OrderPlaced", move("detail-type", to="OrderEaten"), "/detail-type"),
    ("another sender", "OrderPlaced", move("source", to="tiffin.payments"), "/source"),
    ("detail as text", "OrderPlaced", move("detail", to="{}"), "/detail"),
    ("malformed account", "OrderPlaced", move("account", to="12345"), "/account"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "pointer"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_wrong_event_is_refused_with_its_place(name: str, change: Change, pointer: str) -> None:
    event = example(name)
    change(event)
    with pytest.raises(ContractViolation) as refusal:
        validate(event)
    assert refusal.value.pointer == pointer, str(refusal.value)
    assert refusal.value.reason


@pytest.mark.parametrize(
    "discount",
    [
        {"type": "percentage", "percent": 100},
        {"type": "fixed", "amount": {"amount": 500, "currency": "EUR"}},
        {"type": "free_delivery"},
    ],
    ids=lambda discount: discount["type"],
)
def test_every_kind_of_discount_can_be_announced(discount: dict[str, Any]) -> None:
    event = example("PromoCodeIssued")
    event["detail"]["data"]["discount"] = discount
    validate(event)


def test_a_replayed_event_is_still_valid() -> None:
    validate({**example("OrderDelivered"), "replay-name": "after-the-outage"})


def test_the_command_says_which_file_is_wrong(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    event = example("OrderPlaced")
    del event["detail"]["data"]["total"]
    (tmp_path / "wrong.json").write_text(json.dumps(event))
    right = str(EVENTS / "examples" / "OrderPlaced.json")
    assert event_contracts.main(["check", right, str(tmp_path / "wrong.json")]) == 1
    said = capsys.readouterr().err
    assert re.search(r"wrong\.json: OrderPlaced at /detail/data: 'total' is a required property", said)
    assert "OrderPlaced.json" not in said


def test_the_guide_shows_what_really_happens(capsys: pytest.CaptureFixture[str]) -> None:
    [shown] = re.findall(r"```python\n(.*?)```", (EVENTS.parent / "docs" / "events.md").read_text("utf-8"), re.DOTALL)
    exec(shown, {})  # noqa: S102 - our own page
    assert f"    # {capsys.readouterr().out}" in shown


def test_schemas_and_examples_are_written_alike() -> None:
    for path in (*SCHEMAS.glob("*.json"), *(EVENTS / "examples").glob("*.json")):
        text = path.read_text("utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", path.name


def fields(schema: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every described field of a resolved schema, with its place."""
    for name, field in schema.get("properties", {}).items():
        yield f"{at}/{name}", field
        yield from fields(field, f"{at}/{name}")
    for kind in schema.get("oneOf", []):
        yield from fields(kind, at)


def objects(schema: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a resolved schema, with its place."""
    if "properties" in schema:
        yield at or "/", schema
    for name, field in schema.get("properties", {}).items():
        yield from objects(field, f"{at}/{name}")
    for kind in schema.get("oneOf", []):
        yield from objects(kind, f"{at}/{kind['title']}")


def members(document: dict[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every member of a document, as the path to its holder and its name."""
    for name, value in document.items():
        yield at, name
        if isinstance(value, dict):
            yield from members(value, (*at, name))
