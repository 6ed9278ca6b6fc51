"""What `make down` runs: stop the stack that `make up` started, with all that belongs to it."""

import sys

from lab import crowd_process
from laptop import NotRunning, Stack


def main() -> int:
    """Run the command line; returns the exit status."""
    crowd_process.stop()
    try:
        stack = Stack.attach()
    except NotRunning:
        print("Nothing is running.")
        return 0
    stack.stop()
    print(f"Stopped what ran on {stack.endpoint}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
