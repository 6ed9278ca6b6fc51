"""What environments cost that are there before anybody calls: by a list of prices, and from when it pays."""

from pathlib import Path

import pytest
from lab.standby import MONTH, PRICES, Prices, Standby

ROUND = Prices(on_demand=10, kept=3, when_kept=5, snapshot=1, restored=100)
"""Dollars that can be reckoned in the head."""


def test_half_a_gigabyte_costs_half() -> None:
    way = Standby(ROUND, memory=0.5, init=0.4, warm=0.1)
    assert way.cold_start == pytest.approx(2)
    assert way.restore == pytest.approx(50)
    assert way.snapshot == pytest.approx(0.5 * MONTH)
    assert way.kept == pytest.approx(1.5 * MONTH)


def test_an_environment_that_is_kept_pays_once_it_is_busy_enough_to_win_its_price_back() -> None:
    way = Standby(ROUND, memory=0.5, init=0.4, warm=0.1)
    # Each busy second costs 5 instead of 10, and each second of the month 3.
    assert way.busy_from == pytest.approx(0.6)
    assert way.kept_pays_from == pytest.approx(6)


def test_a_restore_pays_above_an_init_of_its_price_and_below_it_never() -> None:
    way = Standby(ROUND, memory=0.5, init=0.4, warm=0.1)
    assert way.snapshot_pays_from == pytest.approx(10)


def test_a_kept_environment_costs_less_than_a_snapshot_once_enough_starts_are_spared() -> None:
    way = Standby(ROUND, memory=0.5, init=0.4, warm=0.1)
    starts = way.kept_is_cheaper_from
    assert way.kept + starts * way.cold_start == pytest.approx(way.snapshot + starts * way.restore)


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_the_list_has_the_prices_of_both_architectures_with_their_source_and_day(architecture: str) -> None:
    prices = Prices.read(architecture)
    assert 0 < prices.kept < prices.when_kept < prices.on_demand < prices.restored
    text = PRICES.read_text("utf-8").partition("[lambda_standby]")[2]
    assert "source = " in text
    assert "date = 20" in text


def test_prices_are_read_from_the_list_that_is_given(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(PRICES.read_text("utf-8").replace("kept_started_arm64 = 0.0000033334", "kept_started_arm64 = 1.0"))
    assert Prices.read("arm64", own).kept == 1.0
