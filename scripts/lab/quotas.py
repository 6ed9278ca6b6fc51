"""How full AWS's quotas, and the stack's own limits, are at so many orders a second, and which of them is full first.

What one order takes is known: from the workflows (`walks`), from real orders that were counted (`lives.json`), and from
the keys that they are written under (`partitions`). How long things take on AWS is not, and is assumed below.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import ceil, floor, inf, log10
from pathlib import Path
from typing import Any

from contracts.cloudformation import Stack
from orders.store import AT_ONCE

from . import partitions, walks
from .costing import ENDS, LIVES, LOOKS
from .partitions import Crowd

FILE = Path(__file__).with_name("quotas.toml")
MIX = {end.name: end.share for end in ENDS}
DRAWN = 20_000
"""Orders that are drawn to see which partitions are hot."""

# --- Assumed ----------------------------------------------------------------------------------------------------------

SECONDS = 0.1
"""That an invocation takes on AWS, of any function. It is a fifth of that here, with whole processors, no network."""
OPEN_SECONDS = {"declined": 3.0, "rejected": 300.0, "cancelled": 120.0, "failed": 300.0,
                "expired": 10_800.0}  # fmt: skip
OPEN_OTHERWISE = 2_700.0
"""How long an order is open, by its end; one that is delivered three quarters of an hour."""
PREPARING_SECONDS = 900.0
SIGN_INS, MAILS, LISTENERS = 1, 5, 2
"""For each order; its customer opens a page or two."""
NEW_SHARDS = 4
"""Shards of the stream of a table that was made on demand (DynamoDB developer guide, "On-demand capacity mode")."""
_LATE = "they arrive late; orders go on"
_COURIERS, _KITCHENS = "the courier looks at the list", "the restaurant looks at its list"
# What the lists of couriers and restaurants hold of an order, as their index does.
_LISTED = ("order_id", "status", "placed_at", "restaurant_id", "restaurant_name", "updated_at", "deadline_at")


@dataclass(frozen=True)
class Gauge:
    """One quota or limit, and what an order takes of it.

    Attributes:
        name: as the file of quotas has it; the stack's own limits have none there.
        service: whose it is.
        what: it limits.
        then: what happens when it is full.
        limit: so much.
        taken: of it, for each order a second.
        elsewhere: the limit of a small region.
        raised: whether AWS, or a parameter, raises it.
        by: the parameter, or the way round it.
        confirmed: whether it was read at AWS.
    """

    name: str
    service: str
    what: str
    then: str
    limit: float
    taken: float
    elsewhere: float | None = None
    raised: bool = False
    by: str = ""
    confirmed: bool = True

    def full(self, rate: float) -> float:
        """How full it is at so many orders a second; 1 is full."""
        return self.taken * rate / self.limit

    @property
    def breaks_at(self) -> float:
        """Orders a second at which it is full."""
        return self.limit / self.taken if self.taken else inf

    @property
    def breaks_elsewhere_at(self) -> float:
        """The same in a small region."""
        return (self.elsewhere or self.limit) / self.taken if self.taken else inf

    def to_ask_for(self, rate: float) -> int:
        """What to ask AWS for: half as much again as is needed, in two figures."""
        needed = 1.5 * self.taken * rate
        step: int = 10 ** max(0, floor(log10(max(needed, 1))) - 1)
        return ceil(needed / step) * step


@lru_cache(maxsize=1)
def quotas() -> dict[str, dict[str, Any]]:
    """AWS's quotas by name."""
    return {name: table for name, table in _file().items() if isinstance(table, dict)}


def read_on() -> date:
    """The day of the file."""
    day: date = _file()["date"]
    return day


def lives(path: Path = LIVES) -> dict[str, Any]:
    """What one order of each end took, and one look."""
    return dict(json.loads(path.read_text("utf-8")))


def longest_history() -> int:
    """Events in the longest history of an execution: of a task five, from its entry to its exit, and three of all."""
    return 3 + 5 * max(len(states) for end in MIX for states in walks.entered(end).states)


