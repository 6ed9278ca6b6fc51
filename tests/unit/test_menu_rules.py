"""What a menu's file must be, and what is said of one that is none: where, and why, and nothing of its values."""

import json
from decimal import Decimal
from typing import Any

import pytest
from orders.menu_rules import (
    MOST_BYTES,
    MOST_DISHES,
    MOST_FAULTS,
    Fault,
    Menu,
    MenuRefused,
    judged,
    restaurant_of,
)
from tiffin.sequencers import in_order
from worlds.menus import MENU, a_file, a_menu, faults


def test_a_sound_file_is_a_menu() -> None:
    assert judged(a_file(MENU), "r-bella").model_dump() == MENU


@pytest.mark.parametrize(
    ("dish", "line", "pointer", "reason"),
    [
        ({"price": 9.5}, 14, "/dishes/0/price", "Input should be a valid integer"),
        ({"price": "950"}, 14, "/dishes/0/price", "Input should be a valid integer"),
        ({"price": True}, 14, "/dishes/0/price", "Input should be a valid integer"),
        ({"price": 0}, 14, "/dishes/0/price", "Input should be greater than 0"),
        ({"price": 100_001}, 14, "/dishes/0/price", "Input should be less than or equal to 100000"),
        ({"vegan": "yes"}, 17, "/dishes/0/vegan", "Input should be a valid boolean"),
        (
            {"dish_id": "No Slug"},
            11,
            "/dishes/0/dish_id",
            "String should match pattern '^[a-z0-9][a-z0-9-]{0,63}$'",
        ),
        ({"vegetarian": False, "vegan": True}, 10, "/dishes/0", "vegan, but not vegetarian"),
        ({"vegan": True}, 10, "/dishes/0", "vegetarian or vegan, but with milk"),
        ({"allergens": ["fish"]}, 10, "/dishes/0", "vegetarian or vegan, but with fish"),
        ({"cost": 950}, 22, "/dishes/0/cost", "Extra inputs are not permitted"),
        ({"name": "Pizza \x1b[31m"}, 12, "/dishes/0/name", "not a text that shows as it is"),
        ({"description": "\u202eazziP"}, 13, "/dishes/0/description", "not a text that shows as it is"),
        ({"name": "\u200b"}, 12, "/dishes/0/name", "not a text that shows as it is"),
        ({"name": ""}, 12, "/dishes/0/name", "String should have at least 1 character"),
    ],
)
def test_an_unsound_dish_is_told_by_its_line(dish: dict[str, Any], line: int, pointer: str, reason: str) -> None:
    content = a_file(MENU | {"dishes": [MENU["dishes"][0] | dish]})
    assert faults(content) == [Fault(line, pointer, reason)]


def test_an_unknown_allergen_is_told_with_those_there_are() -> None:
    [fault] = faults(a_file(MENU | {"dishes": [MENU["dishes"][0] | {"allergens": ["gluten", "love"]}]}))
    assert (fault.line, fault.pointer) == (20, "/dishes/0/allergens/1")
    assert "'gluten'" in fault.reason
    assert "love" not in fault.reason


@pytest.mark.parametrize(
    ("restaurant", "line", "pointer", "reason"),
    [
        ({"currency": "XYZ"}, 7, "/currency", "no currency of ISO 4217"),
        ({"currency": "eur"}, 7, "/currency", "String should match pattern '^[A-Z]{3}$'"),
        ({"currency": "IRR"}, 7, "/currency", "no card is charged in this currency"),
        ({"currency": "KWD", "delivery_fee": 255}, 8, "/delivery_fee", "cards are charged in steps of KWD 0.010"),
        ({"delivery_fee": -1}, 8, "/delivery_fee", "Input should be greater than or equal to 0"),
        ({"restaurant_id": "r-other"}, 2, "/restaurant_id", "not the id that the file is named by"),
        ({"dishes": []}, 9, "/dishes", "List should have at least 1 item after validation, not 0"),
    ],
)
def test_what_nobody_could_sell_print_or_pay_is_told_by_its_line(
    restaurant: dict[str, Any], line: int, pointer: str, reason: str
) -> None:
    assert faults(a_file(MENU | restaurant)) == [Fault(line, pointer, reason)]


