"""The stack's whole way: build, deploy, talk to it, listen to its bus, stop; and what is said when a step fails."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from laptop import BuildFailed, DeployFailed, EventNotSeen, Stack, deployment, environment
from laptop.emulator.launcher import Emulator, Process
from laptop.pace import patience
from worlds.emulator import World, nothing_remains_of, processes
from worlds.polling import eventually

TEMPLATE = Path(__file__).parent / "templates" / "template.yaml"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # With spaces: a person's folders have them.
    state_dir = tmp_path_factory.mktemp("state of a stack")
    with Stack.up(template=TEMPLATE, parameters={"Greeting": 'good "morning"'}, state_dir=state_dir) as running:
        yield running


class TestUp:
    def test_the_api_answers_where_the_output_says(self, stack: Stack) -> None:
        with urllib.request.urlopen(stack.outputs["ApiUrl"] + "/hello", timeout=patience(20)) as response:
            assert response.read() == b'good "morning"'

    def test_the_function_runs_as_what_it_was_declared(self, stack: Stack) -> None:
        (function,) = stack.client("lambda").list_functions()["Functions"]

        assert function["Runtime"] == environment.runtime()
        assert function["Architectures"] == [environment.architecture()]


class TestTap:
    def test_events_arrive_whole_in_order_and_once(self, stack: Stack) -> None:
        bus = stack.outputs["EventBusName"]
        with stack.tap() as tap:
            for number in range(25):
                detail = json.dumps({"number": number})
                entry = {"Source": "tiffin.test", "DetailType": "Counted", "Detail": detail, "EventBusName": bus}
                stack.client("events").put_events(Entries=[entry])

            last = tap.wait_for(lambda event: event["detail"]["number"] == 24)

            assert (last["source"], last["detail-type"]) == ("tiffin.test", "Counted")
            assert [event["detail"]["number"] for event in tap.events] == list(range(25))
            # What is past is found too.
            assert tap.wait_for(lambda event: event["detail"]["number"] == 3) is tap.events[3]

    def test_waiting_in_vain_says_what_came_instead(self, stack: Stack) -> None:
        bus = stack.outputs["EventBusName"]
        with stack.tap() as tap:
            entry = {"Source": "tiffin.test", "DetailType": "Other", "Detail": "{}", "EventBusName": bus}
            stack.client("events").put_events(Entries=[entry])
            tap.wait_for(lambda event: event["detail-type"] == "Other")

            with pytest.raises(EventNotSeen, match="Seen on the bus: Other"):
                tap.wait_for(lambda event: event["detail-type"] == "Wanted", timeout=0.2)

    def test_closing_it_removes_its_rule_and_its_queue(self, stack: Stack) -> None:
        stack.tap().close()

        assert not stack.client("events").list_rules(EventBusName=stack.outputs["EventBusName"])["Rules"]
        assert not stack.client("sqs").list_queues(QueueNamePrefix="tap-").get("QueueUrls")


class TestFailure:
    def started(self, monkeypatch: pytest.MonkeyPatch) -> list[Process]:
        """The processes that are started from now on."""
        seen: list[Process] = []
        start = Emulator.start

        def started(self: Emulator) -> Process:
            seen.append(start(self))
            return seen[-1]

        monkeypatch.setattr(Emulator, "start", started)
        return seen

    @pytest.mark.parametrize(
        ("broken", "error", "says"),
        [
            ("Type: AWS::Events::Nonsense", DeployFailed, "AWS::Events::Nonsense"),
            ("Type: [", BuildFailed, "Failed to parse"),
        ],
        ids=["deploy", "build"],
    )
    def test_a_failed_step_says_what_sam_said_and_stops_the_emulator(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, error: type[Exception], says: str
    ) -> None:
        template = tmp_path / "template.yaml"
        template.write_text(TEMPLATE.read_text().replace("Type: AWS::Events::EventBus", broken))
        (tmp_path / "hello.py").touch()
        started = self.started(monkeypatch)

        with pytest.raises(error, match=says) as failed:
            Stack.up(template=template, state_dir=tmp_path / ".tiffin")

        assert "failed with exit code" in str(failed.value)
        assert len(started) == 1
        assert nothing_remains_of(started[0])


class TestInterrupt:
    @pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
    def test_an_interrupted_deployment_stops_everything(self, tmp_path: Path, sent: signal.Signals) -> None:
        """Interrupted as `make up` is, while sam is at work."""
        program = f"""
            import signal, sys
            from pathlib import Path
            sys.path.insert(0, {str(environment.ROOT / "scripts")!r})
            from laptop import Stack
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            Stack.up(template=Path({str(TEMPLATE)!r}), state_dir=Path({str(tmp_path)!r}), stays=True)
        """
        caller = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stderr=subprocess.DEVNULL,
            # A shell lets what it runs in the background ignore SIGINT, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        eventually(
            lambda: f"samcli build --config-env laptop --template-file {TEMPLATE} --build-dir {tmp_path}" in processes()
        )

        caller.send_signal(sent)

        assert caller.wait(timeout=patience(20)) != 0
        # The emulator's scratch directory, which is on its command line, is in there too.
        eventually(lambda: str(tmp_path) not in processes())
        assert not (tmp_path / "stack.json").exists()


class TestLayers:
    @pytest.fixture(autouse=True)
    def _empty_bucket(self, world: World) -> Iterator[None]:
        bucket, s3 = deployment.ARTIFACTS, world.client("s3")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield
        for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            s3.delete_object(Bucket=bucket, Key=item["Key"])
        s3.delete_bucket(Bucket=bucket)

    def test_equal_layers_of_two_services_are_uploaded_once(self, world: World, tmp_path: Path) -> None:
        bucket = deployment.ARTIFACTS
        for service in ("one", "two"):
            layer = tmp_path / "build" / service / "Layer" / "python"
            layer.mkdir(parents=True)
            (layer / "module.py").write_text("NAME = 'layer'\n")
            (tmp_path / "build" / service / "template.yaml").write_text(
                "Resources:\n  Layer:\n    Properties:\n      ContentUri: Layer\n  Other:\n    Properties:\n"
                "      ContentUri: s3://elsewhere/key\n"
            )

        deployment.upload_layers_once(world.access, tmp_path)

        texts = {path.read_text() for path in (tmp_path / "build").rglob("template.yaml")}
        written = {path.name for path in (tmp_path / "build" / "one").iterdir()}
        keys = [item["Key"] for item in world.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
        assert len(texts) == len(keys) == 1
        assert f"ContentUri: s3://{bucket}/{keys[0]}\n" in next(iter(texts))
        assert "ContentUri: s3://elsewhere/key\n" in next(iter(texts))
        assert written == {"Layer", "template.yaml"}

    def test_a_layer_is_found_in_a_template_of_json_too(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "build" / "Layer").mkdir(parents=True)
        (tmp_path / "build" / "Layer" / "module.py").write_text("NAME = 'json'\n")
        template = tmp_path / "build" / "template.yaml"
        resources = {"Layer": {"ContentUri": "Layer", "Also": 1}, "Last": {"ContentUri": "Layer"}}
        template.write_text(json.dumps(resources, indent=1))

        deployment.upload_layers_once(world.access, tmp_path)

        told = json.loads(template.read_text())
        assert told["Layer"].pop("Also") == 1
        assert told["Layer"] == told["Last"]
        assert told["Layer"]["ContentUri"].startswith(f"s3://{deployment.ARTIFACTS}/")

    def test_each_layer_of_a_service_stays_packed_until_it_changes(self, world: World, tmp_path: Path) -> None:
        def packed(second: str) -> dict[str, int]:
            for name, text in (("First", "1"), ("Second", second)):
                (tmp_path / "build" / name).mkdir(parents=True, exist_ok=True)
                (tmp_path / "build" / name / "module.py").write_text(f"NUMBER = {text}\n")
            (tmp_path / "build" / "template.yaml").write_text("  ContentUri: First\n  ContentUri: Second\n")
            deployment.upload_layers_once(world.access, tmp_path)
            return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "layers").iterdir()}

        first = packed("2")
        again = packed("2")
        changed = packed("3")

        assert first == again
        assert len(first) == len(changed) == 2
        assert len(first.items() & changed.items()) == 1

    def test_a_layer_is_the_same_bytes_whenever_it_was_built(self, world: World, tmp_path: Path) -> None:
        def uploaded(stack: str, built: int) -> bytes:
            layer = tmp_path / stack / "build" / "Layer"
            layer.mkdir(parents=True)
            (layer / "module.py").write_text("NAME = 'layer'\n")
            os.utime(layer / "module.py", (built, built))
            (layer.parent / "template.yaml").write_text("  ContentUri: Layer\n")
            deployment.upload_layers_once(world.access, tmp_path / stack)
            s3 = world.client("s3")
            (item,) = s3.list_objects_v2(Bucket=deployment.ARTIFACTS)["Contents"]
            return bytes(s3.get_object(Bucket=deployment.ARTIFACTS, Key=item["Key"])["Body"].read())

        assert uploaded("one", 1_700_000_000) == uploaded("other", 1_800_000_000)
