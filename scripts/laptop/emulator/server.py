"""The emulator's own process: MiniStack with its gaps filled, behind a door. Started by `launcher`, never by hand.

It says that it listens by writing the file `listening` into its temporary directory, after the socket is bound: a
health check alone could be answered by somebody else's server on the same port.

It ends with whoever started it, however they end: the launcher holds the other end of the standard input, and end of
file means that it is gone, unless it said `stay` before. The whole process group ends then, the function workers too.
"""

import os
import runpy
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Run by path: a PYTHONPATH would reach the functions, which must see their layer and not these scripts.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

STAY = b"stay\n"
LISTENING = "listening"
# MiniStack keeps SIGTERM for a shutdown that waits for idle connections; nothing here is worth waiting for.
STOP = signal.SIGUSR1


def end() -> None:
    """Keep what is to be remembered, remove the temporary directory, and end the process group, this one included."""
    from laptop.emulator import scratch
    from laptop.record import hooks

    hooks.close()
    # A function that works may still write there. Whoever started this removes the rest, or the next start.
    scratch.remove(Path(os.environ["TMPDIR"]), tries=10)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def end_with_launcher() -> None:
    """Wait for the launcher's last word."""
    said = sys.stdin.buffer.readline()
    if said != STAY:
        end()


def announce_listening() -> None:
    """Write the file `listening` as soon as the socket is bound."""
    from hypercorn.config import Config

    bind = Config.create_sockets

    def create_sockets(self: Config) -> Any:
        sockets = bind(self)
        Path(os.environ["TMPDIR"], LISTENING).touch()
        return sockets

    Config.create_sockets = create_sockets  # type: ignore[method-assign]


def main() -> None:
    """Fill the gaps, hang the door and serve until told to stop."""
    from laptop import web
    from laptop.emulator import gaps, pacing, web_server
    from laptop.record import hooks

    threading.Thread(target=end_with_launcher, daemon=True).start()
    # In a thread: a handler runs in the midst of what may hold a lock.
    signal.signal(STOP, lambda *_: threading.Thread(target=end).start())
    announce_listening()
    sys.argv = ["ministack"]
    try:
        gaps.fill()
        pacing.fill()
        hooks.fill()
        if os.environ.get("TIFFIN_FAULTS"):
            from laptop.emulator import fault_points

            fault_points.fill()
        if os.environ.get("TIFFIN_METER"):
            from laptop.emulator import meter

            meter.fill()
        # The last: whatever the others wrap lies behind it, and it takes names that they change.
        from laptop.emulator import door

        door.fill()
        if port := os.environ.pop(web.PORT, ""):
            web_server.serve(int(port), Path(os.environ["TMPDIR"]))
        runpy.run_module("ministack", run_name="__main__")
    except (KeyboardInterrupt, SystemExit):
        pass
    except BaseException:
        # The end of the process group comes before the interpreter would say it.
        traceback.print_exc()
    finally:
        end()


if __name__ == "__main__":
    main()
