"""One function at a time as Lambda runs it, by AWS's own runtime client under AWS's own emulator of the runtime API.

The emulator (`aws-lambda-rie`) is the one of the SAM CLI, and starts no container: it runs the client (`awslambdaric`)
with the function's code, its layers and its environment, and says of INIT and of each invocation how long it took.
boto3 is the runtime's on AWS, where it lies in a folder behind the layers: here a copy of the locked one, as it is,
with bytecode, and the same for all. What a layer brings itself comes before it.

Instructions are counted by valgrind's cachegrind without its cache: they vary by a thousandth where milliseconds vary
by a quarter.
"""

import importlib.metadata
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import samcli
from laptop import EmulatorError
from laptop.environment import HOST, REGION, architecture, runtime
from laptop.pace import eventually

WARM = 10
"""Invocations after the first, of which the median is taken."""
_PATH = "/2015-03-31/functions/function/invocations"
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_INVOKE = re.compile(r"INVOKE RTDONE\(status: success, .*?duration: ([\d.]+)ms\)")
_COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")
_TRACE = "Root=1-6926e5b0-4c1d2f3a5b6c7d8e9f0a1b2c;Parent=53995c3f42cd8ad8;Sampled=1"
# What the runtime has on AWS: boto3, and the client of the runtime API.
_RUNTIME = ("awslambdaric", "boto3")
# The runtime's client, and each invocation in a trace that is sampled, which the emulator cannot hand on.
_RUN = f"""
import os, sys
from awslambdaric import __main__, bootstrap
bootstrap.update_xray_env_variable = lambda header: os.environ.update(_X_AMZN_TRACE_ID="{_TRACE}")
__main__.main(sys.argv)
"""
# Imports the entry point. A copy of the process calls it then, so that one run counts both; each ends before Python
# tidies up, as a function in Lambda does.
_COUNT = """
import importlib, json, os, sys
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module), name)
class Context:
    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    function_version = "1"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:counted"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    log_group_name = log_stream_name = "counted"
    def get_remaining_time_in_millis(self):
        return 60000
if sys.argv[2:]:
    child = os.fork()
    if child == 0:
        handler(json.loads(open(sys.argv[2]).read()), Context())
        sys.stdout.flush()
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os._exit(0)
"""


class NotMeasured(EmulatorError):
    """A function did not start, or did not do its work, so that its figures would mean nothing."""


@dataclass(frozen=True)
class Package:
    """A function, as it lies in Lambda.

    Attributes:
        name: the function's path, such as `Orders/ApiFunction`.
        handler: its entry point.
        code: the folder of its code (`/var/task`).
        layers: their folders (`/opt`, each below the one before).
        environment: its own variables.
        memory: MB that the template gives it.
        zipped: bytes of the code and of each layer, zipped.
    """

    name: str
    handler: str
    code: Path
    layers: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: int = 512
    zipped: Sequence[int] = ()


@dataclass(frozen=True)
class Started:
    """What one cold start and some warm invocations took.

    Attributes:
        init: milliseconds of INIT.
        first: of the first invocation after it.
        warm: of each later one.
        peak: MB of memory that the process had at most.
    """

    init: float
    first: float
    warm: list[float]
    peak: float


