"""What was counted, and what it costs, as the tables of a page."""

from collections.abc import Iterable, Mapping, Sequence

from contracts.cloudformation import Stack

from . import pricing
from .costing import ENDS, LOOKS, Costing
from .metered import Counts

SHARES = {end.name: end.share for end in ENDS}


def page(found: Costing, stacks: Sequence[Stack], where: str) -> str:
    """Counts, costs by end and by service, and what costs by the month.

    Args:
        found: what was counted.
        stacks: as they would be deployed.
        where: day and machine of the measurement.
    """
    traced = pricing.sampled(stacks)
    costs = {name: pricing.of_an_order(counts, traced) for name, counts in found.ends.items()}
    looks = {name: pricing.of_an_order(counts, pricing.SAMPLED_BY_DEFAULT) for name, counts in found.looks.items()}
    looking = pricing.together(*((LOOKS[name], cost) for name, cost in looks.items()))
    mix = pricing.together(*((SHARES[name], cost) for name, cost in costs.items()))
    whole = pricing.together((1, mix), (1, looking))
    fixed = pricing.fixed(stacks, found.metrics, found.sweep)
    orders = next(iter(found.ends.values())).orders
    parts = [
        f"{where}, {orders} orders of each end, one after the other, so that no poller gets two messages at once.",
        "**What one order takes**, nobody looking on:",
        counted(found.ends),
        "Milliseconds, and so GB-seconds, are this machine's and not AWS's.",
        "**What 1,000 orders cost**, in US dollars, by end:",
        by_end(costs, looking),
        "**Where each cent goes**, for 1,000 orders of the assumed mix "
        f"({', '.join(f'{share:.0%} {name}' for name, share in SHARES.items())}), looked at as assumed:",
        by_service(whole, looking),
        "**What people look at** costs besides, for each order: how often is assumed.",
        looked(found.looks, looks),
        "**Write request units of one delivered order**, by table and index:",
        units(found.ends["delivered"]),
        "**What costs by the month**, orders or not:",
        by_month(fixed),
        "Together, an order costs "
        + ", ".join(
            f"{in_cents(whole, fixed, orders):.3f} cents with {orders:,} a month" for orders in (1_000, 100_000)
        )
        + ".",
        f"Prices: `scripts/lab/prices.toml`, {pricing.REGION}, {pricing.DATE:%d %B %Y}. Not confirmed at AWS itself: "
        f"{', '.join(pricing.unconfirmed())}.",
    ]
    return "\n\n".join(parts)


def counted(ends: Mapping[str, Counts]) -> str:
    """What an order of each end takes."""
    rows = []
    for name, c in ends.items():
        amounts = {
            "transitions": sum(c.transitions.values()),
            "requests": c.requests,
            "invocations": sum(c.invocations.values()),
            "events": sum(c.events.values()),
            "messages": sum(c.messages.values()),
            "writes": sum(c.writes.values()),
            "reads": sum(c.reads.values()),
            "traces": c.traces,
        }
        figures = [f"{amount / c.orders:.1f}" for amount in amounts.values()]
        rows.append(
            [name, *figures, f"{sum(c.gb_seconds.values()) / c.orders:.3f}", f"{c.lines / c.orders / 1000:.1f}"]
        )
    heads = ["end", "state entries", "API requests", "invocations", "events put", "queue messages"]
    heads += ["write units", "read units", "traces", "GB-seconds", "log kB"]
    return as_table(heads, rows)


def by_end(costs: Mapping[str, pricing.Costs], looking: pricing.Costs) -> str:
    """What 1,000 orders of each end cost, by service."""
    services = list(dict.fromkeys(_service(what) for cost in costs.values() for what in cost))
    rows = [
        [name, *(f"{1000 * _of(cost, service):.3f}" for service in services), f"**{1000 * sum(cost.values()):.2f}**"]
        for name, cost in (*costs.items(), ("looking on, besides", looking))
    ]
    return as_table(["end", *services, "all"], rows)


def by_service(whole: pricing.Costs, looking: pricing.Costs) -> str:
    """What 1,000 orders cost, by what for, the dearest first."""
    total = sum(whole.values())
    rows = [
        [what, f"{1000 * usd:.3f}", f"{1000 * looking.get(what, 0.0):.3f}", f"{usd / total:.0%}"]
        for what, usd in sorted(whole.items(), key=lambda item: -item[1])
    ]
    return as_table(
        ["", "USD", "of it for looking", "share"],
        [*rows, ["**all**", f"**{1000 * total:.2f}**", f"**{1000 * sum(looking.values()):.2f}**", ""]],
    )


def looked(looks: Mapping[str, Counts], costs: Mapping[str, pricing.Costs]) -> str:
    """What a look takes and costs."""
    rows = []
    for name, c in looks.items():
        reads = sum(c.reads.values()) / c.orders
        usd = 1000 * sum(costs[name].values())
        rows.append([name, str(LOOKS[name]), f"{c.requests / c.orders:.0f}", f"{reads:.1f}", f"{usd:.4f}"])
    return as_table(["", "times, assumed", "API requests", "read units", "USD for 1,000 times"], rows)


def units(counts: Counts) -> str:
    """Write request units of an order, by table and index."""
    rows = [
        [table, index or "the table itself", f"{taken / counts.orders:.1f}"]
        for (table, index), taken in sorted(counts.writes.items())
    ]
    return as_table(["table", "index", "units"], rows)


def by_month(fixed: Iterable[pricing.Fixed]) -> str:
    """What costs by the month."""
    listed = list(fixed)
    rows = [[one.what, f"{one.number:,}", f"{one.usd:.2f}"] for one in listed]
    return as_table(["", "number", "USD a month"], [*rows, ["**all**", "", f"**{sum(o.usd for o in listed):.2f}**"]])


def in_cents(whole: pricing.Costs, fixed: Iterable[pricing.Fixed], orders: int) -> float:
    """Cents of one of so many orders a month, with its part of what costs by the month."""
    return 100 * (sum(whole.values()) + sum(one.usd for one in fixed) / orders)


def _service(what: str) -> str:
    return what.partition(":")[0]


def _of(costs: pricing.Costs, service: str) -> float:
    return sum(usd for what, usd in costs.items() if _service(what) == service)


def as_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as a page has it.

    Args:
        heads: of its columns.
        rows: cells of each.
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
