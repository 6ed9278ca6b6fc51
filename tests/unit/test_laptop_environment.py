"""What the laptop's tools take from their caller, and whom they talk to."""

import os
import re
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ProfileNotFound
from laptop import NotLoopback, NotRunning, Stack, environment
from laptop.emulator.launcher import Process
from laptop.stack import reachable

HERE = "http://127.0.0.1:4566"
ACCESS = environment.Access(HERE, "TIFFINKEY", "secret")
CALLER = {
    "PATH": "/usr/bin",
    "HOME": "/nowhere",
    "LANG": "de_DE.UTF-8",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAPRODUCTION",
    "AWS_ENDPOINT_URL": "https://dynamodb.eu-central-1.amazonaws.com",
    "AWS_ENDPOINT_URL_S3": "https://s3.eu-central-1.amazonaws.com",
    "AWS_CA_BUNDLE": "/nowhere.pem",
    "SAM_CLI_TELEMETRY": "1",
    "SAM_CONFIG_FILE": "/nowhere.toml",
    "GATEWAY_PORT": "1",
    "AUTH": "false",
    "STRIPE_API_KEY": "sk_live",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "NO_PROXY": "example.com",
    "UV_INDEX_URL": "https://mirror.example/simple",
}


class TestEndpoint:
    @pytest.mark.parametrize("endpoint", [HERE, "http://127.0.0.2:80", "http://[::1]:4566"])
    def test_this_machine_is_let_through(self, endpoint: str) -> None:
        assert environment.loopback(endpoint) == endpoint

    @pytest.mark.parametrize(
        "endpoint",
        [
            "https://dynamodb.eu-central-1.amazonaws.com",
            "http://localhost:4566",
            "http://0.0.0.0:4566",
            "http://192.168.0.1:4566",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "http://example.com#127.0.0.1",
            "https://127.0.0.1:4566",
            "127.0.0.1:4566",
            "",
        ],
    )
    def test_every_other_address_is_refused(self, endpoint: str) -> None:
        elsewhere = replace(ACCESS, endpoint=endpoint)
        for use in (
            lambda: environment.loopback(endpoint),
            lambda: environment.client("sts", elsewhere),
            lambda: environment.sam_environment(elsewhere),
            lambda: environment.signed(ACCESS, endpoint),
        ):
            with pytest.raises(NotLoopback):
                use()


class TestAccess:
    def test_each_start_has_credentials_of_its_own(self) -> None:
        made = [environment.Access.new(4566) for _ in range(100)]

        assert (
            len({access.access_key_id for access in made}) == len({access.secret_access_key for access in made}) == 100
        )
        for access in made:
            assert access.endpoint == HERE
            # As long as AWS's, and never one of them.
            assert re.fullmatch(r"TIFFIN[A-Z2-7]{16}", access.access_key_id)
            assert len(access.secret_access_key) == 40
            assert access.secret_access_key not in repr(access)

    def test_what_a_shell_needs_is_one_word_per_variable(self) -> None:
        assert all(re.fullmatch(r"[\w./:-]*", value) for value in environment.Access.new(4566).variables().values())


class TestEnvironment:
    def test_aws_settings_are_its_own(self, tmp_path: Path) -> None:
        built = environment.environment(ACCESS, tmp_path, CALLER)

        assert {name: value for name, value in built.items() if name.startswith("AWS_")} == {
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "TIFFINKEY",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def test_only_listed_variables_pass(self, tmp_path: Path) -> None:
        built = environment.environment(ACCESS, tmp_path, CALLER)

        assert {name for name, value in CALLER.items() if built.get(name) == value} == {"LANG"}

    def test_a_missing_home_is_replaced(self, tmp_path: Path) -> None:
        for caller in (CALLER, {}):
            home = environment.environment(ACCESS, tmp_path, caller)["HOME"]
            assert Path(home).is_dir()
            assert Path(home).is_relative_to(tmp_path)

    def test_an_existing_home_is_kept(self, tmp_path: Path) -> None:
        assert environment.environment(ACCESS, tmp_path / "state", {"HOME": str(tmp_path)})["HOME"] == str(tmp_path)

    def test_sam_downloads_as_the_caller_does_and_deploys_to_the_emulator_only(self, tmp_path: Path) -> None:
        built = environment.sam_environment(ACCESS, tmp_path, CALLER)

        assert built["HTTPS_PROXY"] == CALLER["HTTPS_PROXY"]
        assert built["UV_INDEX_URL"] == CALLER["UV_INDEX_URL"]
        assert built["NO_PROXY"] == environment.HOST
        assert built["AWS_ENDPOINT_URL"] == HERE
        assert "AWS_ENDPOINT_URL_S3" not in built
        assert "SAM_CONFIG_FILE" not in built
        assert built["SAM_CLI_TELEMETRY"] == "0"
        assert Path(built["__SAM_CLI_APP_DIR"]).is_relative_to(tmp_path)


class TestClient:
    def test_it_keeps_to_its_own_settings_whatever_the_callers_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in CALLER.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
        with pytest.raises(ProfileNotFound):
            boto3.client("sqs")

        client = environment.client("sqs", ACCESS)

        assert client.meta.endpoint_url == HERE
        assert client.meta.region_name == environment.REGION
        assert client._get_credentials().access_key == "TIFFINKEY"
        assert not client.meta.config.proxies


class TestOutputs:
    def test_a_rest_api_is_reached_through_the_emulator(self) -> None:
        on_aws = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/v1"

        assert reachable(on_aws, HERE) == f"{HERE}/_aws/execute-api/a1b2c3/v1"
        assert reachable(on_aws.replace("https", "wss"), HERE) == f"{HERE}/_aws/execute-api/a1b2c3/v1".replace(
            "http", "ws"
        )
        assert reachable(f"{on_aws}/orders", HERE) == f"{HERE}/_aws/execute-api/a1b2c3/v1/orders"

    @pytest.mark.parametrize(
        "value", ["tiffin", "arn:aws:states:eu-central-1:1:stateMachine:x", "https://example.com/v1"]
    )
    def test_every_other_output_stays_as_it_is(self, value: str) -> None:
        assert reachable(value, HERE) == value


class TestState:
    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1}', '{"outputs": {}, "pid": 1, "more": 2}'])
    def test_a_broken_state_file_counts_as_a_stopped_stack(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "stack.json").write_text(text)

        assert Process.load(tmp_path / "stack.json") is None
        with pytest.raises(NotRunning):
            Stack.attach(tmp_path)

    def test_what_is_saved_is_loaded(self, tmp_path: Path) -> None:
        process = Process(123, 4566, "/tmp/tiffin-x", "emulator.log", "TIFFINKEY", "secret")  # noqa: S108 - never opened

        process.save(tmp_path / "new" / "stack.json", {"ApiUrl": "x"})

        assert Process.load(tmp_path / "new" / "stack.json") == (process, {"ApiUrl": "x"})
        assert not process.running()
        assert process.access == ACCESS
