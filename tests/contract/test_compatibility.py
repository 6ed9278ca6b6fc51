"""What is released stays readable, both ways: a change that would break a consumer needs a new event_version."""

import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import event_contracts
import pytest
from contracts import compatibility, schemas
from contracts.compatibility import RELEASED, altered, breaks, releases
from contracts.schemas import SCHEMAS, Contracts, current

Documents = dict[str, dict[str, Any]]
Change = Callable[[Documents], object]


def documents() -> Documents:
    """The contracts as files, to be changed at will."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in SCHEMAS.glob("*.json")}


def data(name: str, files: Documents) -> Any:
    return files[name]["properties"]["data"]


def definition(name: str, files: Documents) -> Any:
    return files["common"]["$defs"][name]


def test_the_contracts_are_compatible_with_the_last_release() -> None:
    assert breaks(Contracts.load(releases()[-1]), current()) == []
    assert altered() == []


def test_each_release_is_complete_and_compatible_with_the_one_before() -> None:
    numbers = [int(path.name) for path in releases()]
    assert numbers == list(range(1, len(numbers) + 1))
    loaded = [Contracts.load(path) for path in releases()]
    for before, after in itertools.pairwise(loaded):
        assert breaks(before, after) == []


def remove_field(files: Documents) -> None:
    del data("OrderDelivered", files)["properties"]["delivered_at"]
    data("OrderDelivered", files)["required"].remove("delivered_at")


def rename_field(files: Documents) -> None:
    properties = data("OrderDelivered", files)["properties"]
    properties["arrived_at"] = properties.pop("delivered_at")
    required = data("OrderDelivered", files)["required"]
    required[required.index("delivered_at")] = "arrived_at"


def new_required_field(files: Documents) -> None:
    data("OrderDispatched", files)["properties"]["courier_id"] = {"description": "Who brings it.", "type": "string"}
    data("OrderDispatched", files)["required"].append("courier_id")


def optional_becomes_required(files: Documents) -> None:
    kinds = data("PromoCodeIssued", files)["properties"]["discount"]["oneOf"]
    kinds[0]["required"].append("cap")


def take_event(files: Documents) -> None:
    del files["PromoCodeRestored"]


def version_back(files: Documents) -> None:
    files["OrderPlaced"]["properties"]["metadata"]["properties"]["event_version"]["const"] = 0


def add_discount(files: Documents) -> None:
    data("PromoCodeIssued", files)["properties"]["discount"]["oneOf"].append(
        {"title": "two_for_one", "description": "Two.", "type": "object", "properties": {}, "required": []}
    )


BREAKING: list[tuple[str, Change, str, str, str]] = [
    ("event removed", take_event, "PromoCodeRestored", "", "the event was removed"),
    ("version back", version_back, "OrderPlaced", "", "went back from 1 to 0"),
    ("field removed", remove_field, "OrderDelivered", "/properties/data/properties/delivered_at", "removed"),
    ("field renamed", rename_field, "OrderDelivered", "/properties/data/properties/delivered_at", "removed"),
    ("field new and required", new_required_field, "OrderDispatched", "/properties/data/required",
     "'courier_id' is required now"),
    ("optional becomes required", optional_becomes_required, "PromoCodeIssued",
     "/properties/data/properties/discount/oneOf/percentage/required", "'cap' is required now"),
    ("required becomes optional", lambda f: data("OrderPlaced", f)["required"].remove("total"), "OrderPlaced",
     "/properties/data/required", "'total' is no longer promised"),
    ("type changed", lambda f: data("OrderPlaced", f)["properties"]["item_count"].update(type="string"), "OrderPlaced",
     "/properties/data/properties/item_count/type", "narrowed: ['integer'] removed"),
    ("null allowed", lambda f: definition("promo_code", f).update(type=["string", "null"]), "PromoCodeIssued",
     "/properties/data/properties/code/type", "extended: ['null'] added"),
    ("null forbidden", lambda f: definition("promo_code_or_none", f).update(type="string"), "OrderPlaced",
     "/properties/data/properties/promo_code/type", "narrowed: ['null'] removed"),
    ("enum extended", lambda f: reason_codes(f).append("restaurant_closed"), "OrderRejected",
     "/properties/data/properties/reason/properties/code/enum", "extended: ['restaurant_closed'] added"),
    ("enum narrowed", lambda f: reason_codes(f).remove("restaurant_silent"), "OrderRejected",
     "/properties/data/properties/reason/properties/code/enum", "narrowed: ['restaurant_silent'] removed"),
    ("open list closed", lambda f: definition("decline_code", f).update(enum=["card_declined"]), "PaymentDeclined",
     "/properties/data/properties/reason/properties/code/enum", "extended"),
    ("limit tightened", lambda f: definition("money", f)["properties"]["amount"].update(maximum=1), "PaymentCaptured",
     "/properties/data/properties/amount/properties/amount/maximum", "changed from 100000000 to 1"),
    ("pattern changed", lambda f: definition("order_id", f).update(pattern="^[0-9]+$"), "OrderAccepted",
     "/properties/metadata/properties/order_id/pattern", "changed from"),
    ("format dropped", lambda f: definition("moment", f).pop("format"), "OrderAccepted",
     "/properties/metadata/properties/occurred_at/format", "changed from 'date-time' to None"),
    ("opened to any field", lambda f: data("OrderPlaced", f).pop("additionalProperties"), "OrderPlaced",
     "/properties/data/additionalProperties", "changed from False to None"),
    ("another sender", lambda f: f["OrderPlaced"].update({"x-source": "tiffin.kitchen"}), "OrderPlaced", "/x-source",
     "changed from 'tiffin.orders'"),
    ("kind removed", lambda f: data("PromoCodeIssued", f)["properties"]["discount"]["oneOf"].pop(), "PromoCodeIssued",
     "/properties/data/properties/discount/oneOf/free_delivery", "removed"),
    ("kind added", add_discount, "PromoCodeIssued", "/properties/data/properties/discount/oneOf/two_for_one", "added"),
]  # fmt: skip


def reason_codes(files: Documents) -> Any:
    return data("OrderRejected", files)["properties"]["reason"]["properties"]["code"]["enum"]


@pytest.mark.parametrize(
    ("change", "event", "pointer", "says"), [case[1:] for case in BREAKING], ids=[case[0] for case in BREAKING]
)
def test_a_breaking_change_is_refused(change: Change, event: str, pointer: str, says: str) -> None:
    files = documents()
    change(files)
    found = breaks(current(), Contracts(files))
    assert [b for b in found if (b.event, b.pointer) == (event, pointer) and says in b.reason], found


@pytest.mark.parametrize("case", [case for case in BREAKING if case[0].startswith(("field", "enum", "type", "kind"))])
def test_a_breaking_change_passes_in_a_new_version_of_the_event(case: tuple[str, Change, str, str, str]) -> None:
    files = documents()
    case[1](files)
    files[case[2]]["properties"]["metadata"]["properties"]["event_version"]["const"] = 2
    assert [b for b in breaks(current(), Contracts(files)) if b.event == case[2]] == []


def describe(files: Documents) -> None:
    files["OrderPlaced"]["description"] = "Somebody is hungry."
    definition("money", files)["description"] = "Coins."
    definition("decline_code", files)["examples"].append("fraudulent")


def optional_field(files: Documents) -> None:
    data("OrderDispatched", files)["properties"]["courier_id"] = {"description": "Who brings it.", "type": "string"}


def new_event(files: Documents) -> None:
    files["OrderRefunded"] = copy.deepcopy(files["OrderFailed"])


def other_order(files: Documents) -> None:
    data("OrderPlaced", files)["required"].reverse()
    reason_codes(files).reverse()


def share_definition(files: Documents) -> None:
    files["common"]["$defs"]["count"] = data("OrderPlaced", files)["properties"]["item_count"]
    reference = {"$ref": files["common"]["$id"] + "#/$defs/count"}
    data("OrderPlaced", files)["properties"]["item_count"] = reference


@pytest.mark.parametrize("change", [describe, optional_field, new_event, other_order, share_definition])
def test_a_compatible_change_passes(change: Change) -> None:
    files = documents()
    change(files)
    assert breaks(current(), Contracts(files)) == []


def test_a_release_is_refused_while_something_breaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = documents()
    remove_field(files)
    monkeypatch.setattr(schemas, "current", lambda: Contracts(files))
    before = sorted(RELEASED.iterdir())
    assert event_contracts.main(["release"]) == 1
    assert sorted(RELEASED.iterdir()) == before
    assert "OrderDelivered: /properties/data/properties/delivered_at: removed" in capsys.readouterr().err


def test_a_contract_that_is_no_json_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "OrderDelivered.json").write_text('{"required": ["order_id",]}', "utf-8")
    monkeypatch.setattr(schemas, "current", lambda: Contracts.load(tmp_path))
    assert event_contracts.main(["compare"]) == 1
    assert "/OrderDelivered.json is no JSON: " in capsys.readouterr().err


def test_a_release_freezes_what_is_there_and_a_comparison_only_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compatibility, "RELEASED", tmp_path)
    assert event_contracts.main(["compare"]) == 0
    assert list(tmp_path.iterdir()) == []
    for number in ("1", "2"):
        assert event_contracts.main(["release"]) == 0
        assert {p.name: p.read_bytes() for p in (tmp_path / number).glob("*.json")} == {
            p.name: p.read_bytes() for p in SCHEMAS.iterdir()
        }
    assert event_contracts.main(["compare"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2"]


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_a_release_that_was_changed_afterwards_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """A limit raised in the release and in the schema alike would pass every comparison."""
    monkeypatch.setattr(compatibility, "RELEASED", tmp_path)
    assert event_contracts.main(["release"]) == 0
    contract = tmp_path / "1" / "OrderPlaced.json"
    match change:
        case "edit":
            contract.write_text(contract.read_text("utf-8").replace('"description"', '"$comment"', 1), "utf-8")
        case "add":
            (tmp_path / "1" / "OrderEaten.json").write_text("{}", "utf-8")
        case "remove":
            contract.unlink()
    assert event_contracts.main(["compare"]) == 1
    assert "Never to be changed" in capsys.readouterr().err


def test_what_a_list_holds_is_compared_too() -> None:
    with_list = documents()
    tags = {"description": "Tags.", "type": "array", "items": {"description": "One.", "type": "string"}}
    data("OrderPlaced", with_list)["properties"]["tags"] = tags
    changed = copy.deepcopy(with_list)
    data("OrderPlaced", changed)["properties"]["tags"]["items"]["type"] = "integer"
    assert {b.pointer for b in breaks(Contracts(with_list), Contracts(changed))} == {
        "/properties/data/properties/tags/items/type"
    }


def test_a_reference_and_what_stands_beside_it_must_agree() -> None:
    files = documents()
    data("OrderPlaced", files)["properties"]["total"]["type"] = "integer"
    with pytest.raises(ValueError, match="'type' stands beside a \\$ref"):
        Contracts(files).resolved("OrderPlaced")
