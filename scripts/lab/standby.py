"""What it costs that an environment is there before anybody calls, and from when it pays, by the list of prices.

INIT is billed like any other time (Lambda's pricing, "Duration"). So what is weighed is money against money: what a
cold start costs, what a snapshot and its restores cost, and what an environment costs that is kept started.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MONTH = 730 * 3600
"""Seconds of a month, as AWS's own examples have it."""
PRICES = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True)
class Prices:
    """US dollars for a GB for a second, by what is done with it, and for a GB that is restored."""

    on_demand: float
    kept: float
    when_kept: float
    snapshot: float
    restored: float

    @classmethod
    def read(cls, architecture: str, path: Path = PRICES) -> Self:
        """Those of an architecture."""
        told: Mapping[str, float] = tomllib.loads(path.read_text("utf-8"))["lambda_standby"]
        return cls(
            told[f"usd_per_gb_second_{architecture}"],
            told[f"usd_per_gb_second_kept_started_{architecture}"],
            told[f"usd_per_gb_second_when_kept_started_{architecture}"],
            told["usd_per_gb_second_of_snapshot"],
            told["usd_per_gb_restored"],
        )


@dataclass(frozen=True)
class Standby:
    """One function, and what each way costs it.

    Attributes:
        memory: GB.
        init: seconds of a cold start's INIT.
        warm: seconds of an invocation.
    """

    prices: Prices
    memory: float
    init: float
    warm: float

    @property
    def cold_start(self) -> float:
        """Dollars of one INIT."""
        return self.memory * self.init * self.prices.on_demand

    @property
    def snapshot(self) -> float:
        """Dollars a month for one version's snapshot, however often it is restored."""
        return self.memory * MONTH * self.prices.snapshot

    @property
    def restore(self) -> float:
        """Dollars of one start from it."""
        return self.memory * self.prices.restored

    @property
    def kept(self) -> float:
        """Dollars a month for one environment that is kept started, however little it does."""
        return self.memory * MONTH * self.prices.kept

    @property
    def busy_from(self) -> float:
        """Part of its time that a kept environment must be busy for to cost less than as much work on demand."""
        return self.prices.kept / (self.prices.on_demand - self.prices.when_kept)

    @property
    def kept_pays_from(self) -> float:
        """Requests a second, for each environment that is kept, from which it costs less than on demand."""
        return self.busy_from / self.warm

    @property
    def snapshot_pays_from(self) -> float:
        """Seconds of INIT above which a restore costs less, so that enough of them would pay for the snapshot."""
        return self.prices.restored / self.prices.on_demand

    @property
    def kept_is_cheaper_from(self) -> float:
        """Cold starts a month from which one kept environment, if it spares them all, costs less than a snapshot."""
        return (self.kept - self.snapshot) / (self.restore - self.cold_start)
