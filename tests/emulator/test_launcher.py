"""An emulator cleans up, however it ends, and has AWS settings of its own, whatever its caller's are."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from laptop import NotRunning, Stack, StartFailed
from laptop.emulator import launcher
from laptop.emulator.launcher import Emulator, Process
from laptop.pace import patience
from worlds.emulator import World, nothing_remains_of, with_a_worker
from worlds.polling import eventually

SCRIPTS = Path(launcher.__file__).parents[2]


class Caller:
    """A program that starts an emulator and then does something else."""

    def __init__(self, state_dir: Path, then: str) -> None:
        program = """
            import sys, time
            from pathlib import Path
            sys.path.insert(0, {scripts!r})
            from laptop.emulator.launcher import Emulator
            emulator = Emulator(state_dir=Path({state_dir!r}))
            process = emulator.start()
            process.save(Path({state_dir!r}, "stack.json"), {{}})
            print("up", flush=True)
            try:
                {then}
            finally:
                emulator.stop()
        """
        self.popen = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(program).format(scripts=str(SCRIPTS), state_dir=str(state_dir), then=then),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # A shell lets what it runs in the background ignore SIGINT, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert self.popen.stdout is not None
        assert self.popen.stdout.readline() == "up\n"
        loaded = Process.load(state_dir / "stack.json")
        assert loaded is not None
        self.process = loaded[0]

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()
        if self.popen.stdout:
            self.popen.stdout.close()


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Callable[[str], Caller]]:
    callers: list[Caller] = []

    def start(then: str = "time.sleep(600)") -> Caller:
        callers.append(Caller(tmp_path, then))
        return callers[-1]

    yield start
    for caller in callers:
        caller.close()
        launcher.stop(caller.process)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    emulator = Emulator(state_dir=tmp_path)
    yield emulator
    emulator.stop()


class TestEnd:
    def test_stop_removes_everything(self, emulator: Emulator) -> None:
        process = emulator.start()
        with_a_worker(process)

        emulator.stop()
        emulator.stop()

        assert nothing_remains_of(process)

    def test_failed_start_says_why_and_cleans_up(self, tmp_path: Path) -> None:
        emulator = Emulator(env={"GATEWAY_PORT": "none"}, state_dir=tmp_path)

        with pytest.raises(StartFailed, match="invalid literal for int"):
            emulator.start()

        assert emulator.process is not None
        assert nothing_remains_of(emulator.process)

    @pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
    def test_it_ends_with_its_caller(self, call: Callable[..., Caller], sent: signal.Signals) -> None:
        caller = call()
        with_a_worker(caller.process)

        caller.popen.send_signal(sent)
        caller.popen.wait(timeout=patience(20))

        assert eventually(lambda: nothing_remains_of(caller.process))

    def test_its_own_termination_takes_the_workers_along(self, emulator: Emulator) -> None:
        process = emulator.start()
        with_a_worker(process)

        os.kill(process.pid, signal.SIGTERM)
        assert emulator._popen is not None
        emulator._popen.wait(timeout=patience(20))

        assert eventually(lambda: nothing_remains_of(process))


class TestStay:
    def test_it_outlives_its_caller_and_can_be_stopped_by_another(
        self, call: Callable[[str], Caller], tmp_path: Path
    ) -> None:
        caller = call("emulator.let_stay(); import os; os._exit(0)")
        caller.popen.wait(timeout=patience(20))
        with_a_worker(caller.process)

        stack = Stack.attach(tmp_path)
        assert stack.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
        stack.stop()

        assert nothing_remains_of(caller.process)
        with pytest.raises(NotRunning):
            Stack.attach(tmp_path)

    def test_an_emulator_that_was_killed_counts_as_stopped_and_is_cleaned_up(
        self, emulator: Emulator, tmp_path: Path
    ) -> None:
        process = emulator.start()
        process.save(tmp_path / "stack.json", {})
        os.kill(process.pid, signal.SIGKILL)
        assert emulator._popen is not None
        emulator._popen.wait(timeout=patience(20))

        with pytest.raises(NotRunning):
            Stack.attach(tmp_path)

        assert nothing_remains_of(process)
        assert not (tmp_path / "stack.json").exists()

    def test_another_process_under_its_number_is_left_alone(self, emulator: Emulator, tmp_path: Path) -> None:
        process = emulator.start()
        emulator.stop()
        with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
            replace(process, pid=other.pid).save(tmp_path / "stack.json", {})

            with pytest.raises(NotRunning):
                Stack.attach(tmp_path)

            assert other.poll() is None
            other.kill()


class TestPort:
    def test_a_port_that_is_taken_is_passed_by(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            emulator = Emulator(state_dir=tmp_path, port=port)
            try:
                process = emulator.start()
                assert process.port != port
                assert process.running()
            finally:
                emulator.stop()

    @pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="reads Linux's list of sockets")
    def test_it_listens_on_the_loopback_address_only(self, emulator: Emulator) -> None:
        process = emulator.start()
        with_a_worker(process)

        # Function workers too: a runtime's API, say, would be a door of its own.
        group = [one for one in Path("/proc").iterdir() if one.name.isdigit() and in_group(one, process.pid)]
        assert len(group) > 1
        own = {
            str(link.readlink())
            for member in group
            for link in (member / "fd").iterdir()
            if link.is_symlink() and str(link.readlink()).startswith("socket:")
        }
        listening = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                    listening.add(fields[1])
        assert listening == {f"0100007F:{process.port:04X}"}


def in_group(process: Path, group: int) -> bool:
    """Whether a process of Linux's list is of a process group."""
    try:
        return os.getpgid(int(process.name)) == group
    except ProcessLookupError:
        return False


class TestIsolation:
    def test_emulator_and_functions_are_shielded_from_the_callers_settings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A caller with a production profile, an endpoint, a proxy, emulator settings and no home directory."""
        hostile = {
            "AWS_PROFILE": "production",
            "AWS_DEFAULT_PROFILE": "production",
            "AWS_ACCESS_KEY_ID": "AKIAPRODUCTION",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "session",
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ENDPOINT_URL": "https://example.com",
            "AWS_ENDPOINT_URL_LAMBDA": "https://example.com",
            "AWS_CA_BUNDLE": "/nowhere.pem",
            "AWS_USE_FIPS_ENDPOINT": "true",
            "HTTP_PROXY": "http://192.0.2.1:9",
            "http_proxy": "http://192.0.2.1:9",
            "GATEWAY_PORT": "1",
            "BIND_HOST": "0.0.0.0",  # noqa: S104 - must not be heeded
            "SERVICES": "s3",
            "PERSIST_STATE": "1",
            "PYTHONPATH": "/nowhere",
            "HOME": "/nowhere",
            "STRIPE_API_KEY": "sk_live",
        }
        for name, value in hostile.items():
            monkeypatch.setenv(name, value)
        emulator = Emulator(state_dir=tmp_path)
        try:
            world = World(emulator.start().access)
            source = "import os\ndef handler(event, context):\n    return dict(os.environ)"
            function = world.function(source)
            seen = json.load(world.functions.invoke(FunctionName=function)["Payload"])
        finally:
            emulator.stop()
        assert not {name for name, value in hostile.items() if seen.get(name) == value}
        assert seen["AWS_REGION"] == "eu-central-1"
        assert seen["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        assert seen["HOME"].startswith(str(tmp_path))