class Runtime:
    """AWS's runtime, of this machine's Python. A context manager: all that it made goes with it.

    Args:
        folder: empty, for the runtime's own packages and what it writes.
        variables: what every function finds in its environment besides: where AWS is, and credentials.

    Raises:
        NotMeasured: this machine cannot run Lambda's runtime.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder, self._variables = folder, dict(variables)
        self._emulator = Path(samcli.__file__).with_name("local") / "rapid" / f"aws-lambda-rie-{architecture()}"
        if sys.platform != "linux":
            raise NotMeasured("Lambda's runtime runs on Linux alone: `make bench` is for Linux.")
        self._python = str(getattr(sys, "_base_executable", sys.executable))
        self._valgrind = shutil.which("valgrind")
        self._packages = folder / "runtime"
        self._daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.traced = 0
        self.boto3 = importlib.metadata.version("boto3")

    def __enter__(self) -> Self:
        for distribution in _needed(*_RUNTIME):
            for file in distribution.files or ():
                if ".." not in file.parts and "__pycache__" not in file.parts:
                    target = self._packages / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(str(distribution.locate_file(file)), target)
        compiled(self._packages)
        (self._folder / "home").mkdir()
        self._daemon.bind((HOST, 0))
        threading.Thread(target=self._hear, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._daemon.shutdown(socket.SHUT_RDWR)
        self._daemon.close()

    @property
    def counts(self) -> bool:
        """Whether instructions can be counted here."""
        return self._valgrind is not None

    def start(self, package: Package, events: Sequence[bytes]) -> Started:
        """Start a function cold and invoke it with one event after the other.

        Raises:
            NotMeasured: it failed, or said that it did not do its work.
        """
        log, ports = self._folder / "emulator.log", _free_ports(2)
        where = [f"{HOST}:{port}" for port in ports]
        command = [
            str(self._emulator), "--log-level", "info", "--runtime-interface-emulator-address", where[0],
            "--runtime-api-address", where[1], self._python, "-c", _RUN, package.handler,
        ]  # fmt: skip
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=package.code, env=self._environment(package), stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, start_new_session=True,
            )  # fmt: skip
            try:
                eventually(lambda: _listens(ports[0]), 10, "Lambda's emulator")
                for event in events:
                    self._ask(f"http://{where[0]}{_PATH}", package, event, log)
                peak = _peak(process.pid)
            finally:
                # The runtime has a process group of its own.
                for each in (*children(process.pid), process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)
                process.wait()
        said = log.read_text("utf-8", "replace")
        init, invocations = _INIT.search(said), [float(took) for took in _INVOKE.findall(said)]
        if init is None or len(invocations) != len(events):
            raise NotMeasured(f"{package.name} did not start: {said[-2000:]}")
        return Started(float(init[1]), invocations[0], invocations[1:], peak)

    def count(self, package: Package, event: bytes) -> tuple[int, int]:
        """Instructions of a function's INIT, and of INIT with the first invocation after it.

        Raises:
            NotMeasured: it failed.
        """
        with tempfile.TemporaryDirectory(dir=self._folder) as own:
            asked = Path(own, "event.json")
            asked.write_bytes(event)
            done = subprocess.run(
                [str(self._valgrind), "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
                 f"--log-file={own}/%p.log", self._python, "-c", _COUNT, package.handler, str(asked)],
                cwd=package.code, env=self._environment(package) | {"PYTHONHASHSEED": "0", "_X_AMZN_TRACE_ID": _TRACE},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            said = [_COUNTED.search(log.read_text()) for log in Path(own).glob("*.log")]
        found = sorted(int(counted[1].replace(",", "")) for counted in said if counted)
        if done.returncode or len(found) != 2:
            raise NotMeasured(f"{package.name} was not counted: {(done.stdout + done.stderr)[-2000:]}")
        return found[0], found[1]

    def imports(self, package: Package, most: int = 25) -> list[tuple[str, float]]:
        """What a function's INIT imports, by the milliseconds that each module takes itself, the most first."""
        done = subprocess.run(
            [self._python, "-X", "importtime", "-c", _COUNT, package.handler],
            cwd=package.code, env=self._environment(package), capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows = (line.removeprefix("import time:").split("|") for line in done.stderr.splitlines() if "|" in line)
        own = [(name.strip(), int(took) / 1000) for took, _, name in rows if took.strip().isdigit()]
        return sorted(own, key=lambda row: -row[1])[:most]

    def _ask(self, url: str, package: Package, event: bytes, log: Path) -> None:
        answered = httpx.post(url, content=event, timeout=60)
        answer = answered.json() if answered.content else None
        if isinstance(answer, dict) and (
            "errorType" in answer or answer.get("statusCode", 200) >= 400 or answer.get("batchItemFailures")
        ):
            said = log.read_text("utf-8", "replace")[-2000:]
            raise NotMeasured(f"{package.name} does not do its work here: {str(answer)[:600]}\n{said}")

    def _environment(self, package: Package) -> dict[str, str]:
        """Lambda's variables (Lambda developer guide, "Defined runtime environment variables"), and the function's."""
        path = [package.code, *(layer / "python" for layer in package.layers), self._packages]
        return {
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": str(self._folder / "home"),
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            # Lambda's file system is read-only: what has no bytecode is compiled at each start.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "LAMBDA_TASK_ROOT": str(package.code),
            "LAMBDA_RUNTIME_DIR": str(self._packages),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime()}",
            "AWS_LAMBDA_FUNCTION_NAME": package.name.replace("/", "-"),
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(package.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_XRAY_DAEMON_ADDRESS": "{}:{}".format(*self._daemon.getsockname()),
            **self._variables,
            **package.environment,
        }

    def _hear(self) -> None:
        """X-Ray's daemon: it counts what it is told, so that it can be seen that functions were traced."""
        with suppress(OSError):
            while self._daemon.recv(65536):
                self.traced += 1


def compiled(folder: Path) -> None:
    """Write bytecode for all modules of a folder, as a layer has it."""
    program = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run([str(getattr(sys, "_base_executable", sys.executable)), *program], check=True, capture_output=True)


def zipped(folder: Path) -> int:
    """Bytes of a folder as `sam deploy` zips it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return out.tell()


def _needed(*names: str) -> list[importlib.metadata.Distribution]:
    """Distributions that are installed here, with all that they need."""
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name not in found:
            found[name] = importlib.metadata.distribution(name)
            required = (need for need in found[name].requires or () if "extra ==" not in need)
            todo += [match[0] for need in required if (match := re.match(r"[A-Za-z0-9._-]+", need))]
    return list(found.values())


def _free_ports(many: int) -> list[int]:
    sockets = [socket.socket() for _ in range(many)]
    for each in sockets:
        each.bind((HOST, 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex((HOST, port)) == 0


def _peak(emulator: int) -> float:
    """MB of memory that the emulator's child had at most (proc_pid_status(5), `VmHWM`)."""
    own = children(emulator)
    status = Path(f"/proc/{own[0]}/status").read_text() if own else ""
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if found is None:
        raise NotMeasured("The function's process is not to be found, so its memory is not known.")
    return int(found[1]) / 1024


def children(process: int) -> list[int]:
    """The processes that a process has started (proc_pid_task_children(5))."""
    listed = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for children in listed for child in children.read_text().split()]
