"""What `make model` runs: train a model for estimates on simulated orders, and write its file.

    python scripts/train_estimates.py [--size 100MB] [--orders 20000] [--seed 1] [--to build/estimates.safetensors]

Then `aws s3 cp build/estimates.safetensors s3://<ModelsBucketName>/estimates.safetensors` puts it in force. The file is
padded to the size that is asked for: what it shows is how a large one is handled, and no better estimates.
"""

import argparse
import re
import sys
from pathlib import Path

from laptop.environment import ROOT
from learning.simulated import NOISE, orders
from learning.training import TooSmall, learn, missed_by, write

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def octets(text: str) -> int:
    """A size as people write it: `100MB`, `2GB`, `4096`."""
    match = re.fullmatch(r"([0-9]+) ?(|KB|MB|GB)", text.upper())
    if not match:
        raise argparse.ArgumentTypeError("a number, or one with KB, MB or GB")
    return int(match[1]) * _UNITS[match[2]]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Train a model for estimates on simulated orders.")
    parser.add_argument("--size", type=octets, help="how large the file shall be, such as 100MB; by default a few KB")
    parser.add_argument("--orders", type=int, default=20_000, help="how many simulated orders")
    parser.add_argument("--seed", type=int, default=1, help="the same orders for the same seed")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "estimates.safetensors", help="where the file goes")
    options = parser.parse_args(arguments)
    options.to.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(options.to, learn(orders(options.orders, options.seed)), options.size, options.seed)
    except TooSmall as error:
        print(f"--size: {error}", file=sys.stderr)
        return 1
    missed = missed_by(options.to, orders(2000, options.seed + 1))
    print(f"{options.to}: {options.to.stat().st_size:,} octets, learnt from {options.orders:,} orders.")
    print(f"Other orders it misses by {missed:.1f} minutes on average; the noise alone would be {NOISE * 0.798:.1f}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
