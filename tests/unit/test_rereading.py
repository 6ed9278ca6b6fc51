"""A stream is read again to its end, whatever its pages and its function do; and what kitchens did is shown."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import reread
import stats
from kitchens.model import Figures
from kitchens.store import KitchenFigures
from moto import mock_aws
from operations import deployed, kitchens
from operations.deployed import Deployed
from operations.streams import CannotReread, Rereader, put
from rich.console import Console
from worlds import feed
from worlds.promotions import order

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OUTPUTS = {
    "KitchensStreamName": "stream",
    "KitchensFunctionName": "function",
    "KitchensFiguresTableName": "FiguresTable",
}


class Function:
    """The function, which takes batches or does not."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.answers: Iterator[Any] = iter(())

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "function"
        self.batches.append(
            [json.loads(base64.b64decode(r["kinesis"]["data"])) for r in json.loads(Payload)["Records"]]
        )
        answer: dict[str, Any] = next(self.answers, {"batchItemFailures": []})
        error = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return {"Payload": BytesIO(json.dumps(answer).encode())} | error


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def stack(function: Function) -> Iterator[Deployed]:
    with mock_aws():
        kinesis = boto3.client("kinesis")
        kinesis.create_stream(StreamName="stream", ShardCount=2)
        clients = {"lambda": function, "kinesis": kinesis, "dynamodb": boto3.client("dynamodb")}
        yield Deployed(lambda service: clients[service], OUTPUTS)


def fill(stack: Deployed, records: int, size: int = 0) -> None:
    for number in range(records):
        document = json.dumps({"n": number, "padding": "x" * size})
        stack.client("kinesis").put_record(StreamName="stream", PartitionKey=str(number), Data=document.encode())


def test_every_record_of_every_shard_is_given_to_the_function_once(stack: Deployed, function: Function) -> None:
    fill(stack, 250)
    assert Rereader(stack).since(datetime.now(UTC) - timedelta(minutes=1)) == 250
    given = [record["n"] for batch in function.batches for record in batch]
    assert sorted(given) == list(range(250))
    assert max(map(len, function.batches)) <= 100


def test_large_records_come_in_batches_that_an_invocation_takes(stack: Deployed, function: Function) -> None:
    fill(stack, 16, size=700_000)
    assert Rereader(stack).since(datetime.now(UTC) - timedelta(minutes=1)) == 16
    assert max(map(len, function.batches)) <= 4


def test_a_function_that_fails_at_first_is_asked_again(stack: Deployed, function: Function) -> None:
    fill(stack, 1)
    function.answers = iter([{"errorType": "Busy"}, {"batchItemFailures": [{"itemIdentifier": "1"}]}])
    assert Rereader(stack).since(datetime.now(UTC) - timedelta(minutes=1)) == 1
    assert len(function.batches) == 3


def test_a_function_that_fails_each_time_is_told_with_the_position(stack: Deployed, function: Function) -> None:
    fill(stack, 1)
    function.answers = iter([{"errorType": "Broken"}] * 3)
    with pytest.raises(CannotReread, match=r"its log says why. It is at \d+ in shardId-"):
        Rereader(stack).since(datetime.now(UTC) - timedelta(minutes=1))


def test_a_moment_of_now_finds_an_empty_stretch(stack: Deployed, function: Function) -> None:
    fill(stack, 3)
    assert Rereader(stack).since(datetime.now(UTC)) == 0
    assert function.batches == []


def test_a_moment_that_is_yet_to_come_is_refused(stack: Deployed, function: Function) -> None:
    fill(stack, 3)
    with pytest.raises(CannotReread, match="is yet to come"):
        Rereader(stack).since(datetime.now(UTC) + timedelta(minutes=1))
    assert function.batches == []


def test_a_moment_before_the_stream_began_is_told_as_what_the_stream_still_has(
    stack: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deployed, "reach", lambda _: stack)
    fill(stack, 3)
    assert reread.main(["--since", "2026-01-31T12:00"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("3 events were read again, from ")
    assert "2026-01-31" not in told


def test_what_is_no_moment_is_refused_with_the_form(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        reread.main(["--since", "yesterday"])
    assert "'yesterday' is no moment: write 2026-01-31T12:00" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (json.dumps(feed.event("OrderPlaced", order(1), restaurant_id="r-bella")), "r-bella"),
        ("poison", "none"),
        ('{"detail": {"data": {"restaurant_id": 7}}}', "none"),
        (json.dumps({"detail": {"data": {"restaurant_id": "r" * 300}}}), "none"),
        ("[]", "none"),
    ],
)
def test_what_is_sent_back_lies_under_the_key_of_its_restaurant(stack: Deployed, body: str, key: str) -> None:
    told: list[dict[str, Any]] = []
    kinesis = SimpleNamespace(put_record=lambda **request: told.append(request))
    put(Deployed(lambda _: kinesis, OUTPUTS), "stream", body)
    assert told == [{"StreamName": "stream", "PartitionKey": key, "Data": body.encode()}]


def test_the_past_that_the_stream_has_lost_is_not_forgotten(stack: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(KitchenFigures, "forget", forget)
    with pytest.raises(CannotReread, match="older figures would be gone"):
        Rereader(stack).rebuild(datetime.now(UTC) - timedelta(hours=24))


DID: kitchens.Minutes = [
    ("r-bella", NOW, Figures(placed=2, accepted=1)),
    ("r-sushi", NOW, Figures(placed=1)),
    ("r-bella", NOW + timedelta(minutes=1), Figures(0, 1, 2, 2, 1_500_000, 1_260_000, 1)),
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `make stats KITCHENS=1` prints."""

    def show(*options: str) -> str:
        out = StringIO()
        monkeypatch.setattr(kitchens, "read", lambda *_: DID)
        monkeypatch.setattr(deployed, "reach", lambda _: None)
        monkeypatch.setattr("stats.Console", lambda **more: Console(file=out, **(more | {"width": 120})))
        monkeypatch.setattr("builtins.print", lambda text: out.write(text))
        assert stats.main(["--kitchens", *options]) == 0
        return out.getvalue()

    return show


def test_what_kitchens_did_is_shown_by_kitchen_and_by_minute(shown: Callable[..., str]) -> None:
    told = [[cell.strip() for cell in line.split("│")] for line in shown().splitlines() if "│" in line]
    assert told == [
        ["r-bella", "2", "2", "2", "12 min 30 s", "21 min", "1"],
        ["r-sushi", "1", "0", "0", "", "", "0"],
        ["2026-11-26 12:00", "3", "1", "0", "", "", "0"],
        ["2026-11-26 12:01", "0", "1", "2", "12 min 30 s", "21 min", "1"],
    ]


def test_what_kitchens_did_is_printed_for_programs(shown: Callable[..., str]) -> None:
    told = json.loads(shown("--json"))
    assert [(row["restaurant_id"], row["minute"], row["placed"], row["late"]) for row in told] == [
        ("r-bella", "2026-11-26T12:00Z", 2, 0),
        ("r-sushi", "2026-11-26T12:00Z", 1, 0),
        ("r-bella", "2026-11-26T12:01Z", 0, 1),
    ]


def test_a_stack_without_kitchens_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deployed, "reach", lambda _: Deployed(lambda _: None, {}))
    assert stats.main(["--kitchens"]) == 1
    assert "deploy it with Kitchens=true" in capsys.readouterr().err