def test_each_price_that_no_card_can_pay_is_told() -> None:
    content = a_file(a_menu(955, currency="MGA", delivery_fee=250))
    steps = "cards are charged in steps of MGA 1.00"
    assert faults(content) == [Fault(8, "/delivery_fee", steps), Fault(14, "/dishes/0/price", steps)]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "ISK", "HUF", "BHD"])
def test_prices_in_a_currency_that_cards_are_charged_in_are_taken(currency: str) -> None:
    assert judged(a_file(MENU | {"currency": currency}), "r-bella").currency == currency


def test_a_dish_that_stands_twice_is_told_where_it_does() -> None:
    content = a_file(MENU | {"dishes": MENU["dishes"] * 2})
    assert faults(content) == [Fault(24, "/dishes/1/dish_id", "another dish has this id")]


def test_what_is_missing_is_told_where_it_should_be() -> None:
    dish = {name: value for name, value in MENU["dishes"][0].items() if name != "price"}
    assert faults(a_file(MENU | {"dishes": [dish]})) == [Fault(10, "/dishes/0/price", "Field required")]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", None, "the file is empty"),
        (b" " * (MOST_BYTES + 1), None, "larger than 262144 bytes"),
        (b"\xef\xbb\xbf{}", 1, "begins with a byte order mark: save it as UTF-8 without one"),
        ("{\n\n}".encode("utf-16"), 1, "not UTF-8"),
        (b'{\n"name": "Caf\xe9"}', 2, "not UTF-8"),
        (b"[" * 50_000, 1, "nested more than 16 deep"),
        (b'{\n"delivery_fee": ' + b"9" * 5_000 + b"}", 2, "a number of more than 20 characters"),
        (b'{\n"name": "A",\n"name": "B"}', 3, "this name stands twice in one object"),
        (b'{"delivery_fee": NaN}', 1, "a value is expected here"),
        (b"[]", 1, "Input should be a valid dictionary or instance of Menu"),
        (b'"\\ud800"', 1, "half of a character: a lone surrogate"),
    ],
    ids=["empty", "large", "mark", "utf-16", "latin-1", "deep", "huge number", "twice", "nan", "list", "surrogate"],
)
def test_what_is_no_document_is_told(content: bytes, line: int | None, reason: str) -> None:
    [fault] = faults(content)
    assert (fault.line, fault.reason) == (line, reason)


def test_everything_that_is_wrong_is_counted_and_told_up_to_a_bound() -> None:
    long = {"x" * 5000 + "/~": 1}
    content = a_file(MENU | long | {"dishes": [MENU["dishes"][0] | {"price": -n} for n in range(30)]})
    with pytest.raises(MenuRefused) as refused:
        judged(content, "r-bella")
    report = refused.value.report()
    assert (len(report["faults"]), report["more"]) == (MOST_FAULTS, 11)
    assert len(json.dumps(report)) < 20_000
    assert max(len(fault.pointer) for fault in refused.value.faults) == 200


def test_a_pointer_is_escaped_as_its_rfc_says() -> None:
    assert faults(a_file(MENU | {"a/b~c": 1})) == [Fault(24, "/a~1b~0c", "Extra inputs are not permitted")]


@pytest.mark.parametrize(
    "key",
    [
        *("menu.txt", "r-bella", "r-bella.JSON", "menus/r-bella.json", "bella.json", "r-.json", "r-Bella.json"),
        *(
            "r-bella.json.json",
            "r-bella.json\n",
            "r-" + "a" * 62 + ".json",
            "../r-bella.json",
            " r-bella.json",
            "\u202e",
        ),
    ],
)
def test_a_file_that_is_named_by_no_restaurant_is_refused_unread(key: str) -> None:
    with pytest.raises(MenuRefused) as refused:
        restaurant_of(key, 10)
    [fault] = refused.value.faults
    assert fault.reason.startswith("a menu lies at the top of the bucket")