def mixed(text: str) -> dict[str, float]:
    """A mix of ends as somebody types it, such as `delivered=0.9,declined=0.1`.

    Raises:
        ValueError: there is no such end, or the shares are no whole.
    """
    mix = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        if name.strip() not in MIX:
            raise ValueError(f"{name.strip()!r} is no end: there are {'; '.join(MIX)}")
        mix[name.strip()] = float(share)
    if min(mix.values()) < 0 or abs(sum(mix.values()) - 1) > 0.001:
        raise ValueError(f"the shares are {sum(mix.values()):g} together, not 1")
    return mix


def gauges(stacks: Sequence[Stack], mix: Mapping[str, float], crowd: Crowd) -> list[Gauge]:
    """All that may be full, what is full first first.

    Args:
        stacks: as they would be deployed: their own limits are in them.
        mix: shares of the ends.
        crowd: who orders from whom.
    """
    known = lives()
    average = _Average(known, mix)
    placed = partitions.rows(crowd, DRAWN)
    units = partitions.load(placed, known, mix)
    found = [
        *_of_aws(average),
        *_of_tables(units),
        *_of_partitions(units),
        *_of_lists(placed),
        *_of_stack(stacks, average),
    ]
    return sorted(found, key=lambda gauge: gauge.breaks_at)


class _Average:
    """What the average order of a mix takes, people's looks included."""

    def __init__(self, known: Mapping[str, Any], mix: Mapping[str, float]) -> None:
        self._known, self._mix = known, mix
        self._ways = {end: walks.entered(end) for end in mix}

    def of(self, amount: str) -> float:
        """A sum of the counts of one kind: of the order, and of looking on."""
        return self.done(amount) + self.looking(amount)

    def done(self, amount: str) -> float:
        return sum(share * _total(self._known[end][amount]) for end, share in self._mix.items())

    def looking(self, amount: str) -> float:
        return sum(times * _total(self._known[look][amount]) for look, times in LOOKS.items())

    def walked(self, what: str) -> float:
        """Of what the workflows do."""
        return float(sum(share * getattr(self._ways[end], what) for end, share in self._mix.items()))

    def entries(self) -> float:
        return sum(share * sum(map(len, self._ways[end].states)) for end, share in self._mix.items())

    def executions(self) -> float:
        return sum(share * len(self._ways[end].states) for end, share in self._mix.items())

    def open_for(self) -> float:
        return sum(share * OPEN_SECONDS.get(end, OPEN_OTHERWISE) for end, share in self._mix.items())

    def share(self, end: str) -> float:
        return self._mix.get(end, 0.0)

    def busiest_function(self) -> float:
        """Invocations of the function that is called most often."""
        called: dict[str, float] = {}
        for name, times in (*self._mix.items(), *LOOKS.items()):
            for function, invocations in self._known[name]["invocations"].items():
                called[function] = called.get(function, 0.0) + times * invocations
        return max(called.values())

    def messages(self, queue: str) -> float:
        return float(sum(share * self._known[end]["messages"].get(queue, 0.0) for end, share in self._mix.items()))

    def events(self, prefix: str) -> float:
        put = {end: self._known[end]["events"] for end in self._mix}
        return sum(
            share * sum(float(n) for name, n in put[end].items() if name.startswith(prefix))
            for end, share in self._mix.items()
        )


def _of_aws(average: _Average) -> list[Gauge]:
    taken = {
        "start_execution": average.executions(),
        "state_transitions": average.entries(),
        "send_task_success": average.walked("callbacks"),
        "stop_execution": average.share("cancelled"),
        "open_executions": average.open_for(),
        "api_requests": average.of("requests"),
        "concurrency": average.of("invocations") * SECONDS,
        # As many as work at once must have begun; ten seconds are long enough for all that a rush calls for.
        "concurrency_of_a_function": average.busiest_function() * SECONDS,
        "put_events": average.done("events"),
        # The archive's own rule, and the one of deaths, beside those of the queues.
        "rule_invocations": average.done("messages") + average.done("events") + average.executions() - 1,
        "sign_ins": SIGN_INS,
        "new_connections": LISTENERS,
        "segments": average.done("segments"),
        "log_calls": average.of("invocations"),
        "mails": MAILS,
    }
    return [_gauge(name, amount) for name, amount in taken.items()]


