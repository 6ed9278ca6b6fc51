"""The functions of the laptop's running stack in Lambda's own containers, by `sam local`, on the stack's own resources.

The templates stay as they are. `sam local` sets only variables that a template declares (SAM developer guide, "sam
local invoke", `--env-vars`), so what is built of them, in a folder of its own, declares a few more: where AWS is, the
way there (`laptop.proxy`), and credentials. These are a session of the function's role, as on AWS.
"""

import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import docker
import httpx
import yaml
from docker.errors import DockerException
from laptop import BuildFailed, EmulatorError, Stack, deployment, pace, private
from laptop.emulator.launcher import tail
from laptop.environment import HOST, ROOT, STATE_DIR, architecture, runtime, sam_environment
from laptop.people import People
from laptop.proxy import Proxy

from .container_names import spoken
from .deployed import Deployed

SAMPLES = ROOT / "events" / "invocations"
# Where the engine is, if it is not where engines are (Docker's reference, "Use the Docker command line": environment
# variables).
_ENGINE = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "XDG_RUNTIME_DIR")
# The way out of Docker's virtual machine to this one (Docker Desktop's manual, "Networking").
_DESKTOP = "host.docker.internal"
# Lower case counts before upper case, and both before what Docker's own configuration says for all containers.
_WAY = ("http_proxy", "no_proxy")
_DEBUGGER = Path(__file__).with_name("debugger.txt")
# Where SAM puts what `--debugger-path` names.
_MOUNTED = "/tmp/lambci_debug_files"  # noqa: S108
_DECLARED = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", *_WAY)
_SESSION_SECONDS = 12 * 3600
_REPORT = re.compile(r"REPORT RequestId: [^\n]*?(?:Init Duration: ([\d.]+) ms\s+)?Duration: ([\d.]+) ms\s+Billed")
# The first by name needs what is not there yet, an order or an estimate, or leaves a dead letter; these do neither.
_FIRST = {
    "OrdersApiFunction": "place-order",
    "EstimatesApiFunction": "openapi",
    "KitchensConsumerFunction": "prepared",
    "LiveGateFunction": "disconnect",
}


