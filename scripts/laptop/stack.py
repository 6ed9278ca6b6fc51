"""The stack on the laptop: start, deploy, talk to it, stop."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from . import deployment, functions, menus, private, web
from .changes import Deployment
from .clock import Clock
from .emulator import launcher, scratch
from .environment import REGION, ROOT, STATE_DIR, client, served_at
from .errors import AlreadyRunning, NotRunning
from .people import People
from .tap import BusTap

if TYPE_CHECKING:
    from rich.console import Console

_STATE = "stack.json"
AWS_ENV = "aws.env"
"""The file that lets AWS's own tools talk to the stack of `make up`; it goes with it."""
LANE = "TIFFIN_LANE"
"""Environment variable: what tells apart stacks of this folder that are up at once."""
Say = Callable[[str], None]
"""Tells how far a step has come."""
_SIGN_IN = re.compile(r"https://[a-z0-9-]+\.auth\.[a-z0-9-]+\.amazoncognito\.com")


class Stack:
    """A deployed stack on a running emulator. A context manager: leaving it stops the emulator.

    Attributes:
        outputs: the stack's outputs; URLs of APIs and of the sign-in pages lead to the emulator.
        access: where the emulator is, and the credentials that it takes.
        clock: how time passes for what begins now.
        endpoint: the emulator's base URL.
        people: who signs in here, by tokens that the stack's APIs take.
        region: the region that everything is deployed to.
    """

    region = REGION

    def __init__(
        self,
        process: launcher.Process,
        outputs: Mapping[str, str],
        emulator: launcher.Emulator | None,
        state_dir: Path,
        rate: float | None = None,
    ) -> None:
        self._process, self._emulator, self._state_dir = process, emulator, state_dir
        self.clock = Clock.read(Path(process.scratch))
        self._rate = rate or self.clock.rate
        self._taps: list[BusTap] = []
        self._clients: dict[tuple[str, str], Any] = {}
        self._one_makes = threading.Lock()
        self.access = process.access
        self.endpoint = self.access.endpoint
        self.outputs = self._reachable(outputs)
        self.people = People(self.access, self.outputs)

    def _reachable(self, outputs: Mapping[str, str]) -> dict[str, str]:
        return {name: reachable(value, self.endpoint) for name, value in outputs.items()}

    @classmethod
    def up(
        cls,
        console: "Console | None" = None,
        clock: float = 1.0,
        env: Mapping[str, str] | None = None,
        *,
        template: Path = ROOT / "template.yaml",
        parameters: Mapping[str, str] | None = None,
        stays: bool = False,
        state_dir: Path = STATE_DIR,
        lets_in: Iterable[str] = (),
    ) -> "Stack":
        """Start an emulator, build and deploy the template, and load the menus into the application's own.

        Args:
            console: shows the progress, if given.
            clock: how much faster time passes for Step Functions on a quiet machine; 2160 makes three hours of five
                seconds. On a busy one it is as much slower: see `keep_pace`.
            env: further environment of the emulator and its functions.
            template: the root template.
            parameters: template parameters besides `Runtime` and `Architecture`.
            stays: whether it shall outlive this process, and serve the console; `Stack.attach` finds it then.
            state_dir: where logs and state go.
            lets_in: hosts and origins that the emulator lets in besides its own; see `callers.Callers`.

        Raises:
            NoCaller: nobody is called what `lets_in` says.
            AlreadyRunning: it shall stay, and another does already.
            StartFailed, BuildFailed, DeployFailed: with the log's last lines. Nothing is left running.
        """
        if stays and (running := _running(state_dir)):
            raise AlreadyRunning(running[0].access.endpoint)
        # The one that stays has the emulator's usual address; others pass by it.
        port, log = (launcher.PREFERRED_PORT, "emulator.log") if stays else (0, foreground_log())
        is_tiffin = template == ROOT / "template.yaml"
        console_port = launcher.free_port(web.PREFERRED_PORT) if stays and is_tiffin else 0
        if console_port:
            env = {**(env or {}), web.PORT: str(console_port)}
            lets_in = [*lets_in, web.origin(console_port)]
            parameters = {**web.parameters(console_port), **(parameters or {})}
        emulator = launcher.Emulator(clock, env, state_dir, log, port, lets_in)
        try:
            with _step(console, "Starting the emulator"):
                process = emulator.start()
            outputs = deployment.deploy(
                process.access,
                template,
                parameters=parameters,
                state_dir=state_dir,
                progress=lambda text: _step(console, text),
            )
            if console_port:
                outputs[web.URL] = web.origin(console_port)
            stack = cls(process, outputs, emulator, state_dir, clock)
            if is_tiffin:
                stack._start_functions(console)
                with _step(console, "Loading the menus"):
                    menus.seed(stack)
            if console_port:
                web.configure(Path(process.scratch), stack.outputs)
            if stays:
                process.save(state_dir / _STATE, outputs)
                lines = [f"{name}={value}\n" for name, value in process.access.variables().items()]
                private.file(state_dir / AWS_ENV).write_text("".join(lines))
                emulator.let_stay()
        except BaseException:
            emulator.stop()
            raise
        return stack

    @classmethod
    def attach(cls, state_dir: Path = STATE_DIR) -> "Stack":
        """The stack that was started to stay.

        Raises:
            NotRunning: there is none.
        """
        running = _running(state_dir)
        if running is None:
            raise NotRunning
        return cls(*running, None, state_dir)

    def update(
        self,
        console: "Console | None" = None,
        *,
        template: Path = ROOT / "template.yaml",
        parameters: Mapping[str, str] | None = None,
        leave_out: str = "",
    ) -> list[str]:
        """Build the template as it is now, and deploy it over what is deployed. Orders go on meanwhile.

        Args:
            console: shows the progress, if given.
            template: the root template.
            parameters: as for `up`; one that is not given stays as it was.
            leave_out: the logical id of an application that goes, or stays away; all others come, or stay.

        Returns:
            What changed, a line each: resources by their path, parameters, menus.

        Raises:
            BuildFailed, DeployFailed: with the log's last lines; what was deployed still runs.
        """
        cloudformation = self.client("cloudformation")
        before = Deployment(cloudformation)
        outputs = deployment.deploy(
            self.access,
            template,
            parameters=parameters,
            state_dir=self._state_dir,
            progress=lambda text: _step(console, text),
            leave_out=leave_out,
        )
        former = self.outputs
        if web.URL in former:
            outputs[web.URL] = former[web.URL]
        self.outputs = self._reachable(outputs)
        if web.URL in former:
            web.configure(Path(self._process.scratch), self.outputs)
        if self.outputs.get("UserPoolId") != former.get("UserPoolId"):
            self.people.close()
            self.people = People(self.access, self.outputs)
        changed = Deployment(cloudformation).since(before)
        if changed:
            self._start_functions(console)
        if template == ROOT / "template.yaml":
            changed += self._load_new_menus(console)
        if (remembered := launcher.Process.load(self._state_dir / _STATE)) and remembered[0] == self._process:
            self._process.save(self._state_dir / _STATE, outputs)
        return changed

    def _start_functions(self, console: "Console | None") -> None:
        with _step(console, "Starting the functions") as say:
            functions.start(self.access, lambda ready, of: say(f"Starting the functions, {ready} of {of}"))

    def _load_new_menus(self, console: "Console | None") -> list[str]:
        """Load the menus that the stack does not have as they are."""
        new = menus.changed(self)
        if new:
            with _step(console, "Loading the menus"):
                for path in new:
                    menus.put(self, path)
        return [f"menu {path.stem}" for path in new]

    def keep_pace(self, rate: float | None = None) -> Clock:
        """Measure the machine again, and let time pass as fast as it can follow: called before each accelerated story.

        Executions that run already keep the clock that they began with.

        Args:
            rate: how much faster time passes from now on, on a quiet machine; by default, as before.
        """
        self._rate = rate or self._rate
        self.clock = self._process.keep_pace(self._rate)
        return self.clock

    def rate_now(self) -> float:
        """How much faster time passes for what begins now, whoever said so last; as it was, if nobody can say."""
        with suppress(OSError, ValueError):
            self.clock = Clock.read(Path(self._process.scratch))
        return self.clock.rate

    def alive(self) -> bool:
        """Whether its emulator is there: another process may have stopped it."""
        return self._process.alive()

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client that can only talk to this stack's emulator, the same for all who ask for it alike.

        Args:
            service: boto3's name of the service.
            config: settings of `botocore.config.Config`.
        """
        key = service, repr(sorted(config.items()))
        with self._one_makes:
            if key not in self._clients:
                self._clients[key] = client(service, self.access, **config)
            return self._clients[key]

    def tap(self, bus: str | None = None) -> BusTap:
        """Listen to every event on the custom bus from now on.

        Args:
            bus: another bus than the stack's.
        """
        tap = BusTap(self.client, bus or self.outputs["EventBusName"])
        self._taps.append(tap)
        return tap

    def stop(self) -> None:
        """End the emulator and all that belongs to it. Safe to repeat."""
        for tap in self._taps:
            tap.close()
        self._taps.clear()
        for made in self._clients.values():
            made.close()
        self.people.close()
        if self._emulator is not None:
            self._emulator.stop()
            self._emulator = None
        else:
            launcher.stop(self._process)
        remembered = launcher.Process.load(self._state_dir / _STATE)
        if remembered and remembered[0] == self._process:
            _forget(self._state_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def foreground_log() -> str:
    """Name of the log of an emulator that ends with its caller; each lane of tests side by side has its own."""
    return f"emulator-foreground{os.environ.get(LANE, '')}.log"


def reachable(value: str, endpoint: str) -> str:
    """An API's URL, or that of a user pool's pages, as the emulator serves it; every other value as it is.

    Source: MiniStack's documentation of Cognito; on AWS the pool's prefix is part of the host name. Here pages are told
    apart by the app client that is asked for.
    """
    return endpoint if _SIGN_IN.fullmatch(value) else served_at(value, endpoint)


def _running(state_dir: Path) -> tuple[launcher.Process, dict[str, str]] | None:
    remembered = launcher.Process.load(state_dir / _STATE)
    if remembered and not remembered[0].alive():
        # Killed from outside, so that nobody cleaned up after it.
        scratch.discard(Path(remembered[0].scratch))
        _forget(state_dir)
        return None
    return remembered if remembered and remembered[0].running() else None


def _forget(state_dir: Path) -> None:
    for name in (_STATE, AWS_ENV):
        (state_dir / name).unlink(missing_ok=True)


def _step(console: "Console | None", text: str) -> AbstractContextManager[Say]:
    return _shown(console, text) if console else _unseen()


@contextmanager
def _shown(console: "Console", text: str) -> Iterator[Say]:
    started, said = time.monotonic(), text

    def say(more: str) -> None:
        nonlocal said
        said = more
        status.update(f"{more} …")

    with console.status(f"{text} …") as status:
        yield say
    console.print(f"[green]✓[/green] {said} [dim]{time.monotonic() - started:.1f} s[/dim]", highlight=False)


@contextmanager
def _unseen() -> Iterator[Say]:
    yield lambda _: None
