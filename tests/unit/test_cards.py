"""No card number gets in, however it is written; honest digits do. Generated from fixed seeds."""

import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiffin import cards
from tiffin.cards import holds_card_number, is_card_number, where_card_numbers_stand

# Numbers for tests, which no issuer gives away. Sources: docs.stripe.com/testing, and for Visa's thirteen digits and
# JCB's fifteen, PayPal's list of test numbers.
TEST_NUMBERS = [
    "4242424242424242",
    "4000056655665556",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "5200828282828210",
    "5105105105105100",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "6011000990139424",
    "3056930009020004",
    "36227206271667",
    "30569309025904",
    "6555900000604105",
    "3566002020360505",
    "180000000000002",
    "6200000000000005",
    "6205500000000000004",
    "6759649826438453",
    "5018000000007",
]
HERE = Path(__file__).resolve().parents[2]


# First digits and lengths that issuers are known to use, said here a second time.
ISSUED = {
    ("4",): (16, 19),
    ("51", "55", "2221", "2300", "2720"): (16,),
    ("34", "37"): (15,),
    ("6011", "644", "649", "65"): (16, 19),
    ("300", "305", "36", "38"): (14, 16, 19),
    ("3528", "3589"): (16, 19),
    ("62", "810", "817"): (16, 17, 18, 19),
    ("5018", "5020", "5038", "5612", "5893", "6304", "6759", "6763"): (13, 16, 19),
}


def issued(dice: random.Random) -> Iterator[str]:
    """Card numbers of all networks, with their check digits put right."""
    while True:
        for prefixes, lengths in ISSUED.items():
            length = dice.choice(lengths)
            digits = dice.choice(prefixes)
            digits += "".join(str(dice.randrange(10)) for _ in range(length - 1 - len(digits)))
            yield next(f"{digits}{last}" for last in range(10) if cards._luhn(f"{digits}{last}"))


