"""What tracing and metrics cost a warm request: `make bench-tracing`.

A warm `GET /orders/{order_id}` without the network (`lab.warmpath`). Modes take turns in rounds, each round a fresh
process, so that a noisy machine is noisy for all; figures are the medians over the rounds, in milliseconds of a
processor, and ratios to the mode with neither.
"""

import argparse
import os
import platform
import re
import statistics
import sys

from lab import warmpath

MODES = {
    "tracing and metrics": {},
    "metrics alone": {"POWERTOOLS_TRACE_DISABLED": "true"},
    "tracing alone": {"POWERTOOLS_METRICS_DISABLED": "true"},
    "neither": {"POWERTOOLS_TRACE_DISABLED": "true", "POWERTOOLS_METRICS_DISABLED": "true"},
}
REQUEST = "GET /orders/{id}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="What tracing and metrics cost a warm request.")
    parser.add_argument("--rounds", type=int, default=7, help="fresh processes of each mode")
    parser.add_argument("--requests", type=int, default=300, help="requests in each")
    options = parser.parse_args(arguments)
    medians: dict[str, list[float]] = {mode: [] for mode in MODES}
    for _ in range(options.rounds):
        for mode, more in MODES.items():
            [row] = warmpath.measure(options.requests, re.escape(REQUEST), environment=more)
            medians[mode].append(row.p50)
    base = statistics.median(medians["neither"])
    print(f"{REQUEST}, warm, no network; {options.rounds} rounds of {options.requests} requests each;")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores. Medians of medians.")
    for mode, values in medians.items():
        middle = statistics.median(values)
        print(f"{mode:<22} {middle:6.2f} ms  x{middle / base:.2f}  (rounds {min(values):.2f} to {max(values):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
