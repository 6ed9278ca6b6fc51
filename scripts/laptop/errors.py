"""What can go wrong on the laptop, each with what a person needs in order to act."""

from collections.abc import Sequence


class EmulatorError(Exception):
    """Root of every error of the laptop's tooling."""


class NotLoopback(EmulatorError):
    """An endpoint was not this machine: nothing here may ever reach a real AWS account."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"{endpoint!r} is not a loopback address; the emulator's tools talk to 127.0.0.1 only.")
        self.endpoint = endpoint


class NoCaller(EmulatorError):
    """Somebody to let in was named in a way that names nobody, or everybody."""

    def __init__(self, entry: str) -> None:
        super().__init__(
            f"{entry!r} can not be let in: name a host (host.docker.internal) or an origin (http://127.0.0.1:5173)."
        )
        self.entry = entry


class NotRunning(EmulatorError):
    """No stack is up that could be attached to."""

    def __init__(self) -> None:
        super().__init__("No stack is running here. Start one with: make up")


class AlreadyRunning(EmulatorError):
    """A stack was started to stay, and one is there already.

    Attributes:
        endpoint: where it listens.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"A stack is already running on {endpoint}. Stop it with: make down")
        self.endpoint = endpoint


class _WithTail(EmulatorError):
    """An error that shows the last lines of what the failed program said."""

    def __init__(self, message: str, tail: Sequence[str] = (), log: str | None = None) -> None:
        self.tail = "\n".join(tail)
        self.log = log
        parts = [message, self.tail, f"All of it: {log}" if log else ""]
        super().__init__("\n".join(part for part in parts if part))


class StartFailed(_WithTail):
    """The emulator did not come up."""


class BuildFailed(_WithTail):
    """`sam build` failed."""


class DeployFailed(_WithTail):
    """`sam deploy` failed."""


class MenuNotTaken(EmulatorError):
    """A menu was put into the bucket, or was about to be, and is none; the message says where and why."""


class NotInTime(EmulatorError):
    """Something that was waited for did not happen, though the machine had the time for it."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} did not happen within {seconds:g} s")


class NotSignedIn(EmulatorError):
    """Somebody was not signed in; the message says why."""


class EventNotSeen(EmulatorError):
    """No event that was waited for arrived on the bus in time."""

    def __init__(self, timeout: float, seen: Sequence[str]) -> None:
        super().__init__(f"No matching event within {timeout:g} s. Seen on the bus: {', '.join(seen) or 'nothing'}")
