"""What `make load` runs: orders at a rate, by people who sign in, on an emulator of its own or on a named stack.

    .venv/bin/python scripts/load.py                                  faster and faster, until this machine is full
    .venv/bin/python scripts/load.py --rate 3 --duration 2m           at one rate
    .venv/bin/python scripts/load.py --rate 3 --stack NAME [--region NAME] [--profile NAME]     on AWS

Live figures, then latency by step, errors, and what must hold of every order (`scripts/lab/rush.py`). Without a stack's
name nothing leaves this machine. On AWS only a stack for tests is taken, and what was made for it is removed.
"""

# isort: off
import locust  # first: it lets whatever opens a connection after it wait without keeping a thread

# isort: on
import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from lab.rush import Rush, Witness, verdicts
from lab.watching import Watch, busy, growth, longest_wait
from laptop import EmulatorError, Stack, measured
from locust.env import Environment
from operations import deployed, scenarios
from operations.deployed import Deployed
from operations.trouble import TROUBLE, plain
from operations.visiting import Visit
from rich.console import Console
from rich.markup import escape

LOAD, SOAK = "make load", "make soak"
RAMP = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
MOST_ORDERS, MOST_SECONDS = 20_000, 7_200.0
STORY_SECONDS = 8.0
"""As long as an order may take of its people's time before the next one comes late."""
_LET_THROUGH = dict.fromkeys(("RequestsPerSecond", "RequestsBurst", "OrdersPerSecond", "OrdersBurst"), "10000")
_EACH, _STEP = 5.0, "20s"


@dataclass(frozen=True)
class Step:
    """What came of one rate.

    Attributes:
        rate: orders a second that were to come.
        begun: that did.
        seconds: for how long.
        environment: the steps' figures.
        watch: what became of the stack.
        why: it did not keep up; empty, if it did.
    """

    rate: float
    begun: float
    seconds: float
    environment: Environment
    watch: Watch
    why: str


def run(rush: Rush, stack: Deployed, rate: float, seconds: float, emulator: int | None, console: Console) -> Step:
    """Let orders come at a rate for a while, and all that have begun come to an end."""
    environment = Environment(stop_timeout=120)
    watch = Watch(stack, emulator)

    heard: Any = environment.events.request

    def told(step: str, milliseconds: float, wrong: str = "") -> None:
        failed = Exception(wrong) if wrong else None
        heard.fire(
            request_type="", name=step, response_time=milliseconds, response_length=0, exception=failed, context={}
        )

    rush.told = told
    people = ceil(rate * STORY_SECONDS)

    class Person(locust.User):
        wait_time = locust.constant_pacing(people / rate)

        @locust.task
        def order(self) -> None:
            rush.one()

    environment.user_classes = [Person]
    runner = environment.create_local_runner()
    began, first = time.monotonic(), rush.begun
    runner.start(people, spawn_rate=rate)
    watch.look()
    while (passed := time.monotonic() - began) < seconds:
        time.sleep(min(_EACH, seconds - passed))
        _say(console, rush, first, time.monotonic() - began, environment, watch)
    begun = (rush.begun - first) / (time.monotonic() - began)
    runner.stop()
    environment.runner = None
    return Step(rate, begun, seconds, environment, watch, _why(rate, begun, environment, watch))


def _say(console: Console, rush: Rush, first: int, passed: float, environment: Environment, watch: Watch) -> None:
    seen, total = watch.look(), environment.stats.total
    p50, p95, _ = _percentiles(total)
    console.print(
        f"{passed:6.0f} s  {(rush.begun - first) / passed:5.1f} orders/s begun, {rush.done} done, {seen.open_orders} "
        f"open  [dim]requests p50 {p50} ms, p95 {p95} ms, {total.num_failures} errors, {seen.waiting} messages wait, "
        f"{seen.emulator + seen.functions:.0f} MB[/dim]"
    )


def _why(rate: float, begun: float, environment: Environment, watch: Watch) -> str:
    """Why it did not keep up; empty, if it did."""
    if begun >= 0.9 * rate:
        return ""
    throttled = sum(error.occurrences for error in environment.stats.errors.values() if "429" in str(error.error))
    if throttled > 0.01 * environment.stats.total.num_requests:
        return "the stack's own throttle: 429"
    emulator, functions, here, others = busy(watch.samples)
    cores = os.cpu_count() or 1
    shares = f"the emulator has {emulator:.1f}, its functions {functions:.1f}, the load {here:.1f}, others {others:.1f}"
    if emulator + functions + here + others > 0.85 * cores:
        return f"this machine's {cores} processors are busy: {shares}"
    if emulator > 0.85:
        return f"the emulator is one process, and has {emulator:.2f} of a processor"
    slowest = max(environment.stats.entries.values(), key=lambda entry: entry.avg_response_time)
    return f"not the processors, of which {shares}; the slowest step is {slowest.name}"


def _percentiles(entry: Any) -> list[str]:
    """p50, p95, p99 in milliseconds; of nothing, nothing."""
    return [f"{entry.get_response_time_percentile(share) or 0:.0f}" for share in (0.5, 0.95, 0.99)]


def rates(steps: Sequence[Step]) -> str:
    """What came of each rate."""
    rows = []
    for step in steps:
        placed = step.environment.stats.get("POST orders", "")
        total = step.environment.stats.total
        cells = [
            f"{step.rate:g}",
            f"{step.begun:.1f}",
            *_percentiles(placed),
            *_percentiles(total),
            f"{total.fail_ratio:.1%}",
        ]
        rows.append(f"| {' | '.join(cells)} | {step.why or 'it kept up'} |")
    head = "| orders/s, to come | begun | placed, ms p50 | p95 | p99 | all requests, p50 | p95 | p99 | errors | |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|---|", *rows])


