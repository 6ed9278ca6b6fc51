"""Start and stop the emulator's process, so that nothing of it ever remains."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .. import callers, pace, private
from ..clock import Clock, paced
from ..environment import HOST, REGION, STATE_DIR, Access, environment
from ..errors import StartFailed
from ..record import store
from . import scratch, server

PREFERRED_PORT = 4566
_START_SECONDS = 60.0
_POLITE_SECONDS = 5.0
_DEATH_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """A running emulator, as it is remembered between `make up` and `make down`.

    Attributes:
        pid: its process, which leads a process group of its own.
        port: where it listens, on 127.0.0.1.
        scratch: its temporary directory, function code included.
        log: its log file.
        access_key_id, secret_access_key: the credentials that it takes.
    """

    pid: int
    port: int
    scratch: str
    log: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def access(self) -> Access:
        """Where it is, and what it takes."""
        return Access(f"http://{HOST}:{self.port}", self.access_key_id, self.secret_access_key)

    def running(self) -> bool:
        """Whether this very process is alive and answers."""
        return self.alive() and _answers(self.access.endpoint)

    def alive(self) -> bool:
        """Whether this very process is there: its number may have been given to another since."""
        listed = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(self.pid)], capture_output=True, text=True, check=False
        )
        return f"{server.__file__} {self.scratch}" in listed.stdout

    def keep_pace(self, rate: float) -> Clock:
        """Measure the machine, and let time pass as fast as it can follow, for all that begins from now on.

        Args:
            rate: how much faster it shall pass on a quiet machine.
        """
        clock = paced(rate, pace.measure())
        clock.write(Path(self.scratch))
        return clock

    def save(self, path: Path, outputs: Mapping[str, str]) -> None:
        """Remember it, whole or not at all."""
        private.folder(path.parent)
        draft = private.file(path.with_suffix(".new"))
        draft.write_text(json.dumps({**asdict(self), "outputs": dict(outputs)}, indent=2) + "\n")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> tuple["Process", dict[str, str]] | None:
        """What was remembered, or None."""
        try:
            state = json.loads(path.read_text())
            outputs = state.pop("outputs")
            return cls(**state), outputs
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


class Emulator:
    """One emulator process.

    Args:
        clock: how much faster time passes for Step Functions on a quiet machine: 2160 makes three hours of five
            seconds. On a busy one, which is measured at the start, it is as much slower.
        env: further environment of the process, such as an X-Ray daemon's address; function workers inherit it.
        state_dir: where the log goes.
        log_name: name of the log file in it.
        port: which port to take if it is free; any free one by default.
        lets_in: hosts and origins that it lets in besides its own, and besides those that the variable `TIFFIN_LETS_IN`
            of this process names; see `callers.Callers`.

    Raises:
        NoCaller: nobody is called so.
    """

    def __init__(
        self,
        clock: float = 1.0,
        env: Mapping[str, str] | None = None,
        state_dir: Path = STATE_DIR,
        log_name: str = "emulator.log",
        port: int = 0,
        lets_in: Iterable[str] = (),
    ) -> None:
        self._rate, self._env, self._state_dir, self._port = clock, dict(env or {}), state_dir, port
        self._log = state_dir / log_name
        self._lets_in = [*callers.named(os.environ.get(callers.LETS_IN, "")), *lets_in]
        callers.Callers(port, self._lets_in)
        self._popen: subprocess.Popen[bytes] | None = None
        self.process: Process | None = None

    def start(self) -> Process:
        """Start it and wait until it answers.

        Raises:
            StartFailed: it ended, or did not answer in time. Nothing of it is left.
        """
        for port in (self._port, 0, 0):
            try:
                return self._start(free_port(port))
            except StartFailed as failed:
                # Between the look for a free port and the emulator's own bind, somebody else may take it.
                if "already in use" not in failed.tail:
                    raise
        raise StartFailed("Every port that was free a moment ago is taken.")

    def _start(self, port: int) -> Process:
        private.folder(self._state_dir)
        access = Access.new(port)
        scratch.sweep()
        folder, held = scratch.make()
        try:
            # A new file: another emulator may still write to the old one.
            self._log.unlink(missing_ok=True)
            paced(self._rate, pace.measure()).write(folder)
            with private.file(self._log).open("wb") as log:
                self._popen = subprocess.Popen(
                    # Its directory tells its command line apart from every other's.
                    [sys.executable, server.__file__, str(folder)],
                    cwd=folder,
                    env=self._environment(access, port, folder),
                    # It holds its directory as long as it lives.
                    pass_fds=[held],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self.process = Process(
                self._popen.pid, port, str(folder), str(self._log), access.access_key_id, access.secret_access_key
            )
            self._wait_until_up(self.process)
        except BaseException:
            self.stop()
            scratch.remove(folder)
            raise
        finally:
            os.close(held)
        return self.process

    def let_stay(self) -> None:
        """Let it outlive this process."""
        if self._popen and self._popen.stdin:
            self._popen.stdin.write(server.STAY)
            self._popen.stdin.close()

    def stop(self) -> None:
        """End it with all its function workers, and remove what it left on disk. Safe to repeat."""
        if self._popen is None or self.process is None:
            return
        stop(self.process, self._popen)
        if self._popen.stdin:
            self._popen.stdin.close()
        self._popen = None

    def _environment(self, access: Access, port: int, folder: Path) -> dict[str, str]:
        return {
            **environment(access, self._state_dir),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(folder),
            # Where MiniStack keeps the keys that sign tokens; else in a folder of /tmp, for all to read and for good.
            "STATE_DIR": str(folder / "state"),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            # Listeners of services that nobody here uses, on ports of their own.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            scratch.LAYERS: str(self._state_dir.resolve() / "layers"),
            store.PATH_ENV: str(self._state_dir / store.FILE),
            callers.LETS_IN: ",".join(self._lets_in),
            # Functions run with the permissions of their roles, and with no others.
            "AUTH": "true",
            **self._env,
        }

    def _wait_until_up(self, process: Process) -> None:
        deadline = pace.Deadline(_START_SECONDS)
        listening = Path(process.scratch, server.LISTENING)
        while not deadline.passed():
            if self._popen and (code := self._popen.poll()) is not None:
                raise StartFailed(f"The emulator ended with {code}.", tail(self._log), str(self._log))
            if listening.exists() and _answers(process.access.endpoint):
                return
            time.sleep(0.05)
        raise StartFailed(f"The emulator did not answer within {_START_SECONDS:g} s.", tail(self._log), str(self._log))


def stop(process: Process, popen: "subprocess.Popen[bytes] | None" = None) -> None:
    """End an emulator with its whole process group, and remove its temporary directory.

    Args:
        process: the emulator.
        popen: the handle, if it is a child of this process; it is reaped then.
    """
    deadline = pace.Deadline(_POLITE_SECONDS)
    alive = process.alive()
    if alive:
        os.kill(process.pid, server.STOP)
        while _group_exists(process.pid) and not deadline.passed():
            if popen is not None:
                popen.poll()
            time.sleep(0.02)
    # The number of a process that is gone may be another's by now, but not that of a child that nobody has waited for.
    if (alive or popen is not None) and _group_exists(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    if popen is not None:
        popen.wait()
    deadline = pace.Deadline(_DEATH_SECONDS)
    while _group_exists(process.pid) and not deadline.passed():
        time.sleep(0.02)
    scratch.discard(Path(process.scratch))


def free_port(preferred: int = 0) -> int:
    """The preferred port if nobody has it, otherwise any free one.

    Raises:
        StartFailed: there is none.
    """
    for candidate in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                # Without SO_REUSEADDR an address in TIME_WAIT counts as taken; with it a listening one still does.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StartFailed("No free port on 127.0.0.1.")


def tail(path: Path, lines: int = 25) -> list[str]:
    """The last lines of a text file; none if it is not there."""
    try:
        with path.open(errors="replace") as text:
            return [line.rstrip() for line in deque(text, maxlen=lines)]
    except OSError:
        return []


def _answers(endpoint: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint}/_ministack/health", timeout=pace.patience(2)) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS says so of a group that holds nothing but zombies.
        return False
    return True
