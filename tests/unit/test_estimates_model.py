"""What an estimate follows from, and how a model's file is read: as its own library reads it, and never further."""

import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from estimates.model import HOURS, LONGEST, RESTAURANTS, SHORTEST, TENSORS, AcceptedOrder, NoNumber, minutes
from estimates.model_file import HEADER, ModelFile, UnusableModel
from hypothesis import given
from hypothesis import strategies as st
from learning.simulated import RESTAURANTS as SIMULATED
from learning.simulated import orders, rush
from learning.training import PADDING, TooSmall, learn, missed_by, write
from safetensors.numpy import load_file
from tiffin.money import Money
from worlds.estimates import hand_made, model, weights

EUROS = Money(amount=2390, currency="EUR")
MONDAY = datetime(2026, 11, 23, 19, 30, tzinfo=UTC)


def order(restaurant: str = "r-bella-napoli", at: datetime = MONDAY, total: Money = EUROS) -> AcceptedOrder:
    return AcceptedOrder(restaurant, at, total)


def flat(**changed: float) -> dict[str, list[float]]:
    """Weights that are all the same: by tensor, all others 0."""
    return {name: [changed.get(name, 0.0)] * count for name, count in TENSORS.items()}


class TestOrder:
    def test_a_restaurant_has_the_same_weight_for_good(self) -> None:
        """Written out: with another hash every model of before would be wrong."""
        assert [order(r).restaurant for r in ("r-bella-napoli", "r-sakura-sushi")] == [127, 250]

    @pytest.mark.parametrize(
        ("at", "hour"),
        [
            (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), 0),
            (MONDAY, 19),
            (datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC), 167),
            (datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=1))), 167),
        ],
    )
    def test_hours_are_those_of_a_week_in_utc(self, at: datetime, hour: int) -> None:
        assert order(at=at).hour == hour

    def test_an_amount_counts_in_its_currencys_major_unit(self) -> None:
        sizes = [order(total=Money(amount=a, currency=c)).size for a, c in ((2000, "EUR"), (20, "JPY"), (20000, "KWD"))]
        assert sizes == pytest.approx([3.0445] * 3, abs=1e-4)


