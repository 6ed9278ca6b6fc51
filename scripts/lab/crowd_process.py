"""The crowd's process beside the stack of `make up`: started once, found again, sent home, and gone with the stack.

A lock says that there is one: of the file `crowd.pid`. The process inherits it, and the kernel lets it go with that.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from laptop import NotRunning, Stack, private
from laptop.environment import STATE_DIR, environment, loopback
from laptop.pace import Deadline

PID, LOG = "crowd.pid", "crowd.log"
_POLITE_SECONDS = 5.0
_LOOK = 10.0
_APIS = ("ApiUrl", "PromotionsApiUrl", "SignInUrl")


def start(state_dir: Path = STATE_DIR, *options: str) -> bool:
    """Let a crowd come to the stack that was started to stay, unless one is there.

    Args:
        state_dir: the stack's.
        options: of the process's command line, for tests.

    Returns:
        Whether one came by this call.

    Raises:
        NotRunning: there is no stack.
        NotLoopback: it is none of this machine.
    """
    stack = Stack.attach(state_dir)
    with closing(stack.people), _held(state_dir) as held:
        if held is None:
            return False
        must_be_here(stack)
        with private.file(state_dir / LOG).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, __file__, str(state_dir), *options],
                cwd=state_dir,
                env=environment(stack.access, state_dir) | {"PYTHONUNBUFFERED": "1"},
                pass_fds=[held],  # the lock, with it
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.pwrite(held, f"{process.pid}\n".encode(), 0)
        # Nobody waits for it: it outlives this process, and init does.
        process.returncode = 0
    return True


def stop(state_dir: Path = STATE_DIR) -> bool:
    """Send the crowd home: its orders stay where they are.

    Args:
        state_dir: the stack's.

    Returns:
        Whether there was one.
    """
    path = state_dir / PID
    if not path.exists():
        return False
    deadline, was_there = Deadline(_POLITE_SECONDS), False
    while True:
        with _held(state_dir) as held:
            if held is not None:
                return was_there
        was_there = True
        # Whoever holds the lock is who the file names, and nobody who got its number since.
        with suppress(ValueError, ProcessLookupError):
            os.kill(int(path.read_text()), signal.SIGKILL if deadline.passed() else signal.SIGTERM)
        time.sleep(0.05)


def must_be_here(stack: Stack) -> None:
    """See that nothing that the crowd asks is on another machine.

    Args:
        stack: where it goes.

    Raises:
        NotLoopback: something is.
    """
    for name in _APIS:
        loopback(stack.outputs[name])


@contextmanager
def _held(state_dir: Path) -> Iterator[int | None]:
    """Hold the lock, if nobody does: its descriptor. Whoever inherits that goes on holding it."""
    descriptor = os.open(private.file(state_dir / PID), os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Of one that is gone.
        os.ftruncate(descriptor, 0)
        yield descriptor
    except BlockingIOError:
        yield None
    finally:
        os.close(descriptor)


def main(arguments: list[str] | None = None) -> int:
    """Be the process; returns the exit status."""
    from laptop.client import Client

    from lab.crowd import EVERY, MOST_HOURS, MOST_ORDERS, Crowd, Unanswered

    parser = argparse.ArgumentParser(description="The crowd of `make up CROWD=1`, which starts it.")
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between two orders")
    parser.add_argument("--pace", type=float, default=1.0, help="how much faster its people are")
    parser.add_argument("--orders", type=int, default=MOST_ORDERS)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        stack = Stack.attach(options.state_dir)
    except NotRunning:
        _say("There is no stack.")
        return 1
    must_be_here(stack)
    with closing(stack.people), closing(Client(stack.outputs, stack.people)) as client:
        crowd = Crowd(client, _say, stack.rate_now, every=options.every, pace=options.pace, orders=options.orders)
        over = time.monotonic() + MOST_HOURS * 3600
        look = 0.0
        try:
            while not crowd.over and time.monotonic() < over:
                if look <= time.monotonic():
                    look = time.monotonic() + _LOOK
                    if not stack.alive():
                        _say("The stack has gone.")
                        return 0
                time.sleep(min(1.0, crowd.turn()))
        except Unanswered:
            _say("Nobody answers any more.")
            return 1
    _say(f"{crowd.begun} orders, and that is enough.")
    return 0


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