def latencies(step: Step) -> str:
    """Latency by step of the stories."""
    rows = [
        f"| {entry.name} | {entry.num_requests} | {' | '.join(_percentiles(entry))} | {entry.num_failures} |"
        for entry in sorted(step.environment.stats.entries.values(), key=lambda entry: entry.name)
    ]
    return "\n".join(["| step | times | ms, p50 | p95 | p99 | errors |", "|---|---|---|---|---|---|", *rows])


def grown(step: Step) -> str:
    """What grew, from the middle of the time to its end."""
    samples = step.watch.samples
    rows = [
        f"| {name} | {values[0]:.0f} | {max(values):.0f} | {values[-1]:.0f} | {growth(values):+.1f} |"
        for name, values in (
            ("open orders", [float(s.open_orders) for s in samples]),
            ("messages that wait", [float(s.waiting) for s in samples]),
            ("dead letters", [float(s.dead) for s in samples]),
            ("memory of the functions, MB", [s.functions for s in samples]),
            ("memory of the emulator, which holds all data, MB", [s.emulator for s in samples]),
        )
        if any(values) or "memory" not in name
    ]
    wait = longest_wait(samples)
    return "\n".join(
        [
            "| | at first | most | at last | last third against the second |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"There was never something in the queues for longer than {wait:.0f} s, at a look each {_EACH:.0f} s.",
        ]
    )


def report(steps: Sequence[Step], rush: Rush, wrong: dict[str, dict[str, str]]) -> str:
    """Everything, as a page has it."""
    last = steps[-1]
    invariants = "; ".join(f"{order}: {verdict}" for order, verdict in list(wrong.items())[:5])
    given_up = ", ".join(f"{count} {what}" for what, count in rush.wrong.most_common(8))
    parts = [
        f"{measured.where()}, {last.seconds:.0f} seconds for each rate.",
        rates(steps),
        f"By step, at {last.rate:g} orders a second:",
        latencies(last),
        grown(last),
        f"**{len(rush.cases)} orders were judged** by I1, I2, I3, I5 and I6: "
        + (f"{len(wrong)} are wrong: {invariants}" if wrong else "all is as it must be")
        + f". Stories that their people gave up: {given_up or 'none'}.",
    ]
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _options(arguments)
    console = Console(soft_wrap=True, highlight=False)
    try:
        with (
            _there(options, console) as (stack, visit, emulator),
            closing(Witness(stack.client, stack.outputs)) as witness,
        ):
            rush = Rush(visit)
            rush.prepare()
            steps: list[Step] = []
            for rate in [options.rate] if options.rate else RAMP:
                console.print(f"[bold]{rate:g} orders a second, for {options.duration:.0f} s[/bold]")
                steps.append(run(rush, stack, rate, options.duration, emulator, console))
                if steps[-1].why:
                    console.print(f"It does not keep up: {steps[-1].why}")
                    break
            console.print(f"{len(rush.cases)} orders are judged …")
            wrong = verdicts(witness, rush.cases)
    except (EmulatorError, scenarios.RealMoney, *TROUBLE) as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}")
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left running.")
        return 130
    text = report(steps, rush, wrong)
    console.print(text, markup=False)
    if options.write:
        measured.replace(options.write, SOAK if options.soak else LOAD, text)
    return 1 if wrong or visit.left else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Let orders come at a rate, and see what comes of them.")
    deployed.add_options(parser)
    parser.add_argument("--rate", type=float, help="orders a second; by default more and more, until it is too much")
    parser.add_argument("--duration", type=_seconds, default=_STEP, help="of each rate: 90s, 30m, 1h")
    parser.add_argument("--soak", action="store_true", help="the figures are those of a soak")
    parser.add_argument("--write", type=Path, help="the page whose tables are replaced")
    options = parser.parse_args(arguments)
    if options.rate is not None and options.rate <= 0:
        parser.error("a rate is more than 0")
    if options.duration > MOST_SECONDS:
        parser.error(f"at most {MOST_SECONDS:.0f} seconds")
    orders = options.duration * (options.rate or sum(RAMP))
    if orders > MOST_ORDERS:
        parser.error(f"that is {orders:.0f} orders, and {MOST_ORDERS} are the most")
    if deployed.on_aws(options) and not options.rate:
        parser.error("say how many orders a second: --rate (RATE=)")
    if options.write and not options.write.is_file():
        parser.error(f"there is no page {options.write}")
    return options


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not match or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 30m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


@contextmanager
def _there(options: argparse.Namespace, console: Console) -> Iterator[tuple[Deployed, Visit, int | None]]:
    """The stack that is named, with a visit that is removed; or one of this machine, which goes as a whole."""
    if deployed.on_aws(options):
        named = deployed.reach(options)
        scenarios.must_be_for_tests(named)
        with Visit(named, "load") as visit:
            yield named, visit, None
        for left in visit.left:
            console.print(f"[red]✗[/red] still there: {escape(left)}")
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack.up(console, parameters=_LET_THROUGH, state_dir=Path(folder)) as stack,
    ):
        own = Deployed(stack.client, stack.outputs)
        visit = Visit(own, "load")
        with closing(visit.client):
            process: Any = stack._process
            yield own, visit, int(process.pid)


if __name__ == "__main__":
    sys.exit(main())
