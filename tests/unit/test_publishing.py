"""How the console gets into the bucket that it is served from, and what else it needs to be told of."""

# ruff: noqa: N803 - arguments are called as boto3 calls them

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import publish as command
import pytest
from laptop import web
from operations.deployed import Deployed
from operations.trouble import NotReached, Outputs
from publish import publish, still_to_do

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
    """As much of an account as a publication meets: a bucket that keeps versions, and a stack's parameters.

    Attributes:
        now: the moment.
        put: the names that were put, in order.
    """

    def __init__(self, **parameters: str) -> None:
        self.now = NOW
        self.put = list[str]()
        self._versions = list[dict[str, Any]]()
        self._parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]

    def __call__(self, service: str, /) -> Any:
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return {"Stacks": [{"StackName": StackName, "Parameters": self._parameters}]}

    def put_object(self, Bucket: str, Key: str, **what: Any) -> None:
        assert Bucket == BUCKET
        self.put.append(Key)
        self.delete_object(Bucket, Key)
        self._versions.append({"Key": Key, "LastModified": self.now, "IsLatest": True, **what})
        self.now += timedelta(seconds=1)

    def delete_object(self, Bucket: str, Key: str) -> None:
        for version in self._versions:
            if version["Key"] == Key:
                version["IsLatest"] = False

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_object_versions"
        return SimpleNamespace(
            paginate=lambda **_: [{"Versions": self._versions[:3]}, {"Versions": self._versions[3:]}]
        )

    def there(self) -> dict[str, dict[str, Any]]:
        return {version["Key"]: version for version in self._versions if version["IsLatest"]}


@pytest.fixture
def account() -> Account:
    return Account()


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

    there = account.there()
    assert {name: (one["ContentType"], one["CacheControl"]) for name, one in there.items()} == {
        "index.html": ("text/html", "no-cache"),
        "config.json": ("application/json", "no-cache"),
        "icon.svg": ("image/svg+xml", "no-cache"),
        "assets/index-1.js": ("text/javascript", "public, max-age=31536000, immutable"),
        "assets/zoo-1.css": ("text/css", "public, max-age=31536000, immutable"),
    }
    assert json.loads(there["config.json"]["Body"]) == web.configuration(OUTPUTS)


def test_the_page_comes_after_all_that_it_asks_for(account: Account) -> None:
    publish(stack(account), NOW)
    assert account.put[-1] == "index.html"


def test_what_an_open_page_still_asks_for_stays_until_nobody_has_it_open(account: Account, dist: Path) -> None:
    def published(name: str, after: timedelta) -> tuple[int, int]:
        account.now += after
        next(iter((dist / "assets").glob("index-*.js"))).rename(dist / "assets" / name)
        return publish(stack(account), account.now)

    day = timedelta(days=1)
    assert published("index-1.js", 0 * day) == (5, 0)
    # Of eight days ago, and on somebody's screen until this moment.
    assert published("index-2.js", 8 * day) == (5, 0)
    # Both are on screens of today, or of the day before yesterday.
    assert published("index-3.js", 2 * day) == (5, 0)
    assert {f"assets/index-{number}.js" for number in (1, 2, 3)} <= account.there().keys()
    # A week after it was replaced the first goes, and what is published still is as old, and stays.
    assert published("index-3.js", 6 * day) == (5, 1)
    assert account.there().keys() == {
        *("index.html", "config.json", "icon.svg", "assets/zoo-1.css"),
        *("assets/index-2.js", "assets/index-3.js"),
    }


def test_a_stack_without_a_console_says_so(account: Account) -> None:
    with pytest.raises(NotReached, match="no output ConsoleBucketName"):
        publish(stack(account, ConsoleBucketName=None), NOW)


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