class NoEngine(EmulatorError):
    """There is no Docker engine that containers could run on."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"`sam local` needs a Docker engine, and none answers: {reason}. Start Docker, and try again.")
        self.reason = reason


class NoWay(EmulatorError):
    """Containers of this engine cannot be given a way to the emulator."""

    def __init__(self, address: str, problem: OSError) -> None:
        super().__init__(
            f"Containers would reach this machine at {address}, and nothing can listen there: {problem}. "
            "An engine in another machine or without root (rootless) has no bridge here; see docs/sam-local.md."
        )


class DidNotStart(EmulatorError):
    """A `sam local` that was to stay ended, or never answered."""

    def __init__(self, command: str, said: Sequence[str], log: Path) -> None:
        super().__init__("\n".join([f"`sam local {command}` did not start.", *said, f"All of it: {log}"]))


class NoSample(EmulatorError):
    """No sample invocation has this name."""

    def __init__(self, function: str, wanted: str, known: Sequence[str]) -> None:
        super().__init__(f"{function} has no sample {wanted!r}; it has {', '.join(known) or 'none'}.")


@dataclass(frozen=True)
class Call:
    """One invocation.

    Attributes:
        answer: what the function returned; None, too, if it returned nothing.
        milliseconds: how long it took, INIT and the handler, as Lambda's own REPORT line says: not how long SAM took to
            start a container, nor how long it waited for its log. None if there is no such line.
        failure: why it is not what it should be; empty if it is.
    """

    answer: Any
    milliseconds: float | None
    failure: str

    @classmethod
    def of(cls, text: str, said: str) -> "Call":
        """The invocation that was answered with this text, while the container said that."""
        report = _REPORT.search(said)
        milliseconds = sum(float(each or 0) for each in report.groups()) if report else None
        try:
            answer = json.loads(text)
        except ValueError:
            return cls(None, milliseconds, f"no answer: {text.strip()[:200] or 'nothing at all'}")
        return cls(answer, milliseconds, failure(answer))


def engine() -> Any:
    """A client of the Docker engine that `sam local` would use.

    Raises:
        NoEngine: there is none, or it does not answer.
    """
    try:
        client: Any = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        raise NoEngine(re.sub(r"\s+", " ", str(error))) from error
    return client


def base_image() -> str:
    """The image of Lambda's runtime that this machine's interpreter is (SAM's name for it)."""
    return f"public.ecr.aws/lambda/python:{runtime().removeprefix('python')}-{architecture()}"


def samples(function: str) -> dict[str, Path]:
    """The sample invocations of a function, by what happens in them, the one to begin with first.

    Args:
        function: its path in the stack, such as `Orders/ApiFunction`.
    """
    application, _, name = spoken(function).rpartition("/")
    name = name if name.startswith(application) else application + name
    found = {path.stem.removeprefix(f"{name}-"): path for path in SAMPLES.glob(f"{name}-*.json")}
    return {what: found[what] for what in sorted(found, key=lambda what: (what != _FIRST.get(name), what))}


def failure(answer: Any) -> str:
    """Why a function's answer is not a good one; empty if it is.

    Args:
        answer: any function's: an API's response, a consumer's partial batch response, a result, an error.
    """
    if not isinstance(answer, dict):
        return ""
    if "errorType" in answer:
        return f"{answer['errorType']}: {answer.get('errorMessage', '')}"
    if answer.get("statusCode", 200) >= 400:
        return f"{answer['statusCode']}: {answer.get('body')}"
    if answer.get("batchItemFailures"):
        return f"not taken: {answer['batchItemFailures']}"
    return ""


def broke(text: str) -> bool:
    """Whether a function failed, rather than refuse what it was given, as it should with a bad request or message.

    Args:
        text: its answer; empty, if it ended without one.
    """
    try:
        answer = json.loads(text)
    except ValueError:
        return True
    return isinstance(answer, dict) and ("errorType" in answer or answer.get("statusCode", 200) >= 500)


def session(stack: Stack, role_arn: str) -> dict[str, str]:
    """Credentials of a function's role, for its containers.

    The role trusts Lambda alone, and on AWS nobody else could assume it. MiniStack takes its own root for any service.

    Args:
        stack: the laptop's.
        role_arn: of the role.
    """
    given = stack.client("sts").assume_role(
        RoleArn=role_arn, RoleSessionName="sam-local", DurationSeconds=_SESSION_SECONDS
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


class Containers:
    """`sam local` on a running stack. A context manager: proxy, environments and containers end with it.

    Args:
        stack: the laptop's.
        state_dir: where the build and the log go.

    Attributes:
        functions: those that are deployed and can run here, by their paths, such as `Orders/ApiFunction`.
        unmounted: those on a file system, which `sam local` does not mount.
        elsewhere: those that the templates have and the stack, as it is deployed, has not.
        log: what every `sam local` said.

    Raises:
        NoEngine: there is no Docker engine.
    """

    def __init__(self, stack: Stack, state_dir: Path = STATE_DIR) -> None:
        self._docker, self._stack, self._state_dir = engine(), stack, state_dir
        self._folder = state_dir / "sam-local"
        self._exit = ExitStack()
        self._environment: dict[str, str] = {}
        self.functions: list[str] = []
        self.unmounted: list[str] = []
        self.elsewhere: list[str] = []
        self.log = state_dir / "sam-local.log"

    def __enter__(self) -> Self:
        private.file(self.log).write_text("")
        with ExitStack() as undo:
            deployment.build(self._stack.access, self._folder / "build", state_dir=self._state_dir)
            proxy, url = self._way()
            self._proxy = undo.enter_context(proxy)
            undo.callback(self._sweep, f"{_WAY[0]}={url}")
            # What is left of a run is a build and a log: no credentials.
            self._secrets = Path(undo.enter_context(TemporaryDirectory(prefix="environments-", dir=self._folder)))
            self._write_environments(url)
            self._environment = sam_environment(self._stack.access, self._state_dir)
            self._environment |= {name: os.environ[name] for name in _ENGINE if name in os.environ}
            declared = declare(self._folder / "build", pace.measure())
            self.elsewhere = sorted(set(declared) - {*self.functions, *self.unmounted})
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()

    @property
    def people(self) -> People:
        """Who signs in on the stack."""
        return self._stack.people

    @property
    def forwarded(self) -> int:
        """How many requests of containers have reached the emulator."""
        return self._proxy.forwarded

    def cold(self, function: str, event: Path) -> Call:
        """`sam local invoke`: a container for one call.

        Args:
            function: its path.
            event: a file with what it is called with.
        """
        began = self.log.stat().st_size
        with self.log.open("ab") as log:
            arguments = ["invoke", function, "--event", str(event), *self._arguments()]
            process = subprocess.Popen(
                self._sam(arguments), env=self._environment, cwd=ROOT, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
            with _ended(process):
                out, _ = process.communicate()
        return Call.of(_last_line(out), _read(self.log, began))

    @contextmanager
    def warm(self) -> Iterator["Warm"]:
        """`sam local start-lambda`: every function, each in a container that stays once it is there."""
        arguments = ["--warm-containers", "LAZY", "--no-watch"]
        with self._serving("start-lambda", [*arguments, *self._arguments()]) as url:
            yield Warm(url, self.log)

    @contextmanager
    def api(self, application: str) -> Iterator[str]:
        """`sam local start-api` of one service, in a container that stays: its base URL.

        Args:
            application: the nested application, such as `Orders`: two have a function of one name, by which alone it
                finds the one for a route.
        """
        arguments = ["--warm-containers", "LAZY", "--no-watch"]
        with self._serving("start-api", [*arguments, *self._arguments(application)]) as url:
            yield url

    def call_by_hand(self, function: str, event: Path, debug: int | None) -> int:
        """Call a function once, on this terminal: the exit status, by which `sam local invoke` does not tell a failure.

        Args:
            function: its path.
            event: a file with what it is called with.
            debug: the port on which it waits for a debugger, if it shall.
        """
        arguments = ["invoke", function, "--event", str(event), *self.debugging(debug), *self._arguments()]
        process = subprocess.Popen(
            self._sam(arguments), env=self._environment, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE
        )
        with _ended(process):
            out, _ = process.communicate()
        print(out.decode().strip())
        return process.returncode or int(broke(_last_line(out)))

    def by_hand(self, arguments: Sequence[str], application: str | None = None) -> int:
        """Run one `sam local` on this terminal until it ends, or is interrupted; its exit status.

        Args:
            arguments: which, such as `["start-api", "--port", "3000"]`.
            application: this nested application alone, by its own template.
        """
        process = subprocess.Popen(
            self._sam([*arguments, *self._arguments(application)]),
            env=self._environment,
            cwd=ROOT,
            start_new_session=True,
        )
        with _ended(process):
            return process.wait()

    def debugging(self, port: int | None) -> list[str]:
        """What lets a debugger in (SAM developer guide, "Step-through debugging Python functions").

        Args:
            port: where, on 127.0.0.1; none, if it shall not wait.

        Raises:
            BuildFailed: the debugger cannot be fetched.
        """
        if port is None:
            return []
        folder, log = self._folder / "debugger", self._state_dir / "sam-local-debugger.log"
        platform = f"{'aarch64' if architecture() == 'arm64' else 'x86_64'}-manylinux2014"
        command = ["uv", "pip", "install", "--target", str(folder), "--require-hashes", "--only-binary", ":all:",
                   "--python-version", runtime().removeprefix("python"), "--python-platform", platform,
                   "--requirements", str(_DEBUGGER)]  # fmt: skip
        with private.file(log).open("wb") as out:
            done = subprocess.run(command, env=self._environment, stdout=out, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise BuildFailed("The debugger could not be fetched.", tail(log, 15), str(log))
        waits = f"{_MOUNTED}/debugpy --listen 0.0.0.0:{port} --wait-for-client"
        return ["--debug-port", str(port), "--debugger-path", str(folder), "--debug-args", waits]

    def _way(self) -> tuple[Proxy, str]:
        """The proxy, and how a container names it."""
        if self._docker.info().get("OperatingSystem") == "Docker Desktop":
            # Its containers are in a virtual machine, and come from here.
            proxy = Proxy(self._stack.endpoint, HOST, ipaddress.ip_network(HOST))
            return proxy, f"http://{_DESKTOP}:{proxy.port}"
        (addresses, *_) = self._docker.networks.get("bridge").attrs["IPAM"]["Config"]
        network = ipaddress.ip_network(addresses["Subnet"])
        # The bridge's own address; not every version says it, and all take the first.
        address = str(addresses.get("Gateway") or network[1])
        try:
            proxy = Proxy(self._stack.endpoint, address, network)
        except OSError as problem:
            raise NoWay(address, problem) from problem
        return proxy, f"http://{address}:{proxy.port}"

    def _write_environments(self, proxy: str) -> None:
        """Files for `--env-vars`: of all functions by their paths, and of each application's by their names in it."""
        known = Deployed(self._stack.client, self._stack.outputs).functions()
        self.unmounted = sorted(path for path, its in known.items() if its.get("FileSystemConfigs"))
        self.functions = sorted(set(known) - set(self.unmounted))
        way = {"AWS_ENDPOINT_URL": self._stack.endpoint, "http_proxy": proxy, "no_proxy": ""}
        files: dict[str | None, dict[str, dict[str, str]]] = {None: {}}
        for path, configuration in known.items():
            own = configuration.get("Environment", {}).get("Variables", {})
            application, _, name = path.rpartition("/")
            files[None][path] = {**own, **session(self._stack, configuration["Role"]), **way}
            files.setdefault(application, {})[name] = files[None][path]
        for application_or_all, environments in files.items():
            self._environments(application_or_all).write_text(json.dumps(environments))

    def _environments(self, application: str | None) -> Path:
        return private.file(self._secrets / f"{application or 'all'}.json")

    def _sam(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "samcli", "local", *arguments]

    def _arguments(self, application: str | None = None) -> list[str]:
        template = self._folder / "build" / (application or "") / "template.yaml"
        parameters = {"Runtime": runtime(), "Architecture": architecture()}
        given = [
            *("--template-file", str(template), *deployment.NO_CONFIGURATION),
            *(
                "--env-vars",
                str(self._environments(application)),
                "--layer-cache-basedir",
                str(self._folder / "layers"),
            ),
            *("--parameter-overrides", *deployment.overriding(parameters)),
        ]
        # What is there is taken as it is: nobody is asked whether there is a newer one. `docker pull` asks.
        return [*given, "--skip-pull-image"] if self._docker.images.list(name=base_image()) else given

    @contextmanager
    def _serving(self, command: str, arguments: Sequence[str]) -> Iterator[str]:
        port = _free_port()
        own = [command, "--host", HOST, "--port", str(port), *arguments]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self._sam(own), env=self._environment, cwd=ROOT, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        with _ended(process):
            deadline = pace.Deadline(60)
            while not _answers(port):
                if process.poll() is not None or deadline.passed():
                    raise DidNotStart(command, tail(self.log, 15), self.log)
                time.sleep(0.1)
            yield f"http://{HOST}:{port}"

    def _sweep(self, mark: str) -> None:
        """Remove the containers that a `sam local` of this run has left: they alone know its proxy."""
        for container in self._docker.containers.list(all=True, filters={"label": "sam.cli.container.type=lambda"}):
            if mark in container.attrs["Config"]["Env"]:
                container.remove(force=True)
        self._docker.close()


class Warm:
    """Functions that `sam local start-lambda` serves.

    Args:
        url: where.
        log: what it says.
    """

    def __init__(self, url: str, log: Path) -> None:
        self._url, self._log = url, log

    def start(self, functions: Mapping[str, Path]) -> None:
        """Start the containers of one service's functions, by a first call of each: all at once, as they share a layer.

        SAM packs it for each container anew, which is most of what a start takes, but for those that begin meanwhile.

        Args:
            functions: their paths, and events to call them with.
        """
        with ThreadPoolExecutor(len(functions)) as pool:
            list(pool.map(self._call, functions, (event.read_bytes() for event in functions.values())))

    def invoke(self, function: str, event: Path) -> Call:
        """Call a function, while nobody else does."""
        began = self._log.stat().st_size
        answer = self._call(function, event.read_bytes())
        deadline = time.monotonic() + pace.patience(5)
        while not _REPORT.search(said := _read(self._log, began)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return Call.of(answer, said)

    def ask(self, function: str, event: Mapping[str, Any]) -> Any:
        """What a function answers to an event."""
        return json.loads(self._call(function, json.dumps(event).encode()))

    def _call(self, function: str, event: bytes) -> str:
        """Lambda API reference, `Invoke`."""
        url = f"{self._url}/2015-03-31/functions/{function}/invocations"
        return httpx.post(url, content=event, timeout=pace.patience(120)).text


def _last_line(out: bytes) -> str:
    """What a function answered: `sam local invoke` prints it last, and all else elsewhere."""
    return (out.decode().strip().splitlines() or [""])[-1]


def _read(log: Path, began: int) -> str:
    with log.open("rb") as file:
        file.seek(began)
        return file.read().decode("utf-8", "replace")


def declare(folder: Path, slowness: float) -> list[str]:
    """Let the built templates' functions declare what only this machine sets, and be as patient as it is slow.

    Args:
        folder: what `sam build` made of the root.
        slowness: how many times as long things take as on a quiet machine.

    Returns:
        The functions, by their paths.
    """
    found = []
    for template in folder.rglob("template.yaml"):
        document = yaml.safe_load(template.read_text("utf-8"))
        general = document.get("Globals", {}).get("Function", {})
        for logical_id, resource in document["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                properties = resource["Properties"]
                variables = properties.setdefault("Environment", {}).setdefault("Variables", {})
                variables |= dict.fromkeys(_DECLARED, "")
                properties["Timeout"] = round(properties.get("Timeout", general.get("Timeout", 3)) * slowness)
                found.append("/".join([*template.parent.relative_to(folder).parts, logical_id]))
        template.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return found


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """See that a process has ended: it is asked as by Ctrl-C, which lets it remove its containers."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(pace.patience(30))
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind((HOST, 0))
        return int(asked.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False