class TestMinutes:
    def test_each_weight_has_its_part(self) -> None:
        found = [minutes(flat(bias=30, **{name: 2.0}), order()) for name in ("restaurants", "hours")]
        assert (found, minutes(flat(bias=30, total=2), order())) == ([32, 32], 36)

    @pytest.mark.parametrize(("bias", "predicted"), [(-1e6, 10), (9.9, 10), (42.4, 42), (180.2, 180), (1e30, 180)])
    def test_they_lie_within_what_an_order_may_take(self, bias: float, predicted: int) -> None:
        assert (SHORTEST, LONGEST) == (10, 180)
        assert minutes(flat(bias=bias), order()) == predicted

    @pytest.mark.parametrize("bias", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_no_number_is_no_estimate(self, bias: float) -> None:
        with pytest.raises(NoNumber):
            minutes(flat(bias=bias), order())


class TestLearning:
    def test_the_same_seed_teaches_the_same(self, tmp_path: Path) -> None:
        one, two = (learn(orders(500, seed=7)) for _ in range(2))
        assert all(np.array_equal(one[name], two[name]) for name in TENSORS)
        assert not np.array_equal(one["hours"], learn(orders(500, seed=8))["hours"])

    def test_a_model_misses_orders_that_it_never_saw_by_little_more_than_their_noise(self, tmp_path: Path) -> None:
        (tmp_path / "m").write_bytes(model())
        guess = np.mean([took for _, took in orders(2000, seed=2)])
        blind = np.mean([abs(took - guess) for _, took in orders(2000, seed=2)])
        assert missed_by(tmp_path / "m", orders(2000, seed=2)) < 3.6 < 5 < blind

    def test_an_evening_takes_longer_than_a_morning_and_a_weekend_longer_than_a_monday(self) -> None:
        at = [datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in ((23, 9), (23, 19), (28, 19))]
        predicted = [minutes(weights_by_name(), order(at=moment)) for moment in at]
        assert predicted == sorted(set(predicted))
        assert [rush(moment) for moment in at] == sorted({rush(moment) for moment in at})

    def test_restaurants_that_nobody_ordered_from_are_as_fast_as_the_average(self) -> None:
        seen = {order(restaurant).restaurant for restaurant in SIMULATED}
        assert abs(weights()["restaurants"][sorted(set(range(RESTAURANTS)) - seen)]).max() < 1e-3


def weights_by_name() -> dict[str, list[float]]:
    return {name: array.tolist() for name, array in weights().items()}


@pytest.fixture(params=[ModelFile.mapped, ModelFile.whole], ids=["mapped", "whole"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[bytes], ModelFile]:
    """Opens a file with these octets, in either way."""

    def open_it(octets: bytes) -> ModelFile:
        path = tmp_path / "model.safetensors"
        path.write_bytes(octets)
        found: ModelFile = request.param(path)
        return found

    return open_it


class TestFile:
    @pytest.mark.parametrize("size", [None, 100_000, 100_001, 3_000_000])
    def test_its_own_library_reads_the_same(
        self, opened: Callable[[bytes], ModelFile], tmp_path: Path, size: int | None
    ) -> None:
        ours = opened(model(size))
        theirs = load_file(tmp_path / "model.safetensors")
        assert set(theirs) - {PADDING} == set(ours) == set(TENSORS)
        for name in TENSORS:
            assert theirs[name].tolist() == list(ours[name])
        assert minutes(ours, order()) == minutes(theirs, order())  # type: ignore[arg-type]

    def test_it_is_as_large_as_was_asked_for_and_no_zip_makes_it_smaller(self) -> None:
        assert 0 <= len(model(1_000_000)) - 1_000_000 < 200
        assert len(set(model(1_000_000)[-1000:])) > 200

    def test_it_cannot_be_smaller_than_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "m"
        write(path, weights())
        before = path.read_bytes()
        with pytest.raises(TooSmall, match=f"at least {len(before):,} octets"):
            write(path, weights(), 1000)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_a_file_that_somebody_else_wrote_is_read_too(self, opened: Callable[[bytes], ModelFile]) -> None:
        assert minutes(opened(hand_made()), order()) == SHORTEST

    def test_a_mapped_one_is_looked_at_where_it_is_asked_and_nowhere_else(self, tmp_path: Path) -> None:
        """It is changed under the mapping, which shows; and cut off, of which whoever read that half would die."""
        path = tmp_path / "model.safetensors"
        path.write_bytes(model(50_000_000))
        mapped = ModelFile.mapped(path)
        with path.open("r+b") as file:
            file.truncate(25_000_000)
            file.seek(mapped.header.place("bias").start)
            file.write(struct.pack("<f", 100.0))
        assert minutes(mapped, order()) == minutes(weights_by_name() | {"bias": [100.0]}, order())


def lacks(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda header: header.pop(name)


def says(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header[name].update(changes)


def holds(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header.update({name: value})


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty|shorter"),
    "a few octets": (b"\x01\x02", "shorter"),
    "a photograph": (b"\xff\xd8\xff\xe0" + bytes(5000), "its header is longer"),
    "zeros": (bytes(5000), "no JSON"),
    "a header as long as the file": (struct.pack("<Q", 10**15) + b"{}", "its header is longer"),
    "a header beyond what is read": (struct.pack("<Q", HEADER) + b" " * (HEADER + 10), "its header is longer"),
    "no JSON": (struct.pack("<Q", 5) + b"{nope" + bytes(100), "no JSON"),
    "nested without end": (struct.pack("<Q", 200_000) + b"[" * 200_000, "no JSON"),
    "a list": (struct.pack("<Q", 2) + b"[]" + bytes(100), "no object"),
    "nothing in it": (struct.pack("<Q", 2) + b"{}", "bias: there is no such tensor"),
    "cut off": (hand_made(data=bytes(100)), "cut off"),
    "one missing": (hand_made(lacks("hours")), "hours: there is no such tensor"),
    "too few": (hand_made(says("hours", shape=[167], data_offsets=[0, 668])), "hours: 168 numbers"),
    "doubles": (hand_made(says("bias", dtype="F64", data_offsets=[0, 8])), "bias: 1 numbers of type F32"),
    "an unknown type": (hand_made(says("bias", dtype="F33")), "bias: its shape and type"),
    "lengths that contradict": (hand_made(says("bias", data_offsets=[0, 8])), "bias: its shape and type"),
    "backwards": (hand_made(says("bias", data_offsets=[8, 4])), "bias: it lies outside"),
    "before the file": (hand_made(says("bias", data_offsets=[-4, 0])), "bias: data_offsets"),
    "a text for a place": (hand_made(says("bias", data_offsets="ab")), "bias: data_offsets"),
    "no tensor": (hand_made(holds("bias", 7)), "bias: "),
    "a name of the sender's": (hand_made(holds("Ada Lovelace", {})), "a tensor: "),
    "a list for metadata": (hand_made(holds("__metadata__", [])), "__metadata__"),
    "numbers for metadata": (hand_made(holds("__metadata__", {"sha256": 1})), "__metadata__"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_model_is_refused_with_the_reason(what: str, opened: Callable[[bytes], ModelFile]) -> None:
    octets, reason = BAD[what]
    with pytest.raises(UnusableModel, match=reason) as refused:
        opened(octets)
    assert "Ada" not in str(refused.value)


@given(st.binary(max_size=300))
def test_any_octets_are_refused_and_nothing_else_happens(octets: bytes) -> None:
    with pytest.raises(UnusableModel):
        ModelFile(octets)


@given(
    st.dictionaries(
        st.sampled_from([*TENSORS, "x", "__metadata__"]),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3))
        | st.fixed_dictionaries(
            {
                "dtype": st.sampled_from(["F32", "U8", "?"]) | st.integers(),
                "shape": st.lists(st.integers(-2, 300), max_size=9),
                "data_offsets": st.lists(st.integers(-9, 2000), min_size=1, max_size=3),
            }
        ),
    )
)
def test_any_header_is_read_or_refused(header: dict[str, Any]) -> None:
    text = json.dumps(header).encode()
    octets = struct.pack("<Q", len(text)) + text + bytes(1704)
    try:
        found = ModelFile(octets)
    except UnusableModel:
        return
    assert sum(len(found[name]) for name in TENSORS) == sum(TENSORS.values()) == 1 + RESTAURANTS + HOURS + 1