def test_a_file_is_named_by_its_restaurant() -> None:
    assert restaurant_of("r-bella-napoli-2.json", MOST_BYTES) == "r-bella-napoli-2"
    with pytest.raises(MenuRefused, match="1 faults"):
        restaurant_of("r-bella.json", MOST_BYTES + 1)


class TestVersion:
    def test_the_same_content_is_the_same_version_however_it_is_laid_out(self) -> None:
        compact = json.dumps(dict(reversed(MENU.items())), separators=(",", ":")).encode()
        assert judged(compact, "r-bella").version == judged(a_file(MENU), "r-bella").version

    def test_it_is_this_one_for_ever(self) -> None:
        # Written out: with another way to make it, every customer's menu would have changed at once.
        assert Menu.model_validate(MENU).version == "menu_5rrslhrmgjnbl7r5laevo5mkl3"

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "Bella 2"},
            {"delivery_fee": 251},
            {"currency": "CHF"},
            {"dishes": [MENU["dishes"][0] | {"price": 951}]},
            {"dishes": [MENU["dishes"][0] | {"allergens": ["milk"]}]},
            {"dishes": [*MENU["dishes"], MENU["dishes"][0] | {"dish_id": "marinara"}]},
        ],
    )
    def test_another_content_is_another_version(self, change: dict[str, Any]) -> None:
        assert Menu.model_validate(MENU | change).version != Menu.model_validate(MENU).version


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("617f08299329d189", "617f08299329d18a"),
        ("617F08299329D189", "617f08299329d18a"),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),
        ("61", "6101"),
        ("6101", "62"),
    ],
)
def test_sequencers_sort_as_s3_compares_them(earlier: str, later: str) -> None:
    # S3 user guide, "Event message structure": right pad the shorter one with zeros, then compare the texts.
    assert in_order(earlier) < in_order(later)
    assert in_order("61") == in_order("6100")


def item_bytes(value: Any) -> int:
    """What DynamoDB counts of a value (developer guide, "DynamoDB item sizes and formats")."""
    if isinstance(value, dict):
        return 3 + sum(len(name.encode()) + 1 + item_bytes(member) for name, member in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + item_bytes(member) for member in value)
    if isinstance(value, bool):
        return 1
    return 21 if isinstance(value, int | Decimal) else len(str(value).encode())


def large(dishes: int, text: str) -> bytes:
    """A menu of so many dishes, with texts as long as its file may have."""
    dish = MENU["dishes"][0]

    def written(length: int) -> bytes:
        own = {"name": text * length, "description": text * length, "category": text * length}
        menu = MENU | {"dishes": [dish | own | {"dish_id": f"d{number}"} for number in range(dishes)]}
        return json.dumps(menu, ensure_ascii=False, separators=(",", ":")).encode()

    return max((written(length) for length in range(1, 201) if len(written(length)) <= MOST_BYTES), key=len)


@pytest.mark.parametrize(("dishes", "text"), [(MOST_DISHES, "d"), (MOST_DISHES, "é"), (130, "語")])
def test_the_largest_menu_fits_into_a_row(dishes: int, text: str) -> None:
    content = large(dishes, text)
    assert len(content) > MOST_BYTES * 0.9
    assert item_bytes(judged(content, "r-bella").model_dump()) < len(content)


def test_a_menu_of_more_dishes_than_anybody_reads_is_refused() -> None:
    dishes = [MENU["dishes"][0] | {"dish_id": f"d{number}"} for number in range(MOST_DISHES + 1)]
    content = json.dumps(MENU | {"dishes": dishes}, separators=(",", ":")).encode()
    assert [fault.reason for fault in faults(content)] == [
        "List should have at most 500 items after validation, not 501"
    ]
