"""What `make capacity` runs: how full AWS's quotas are at so many orders a second, and what breaks first.

    .venv/bin/python scripts/capacity.py [--rate 300] [--mix delivered=0.9,declined=0.1] [--write docs/capacity.md]

Nothing is started: what an order takes is read from the templates, the workflows and what `make cost` counted.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import pricing, quotas
from lab.partitions import Crowd
from lab.quotas import Gauge
from laptop import measured
from rich.console import Console

COMMAND = "make capacity"
RATE = 300.0
_ENOUGH = 0.8
_HEAD = "| | limit | needed | there is | full | full at orders/s | in a small region | then |"
_MARK = " \\*"
_SPARES = "orders go on"


def text(rate: float, mix: Mapping[str, float], crowd: Crowd, gauges: Sequence[Gauge]) -> str:
    """What is full, what breaks first, and what to ask AWS for."""
    rows = [_row(gauge, rate) for gauge in gauges]
    own = [gauge for gauge in gauges if not gauge.name]
    fixed = [gauge for gauge in gauges if gauge.name and not gauge.raised]
    raised = [gauge for gauge in gauges if gauge.name and gauge.raised]
    asked = [
        f"{gauge.service}, {gauge.what}: {gauge.to_ask_for(rate):,}" for gauge in raised if gauge.full(rate) > _ENOUGH
    ]
    return "\n\n".join(
        [
            f"At {rate:g} orders a second ({', '.join(f'{share:.0%} {end}' for end, share in mix.items() if share)}). "
            f"{crowd.restaurants:,} restaurants and {crowd.customers:,} customers, by Zipf's law with exponent "
            f"{crowd.exponent:g}; {quotas.DRAWN:,} orders drawn.",
            "\n".join([_HEAD, "|---|---|---|---|---|---|---|---|", *rows]),
            f"{_MARK.strip()} not confirmed at AWS itself. `scripts/lab/quotas.toml`, {quotas.read_on():%d %B %Y}.",
            f"**Of the stack's own limits**, by parameters that are meant to break first: {_first(own)}.",
            f"**Of what AWS raises for who asks**, and orders need: {_first(_needed(raised))}.",
            f"**Of what nobody raises**: {_first(fixed)}; of those that orders need: {_first(_needed(fixed))}.",
            f"No execution has a history of more than {quotas.longest_history()} events, of "
            f"{quotas.quotas()['history']['limit']:,} that there may be.",
            "**To ask AWS for**, half as much again as is needed: " + ("; ".join(asked) or "nothing") + ".",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="How full AWS's quotas are at so many orders a second.")
    parser.add_argument("--rate", type=float, default=RATE, help="orders a second")
    parser.add_argument("--mix", help="shares of the ends: delivered=0.9,declined=0.1; by default that of `make cost`")
    parser.add_argument("--exponent", type=float, default=Crowd.exponent, help="of Zipf's law; 0 for all alike")
    parser.add_argument("--write", type=Path, help="the page whose tables are replaced")
    options = parser.parse_args(arguments)
    if options.rate <= 0 or options.exponent < 0:
        parser.error("a rate is more than 0, and an exponent 0 or more")
    if options.write and not options.write.is_file():
        parser.error(f"there is no page {options.write}")
    try:
        mix = quotas.mixed(options.mix) if options.mix else quotas.MIX
    except ValueError as error:
        parser.error(f"no mix: {error}")
    crowd = Crowd(exponent=options.exponent)
    told = text(options.rate, mix, crowd, quotas.gauges(pricing.deployed(), mix, crowd))
    Console(soft_wrap=True, highlight=False).print(told, markup=False)
    if options.write:
        measured.replace(options.write, COMMAND, told)
    return 0


def _needed(gauges: Sequence[Gauge]) -> list[Gauge]:
    return [gauge for gauge in gauges if _SPARES not in gauge.then]


def _row(gauge: Gauge, rate: float) -> str:
    what = f"{gauge.service} | {gauge.what}{'' if gauge.confirmed else _MARK}"
    amounts = f"{gauge.taken * rate:,.0f} | {gauge.limit:,.0f} | {gauge.full(rate):.0%}"
    return f"| {what} | {amounts} | {_rate(gauge.breaks_at)} | {_rate(gauge.breaks_elsewhere_at)} | {gauge.then} |"


def _rate(orders: float) -> str:
    return f"{orders:,.0f}" if orders >= 10 else f"{orders:.1f}"


def _first(gauges: Sequence[Gauge]) -> str:
    return f"{gauges[0].service}, {gauges[0].what}, at {_rate(gauges[0].breaks_at)} orders a second"


if __name__ == "__main__":
    sys.exit(main())
