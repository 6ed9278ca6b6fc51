"""Ask both REST APIs at random: what their OpenAPI documents allow, what they do not, and one answer after another.

    python scripts/fuzz.py [--cases N] [--seed N]

The functions are called in one process, over tables of moto's: nothing is started, and whatever would leave this
machine is refused (`tests/unit/conftest.py`). The work is that of `tests/unit/test_fuzz.py`, which asks less. The exit
status is 1 if an answer is not as the document says.
"""

import argparse
import os
import subprocess
import sys

from laptop.environment import ROOT


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Ask both REST APIs at random, and check every answer.")
    parser.add_argument("--cases", type=int, default=3000, help="how many requests, about")
    parser.add_argument("--seed", type=int, default=1, help="the same requests for the same seed")
    options = parser.parse_args(arguments)
    chosen = {"CASES": str(options.cases), "SEED": str(options.seed)}
    tests = [sys.executable, "-m", "pytest", "--show-capture=no", "tests/unit/test_fuzz.py"]
    return subprocess.run(tests, cwd=ROOT, env={**os.environ, **chosen}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