class TestWhatIsRefused:
    @pytest.mark.parametrize("number", TEST_NUMBERS)
    def test_a_card_number_of_each_network(self, number: str) -> None:
        assert holds_card_number(number)
        assert holds_card_number(f"my card is {number}, thanks")
        assert holds_card_number(f"Karte{number}bitte")
        assert holds_card_number(f"pm_{number}")
        assert holds_card_number(f"{number} 12/27 123")

    @pytest.mark.parametrize("number", TEST_NUMBERS)
    @pytest.mark.parametrize(
        "between",
        [
            *(" ", "-", "  ", " - ", "\t", "\n", "\r\n", "_", "."),
            *("\u00a0", "\u2009", "\u3000", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212", "\ufe58", "\uff0d"),
            *("\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\ufe0f\u20e3"),
        ],
    )
    def test_spaced_or_dashed_in_any_way(self, number: str, between: str) -> None:
        for size in (1, 2, 3, 4, 5, 6):
            parts = [number[at : at + size] for at in range(0, len(number), size)]
            assert holds_card_number(between.join(parts))

    @pytest.mark.parametrize("number", TEST_NUMBERS)
    @pytest.mark.parametrize("zero", ["\u0660", "\u06f0", "\u0966", "\u0e50", "\uff10", "\U0001d7ce"])
    def test_in_the_digits_of_any_script(self, number: str, zero: str) -> None:
        assert holds_card_number("".join(chr(ord(zero) + int(digit)) for digit in number))

    def test_thousands_of_each_network(self) -> None:
        numbers = issued(random.Random(7))
        assert [number for _ in range(20_000) if not holds_card_number(number := next(numbers))] == []

    @given(st.data())
    def test_wherever_it_stands_in_a_body(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(TEST_NUMBERS))
        inner = data.draw(st.sampled_from([number, int(number), {number: 1}, {"x": [number]}]))
        path = data.draw(st.lists(st.sampled_from(["note", "delivery", 0]), max_size=4))
        body = inner
        for step in reversed(path):
            body = [body] if step == 0 else {step: body}
        [at] = where_card_numbers_stand(body)
        assert at.startswith("".join(f"/{step}" for step in path))
        assert not holds_card_number(at)

    def test_a_body_nested_as_deep_as_its_parser_goes(self) -> None:
        body: object = TEST_NUMBERS[0]
        for _ in range(100_000):
            body = [body]
        assert len(list(where_card_numbers_stand(body))) == 1

    @pytest.mark.parametrize("number", TEST_NUMBERS)
    def test_every_digit_counts(self, number: str) -> None:
        for at in range(len(number)):
            wrong = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
            assert not is_card_number(wrong)


def telephones(dice: random.Random) -> Iterator[str]:
    """Telephone numbers as people write them, of countries whose numbers are long or begin as cards do."""

    def n(count: int) -> str:
        return "".join(str(dice.randrange(10)) for _ in range(count))

    while True:
        yield f"+49 15{n(1)} {n(8)}"
        yield f"+4915{n(10)}"
        yield f"4917{n(9)}"
        yield f"0049 17{n(1)} {n(8)}"
        yield f"(0{n(3)}) {n(7)}"
        yield f"+43 6{n(2)} {n(9)}"
        yield f"+44 20 {n(4)} {n(4)}"
        yield f"+33 6 {n(2)} {n(2)} {n(2)} {n(2)}"
        yield (
            " ".join([f"0{n(1)}", *(n(2) for _ in range(4))])
            + " / "
            + " ".join([f"0{n(1)}", *(n(2) for _ in range(4))])
        )
        yield " ".join([f"0{n(1)}", *(n(2) for _ in range(4)), f"0{n(1)}", *(n(2) for _ in range(4))])
        yield f"+1 ({n(3)}) {n(3)}-{n(4)} ext. {n(4)}"
        yield f"+62 8{n(2)}-{n(4)}-{n(4)}"
        yield f"628{n(10)}"
        yield f"+55 11 9{n(4)}-{n(4)}"
        yield f"+86 1{n(10)}"
        yield f"+39 3{n(9)}"


class TestWhatPasses:
    """Thousands each; none is an example chosen because it passes."""

    def test_telephone_numbers(self) -> None:
        written = telephones(random.Random(7))
        assert [number for _ in range(20_000) if holds_card_number(number := next(written))] == []

    def test_uuids_with_and_without_dashes(self) -> None:
        dice = random.Random(7)
        for _ in range(20_000):
            one = uuid.UUID(int=dice.getrandbits(128), version=4)
            assert not holds_card_number(str(one))
            assert not holds_card_number(one.hex)
            assert not holds_card_number(f"order {one} again")
        # The worst there can be: every digit decimal, and a card number in the last groups.
        assert not holds_card_number("42424242-4242-4242-8242-424242424242")

    def test_times_in_every_unit(self) -> None:
        dice = random.Random(7)
        for _ in range(20_000):
            # From 2017 to 2033: in nanoseconds nineteen digits that begin with 15 to 19.
            moment = dice.randrange(1_500_000_000, 2_000_000_000) * 10**9 + dice.randrange(10**9)
            for unit in (1, 10**3, 10**6, 10**9):
                assert not holds_card_number(str(moment // unit))
        assert not holds_card_number(str(time.time_ns()))

    def test_days_with_times(self) -> None:
        dice = random.Random(7)
        for _ in range(20_000):
            moment = time.gmtime(dice.randrange(1_500_000_000, 4_000_000_000))
            for written in (
                "%Y%m%d%H%M%S",
                "%Y%m%d%H%M%S00",
                "%Y-%m-%d %H:%M:%S",
                "%d.%m.%Y %H.%M",
                "%Y-%m-%dT%H-%M-%S",
            ):
                assert not holds_card_number(time.strftime(written, moment))

    def test_order_ids_and_idempotency_keys(self) -> None:
        dice = random.Random(7)
        for _ in range(20_000):
            order_id = "ord_" + "".join(dice.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))
            assert not holds_card_number(order_id)
            assert not holds_card_number(f"{order_id}-{dice.randrange(10)}")
            assert not holds_card_number(f"{dice.randrange(10**10)}-{1_700_000_000_000 + dice.randrange(10**11)}")
            assert not holds_card_number("".join(dice.choices("0123456789abcdef", k=64)))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "1 Analytical Row",
            "2nd floor, 4 Rue de Rivoli, 75001 Paris",
            "Flat 4. 0151 12345678",
            "4242 4242 4242",
            "4242 4242 4242 4243",
            "1234 5678 9012 3452",
            "ring 3 times, code 1234, floor 12",
            "pm_card_visa",
            "pm_1MqLiJLkdIwHu7ixUEgbFdYF",
        ],
    )
    def test_what_people_write(self, text: str) -> None:
        assert not holds_card_number(text)


def rate(length: int, runs: int = 40_000) -> float:
    """How many in a hundred random runs of digits are taken for a card number."""
    dice = random.Random(length)
    found = sum(is_card_number(str(dice.randrange(10 ** (length - 1), 10**length))) for _ in range(runs))
    return 100 * found / runs


@pytest.mark.parametrize("length", range(13, 20))
def test_the_documents_say_how_often_random_digits_are_refused(length: int) -> None:
    said = (HERE / "docs" / "payments.md").read_text("utf-8")
    row = next(line for line in said.splitlines() if line.startswith(f"| {length} |"))
    assert float(row.split("|")[2].strip(" %")) == pytest.approx(rate(length), abs=0.2)
