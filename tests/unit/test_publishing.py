"""How the console gets into the bucket that it is served from, and what else it needs to be told of."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import publish as command
import pytest
from laptop import web
from moto import mock_aws
from operations.deployed import Deployed
from operations.trouble import NotReached, Outputs
from publish import STILL_ASKED_FOR, publish, still_to_do

URL, BUCKET = "https://d111.cloudfront.net", "console-files"
OUTPUTS = {
    "WebUrl": URL,
    "ConsoleBucketName": BUCKET,
    "SignInUrl": "https://pages.example",
    "UserPoolClientId": "client",
    "ApiUrl": "https://orders.example/v1",
}
NOW = datetime.now(UTC)


class Account:
    """S3 as moto has it, and a stack's parameters."""

    def __init__(self, **parameters: str) -> None:
        self.s3: Any = boto3.client("s3", region_name="eu-central-1")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.put = list[str]()
        self.s3.meta.events.register("before-parameter-build.s3.PutObject", self._noted)
        self._parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]

    def _noted(self, params: dict[str, Any], **_: Any) -> None:
        self.put.append(params["Key"])

    def __call__(self, service: str, /) -> Any:
        described = {"Stacks": [{"Parameters": self._parameters}]}
        return self.s3 if service == "s3" else SimpleNamespace(describe_stacks=lambda **_: described)

    def there(self) -> set[str]:
        return {one["Key"] for one in self.s3.list_objects_v2(Bucket=BUCKET)["Contents"]}


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        yield Account()


@pytest.fixture(autouse=True)
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    for name in ("index.html", "icon.svg", "assets/index-1.js", "assets/zoo-1.css", ".built"):
        (dist / name).write_text(name)
    monkeypatch.setattr(web, "DIST", dist)
    return dist


def stack(account: Account, **without: None) -> Deployed:
    outputs = {name: value for name, value in OUTPUTS.items() if name not in without}
    return Deployed(account, Outputs(outputs, "The stack tiffin in eu-central-1"), region="eu-central-1")


def test_what_was_built_is_there_with_what_a_browser_must_know_of_it(account: Account) -> None:
    assert publish(stack(account), NOW) == (5, 0)

    there = {name: account.s3.get_object(Bucket=BUCKET, Key=name) for name in account.there()}
    assert {name: (one["ContentType"], one["CacheControl"]) for name, one in there.items()} == {
        "index.html": ("text/html", "no-cache"),
        "config.json": ("application/json", "no-cache"),
        "icon.svg": ("image/svg+xml", "no-cache"),
        "assets/index-1.js": ("text/javascript", "public, max-age=31536000, immutable"),
        "assets/zoo-1.css": ("text/css", "public, max-age=31536000, immutable"),
    }
    assert json.loads(there["config.json"]["Body"].read()) == web.configuration(OUTPUTS)


def test_the_page_comes_after_all_that_it_asks_for(account: Account) -> None:
    publish(stack(account), NOW)
    assert account.put[-1] == "index.html"


def test_what_an_open_page_still_asks_for_stays_until_nobody_has_it_open(account: Account, dist: Path) -> None:
    publish(stack(account), NOW)
    (dist / "assets/index-1.js").rename(dist / "assets/index-2.js")

    assert publish(stack(account), NOW) == (5, 0)
    assert {"assets/index-1.js", "assets/index-2.js"} <= account.there()
    # What is still published is as old by then, and stays.
    assert publish(stack(account), NOW + STILL_ASKED_FOR + timedelta(days=1)) == (5, 1)
    assert account.there() == {"index.html", "config.json", "icon.svg", "assets/index-2.js", "assets/zoo-1.css"}


def test_a_stack_without_a_console_says_so(account: Account) -> None:
    with pytest.raises(NotReached, match="no output ConsoleBucketName"):
        publish(stack(account, ConsoleBucketName=None), NOW)


@mock_aws
@pytest.mark.parametrize(
    ("parameters", "missing"),
    [
        ({"ConsoleOrigin": URL, "CallbackUrls": f"http://127.0.0.1:8976/callback,{URL}/signed-in"}, None),
        (
            {"ConsoleOrigin": "https://console.invalid", "CallbackUrls": "http://127.0.0.1:8976/callback"},
            f"ConsoleOrigin={URL} CallbackUrls=http://127.0.0.1:8976/callback,{URL}/signed-in",
        ),
        ({"ConsoleOrigin": URL, "CallbackUrls": ""}, f"CallbackUrls={URL}/signed-in"),
    ],
)
def test_it_says_what_the_deployment_does_not_know_yet(parameters: dict[str, str], missing: str | None) -> None:
    told = still_to_do(stack(Account(**parameters)))
    assert (told is None) if missing is None else (missing in (told or ""))


def test_on_the_laptop_there_is_nothing_to_publish(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main([])
    assert "make up" in capsys.readouterr().err
