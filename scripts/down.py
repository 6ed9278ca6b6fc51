"""What `make down` runs: stop the stack that `make up` started, with all that belongs to it."""

import sys

from laptop import NotRunning, Stack


def main() -> int:
    """Run the command line; returns the exit status."""
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