def _of_tables(units: Mapping[partitions.Partition, float]) -> list[Gauge]:
    (table, index), most = max(partitions.by_index(units).items(), key=lambda pair: pair[1])
    return [_gauge(name, most, of=index or table) for name in ("table_writes", "new_table_writes")]


def _of_partitions(units: Mapping[partitions.Partition, float]) -> list[Gauge]:
    found = []
    for (table, index, key), taken in partitions.hottest(units):
        # At no rate of all orders is one written more often, nor may a customer place more of them in an hour.
        if not key.startswith(("ord_", "customer-")):
            found.append(_gauge("partition_writes", taken, of=f"{index or table}, `{key}`"))
    return found


def _of_lists(placed: Sequence[Mapping[str, Any]]) -> list[Gauge]:
    """Lists that read one partition, of which all see the same rows first."""
    row = partitions.size(placed[0], _LISTED)
    # Half a unit for each 4 KB, as an index is read (DynamoDB developer guide, "Read consistency").
    page = AT_ONCE * row / 4096 / 2
    kitchens = [order["restaurant_id"] for order in placed]
    busiest = max(kitchens.count(one) for one in set(kitchens)) / len(placed)
    return [
        _gauge("partition_reads", LOOKS[_COURIERS] * page, of="orders-by-status, `PREPARING`, which couriers list"),
        _gauge("partition_reads", LOOKS[_KITCHENS] * page * busiest, of="orders-of-restaurant, of the busiest one"),
    ]


def _of_stack(stacks: Iterable[Stack], average: _Average) -> list[Gauge]:
    """What the templates themselves let through."""
    found = []
    for stack in stacks:
        for _, _, kind, properties in stack.resources():
            if kind == "AWS::ApiGateway::Stage" and stack.path == ("Orders",):
                found += [_throttle(setting) for setting in properties["MethodSettings"]]
            if kind == "AWS::Lambda::EventSourceMapping":
                found.append(_mapping("/".join(stack.path), properties, average))
    return [gauge for gauge in found if gauge.taken]


def _throttle(setting: Mapping[str, Any]) -> Gauge:
    places = setting["HttpMethod"] == "POST"
    what = "orders placed" if places else "requests of one method: looking at an order"
    taken = 1.0 if places else float(LOOKS["the customer looks at the order"])
    by = "`OrdersPerSecond`" if places else "`RequestsPerSecond`"
    return _own(what, "requests are answered with 429", float(setting["ThrottlingRateLimit"]), taken, by)


def _mapping(service: str, properties: Mapping[str, Any], average: _Average) -> Gauge:
    source, batch = str(properties["EventSourceArn"]), properties["BatchSize"]
    if ":sqs:" in source:
        at_once = properties["ScalingConfig"]["MaximumConcurrency"]
        queue = f"{service}/{source.rpartition(':')[2].split('-')[-2]}"
        what = f"events of {queue}, {at_once} batches of {batch} at once"
        return _own(what, _LATE, at_once * batch / SECONDS, average.messages(queue), "`MaximumConcurrency`")
    what = f"events of the outbox of {service}, {NEW_SHARDS} shards, batches of {batch}"
    taken = average.events("Payment" if service == "Payments" else "PromoCode")
    # Ten events go into a call of PutEvents, one call after the other.
    return _own(what, _LATE, NEW_SHARDS * batch / (batch / 10 * SECONDS / 2), taken, "`ParallelizationFactor`")


def _own(what: str, then: str, limit: float, taken: float, parameter: str) -> Gauge:
    return Gauge("", "this stack", what, then, limit, taken, raised=True, by=parameter)


def _gauge(name: str, taken: float, of: str = "") -> Gauge:
    quota = quotas()[name]
    what = f"{quota['what']}: {of}" if of else quota["what"]
    return Gauge(
        name,
        quota["service"],
        what,
        quota["full"],
        quota["limit"],
        taken,
        quota.get("elsewhere"),
        quota["raised"],
        "Service Quotas" if quota["raised"] else "",
        quota["confirmed"],
    )


def _total(amount: Any) -> float:
    return float(sum(amount.values())) if isinstance(amount, dict) else float(amount)


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))
