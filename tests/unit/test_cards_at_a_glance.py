"""What is looked through for card numbers at a glance only: texts that have too few digits, by whatever script."""

import sys
import unicodedata

import pytest
from tiffin.cards import holds_card_number, where_card_numbers_stand

NUMBER = "4222222222222"  # Visa, of thirteen digits: the shortest that there is
SCRIPTS = {"ASCII": 0x30, "Arabic-Indic": 0x660, "Devanagari": 0x966, "fullwidth": 0xFF10, "bold": 0x1D7CE}


@pytest.mark.parametrize("zero", SCRIPTS.values(), ids=SCRIPTS)
def test_the_shortest_number_is_seen_in_every_script(zero: int) -> None:
    number = "".join(chr(zero + int(digit)) for digit in NUMBER)
    assert holds_card_number(number)
    assert holds_card_number(" ".join(number))
    assert not holds_card_number(number[1:])


def test_it_is_seen_in_digits_that_are_no_decimals() -> None:
    assert holds_card_number("④" + 12 * "②")


def test_what_counts_as_a_digit_at_a_glance_counts_as_one_on_looking_through() -> None:
    characters = map(chr, range(sys.maxunicode + 1))
    assert [c for c in characters if c.isdigit() != (unicodedata.digit(c, None) is not None)] == []


def test_the_name_of_a_member_is_looked_at_beside_its_value() -> None:
    document = {"a": {NUMBER: "x", "b": NUMBER}, "c": ["fine", NUMBER]}
    assert sorted(where_card_numbers_stand(document)) == ["/a", "/a/b", "/c/1"]
