"""The outbox: from an item in a table's stream to an event on the bus, at least once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from tiffin import outbox
from worlds.feed import dead_letter_queue
from worlds.runtime import context
from worlds.templates import resources

ORDER = "ord_vc72z45425iwi2mntvykvtjm4w"
TRACE = "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5;Parent=6b221d5bc9e6496c;Sampled=1"
BUS = "tiffin"
serialize = TypeSerializer().serialize


def item(number: int = 0, **data: Any) -> dict[str, str | int]:
    return outbox.item(
        {"order_id": ORDER, "record": f"EVENT#PaymentCaptured{number}"},
        source="tiffin.payments",
        name="PaymentCaptured",
        order_id=ORDER,
        data={"number": number, **data},
        trace_header=TRACE,
        identity=(str(number),),
        occurred_at="2026-11-26T11:02:09.877Z",
    )


def record(image: dict[str, Any], number: int = 0, event_name: str = "INSERT") -> dict[str, Any]:
    """A record as Lambda gets it from a DynamoDB stream."""
    typed = {name: serialize(value) for name, value in image.items()}
    keys = {name: typed[name] for name in ("order_id", "record")}
    dynamodb = {"Keys": keys, "NewImage": typed, "SequenceNumber": f"seq-{number}", "StreamViewType": "NEW_IMAGE"}
    return {"eventID": str(number), "eventName": event_name, "eventSource": "aws:dynamodb", "dynamodb": dynamodb}


def records(*numbers: int) -> list[dict[str, Any]]:
    return [record(item(number), number) for number in numbers]


class FakeBus:
    """Takes entries as EventBridge does, and refuses those whose number is in `refused`."""

    def __init__(self, *refused: int) -> None:
        self.refused, self.requests, self.events = set(refused), list[int](), list[int]()

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.requests.append(len(Entries))
        results = []
        for entry in Entries:
            number = json.loads(entry["Detail"])["data"]["number"]
            if number in self.refused:
                results.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "Slow down"})
            else:
                self.events.append(number)
                results.append({"EventId": "e"})
        return {"FailedEntryCount": sum("ErrorCode" in r for r in results), "Entries": results}

    def relay(self, batch: list[dict[str, Any]]) -> str | None:
        return outbox.relay(self, BUS, batch)  # type: ignore[arg-type]


class TestOnTheBus:
    @pytest.fixture
    def queue(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        """A queue behind a rule that takes everything from a real bus."""
        outbox._bus.cache_clear()
        monkeypatch.setenv("EVENT_BUS_NAME", BUS)
        with mock_aws():
            events, sqs = boto3.client("events"), boto3.client("sqs")
            url = sqs.create_queue(QueueName="all")["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            events.create_event_bus(Name=BUS)
            events.put_rule(Name="all", EventBusName=BUS, EventPattern='{"source": ["tiffin.payments"]}')
            events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "q", "Arn": arn}])
            yield lambda: [
                json.loads(message["Body"])
                for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            ]
        outbox._bus.cache_clear()

    def test_an_outbox_item_becomes_an_event(self, queue: Any) -> None:
        answer = outbox.handler({"Records": records(7)}, context())
        assert answer == {"batchItemFailures": []}
        (event,) = queue()
        assert event["source"] == "tiffin.payments"
        assert event["detail-type"] == "PaymentCaptured"
        assert event["time"].startswith("2026-11-26T11:02:09")
        assert event["detail"]["data"] == {"number": 7}
        assert event["detail"]["metadata"]["event_id"] == f"{ORDER}:PaymentCaptured:7"


class TestWhatIsSent:
    def test_the_entry_carries_moment_and_trace_of_the_request(self) -> None:
        entry = outbox._entry(records(0)[0], BUS)
        assert entry["TraceHeader"] == TRACE
        assert entry["Time"] == datetime(2026, 11, 26, 11, 2, 9, 877000, tzinfo=UTC)
        assert entry["EventBusName"] == BUS

    def test_only_new_outbox_items_are_announced(self) -> None:
        bus = FakeBus()
        row = record({"order_id": ORDER, "record": "PAYMENT"}, 1)
        expired = record(item(2), 2, "REMOVE")
        rewritten = record(item(3), 3, "MODIFY")
        assert bus.relay([row, expired, rewritten, *records(4)]) is None
        assert bus.events == [4]

    def test_ten_entries_go_into_a_request(self) -> None:
        bus = FakeBus()
        assert bus.relay(records(*range(23))) is None
        assert bus.requests == [10, 10, 3]
        assert bus.events == list(range(23))

    def test_a_request_stays_below_the_limit_on_its_size(self) -> None:
        bus = FakeBus()
        large = [record(item(number, text="é" * 50_000), number) for number in range(5)]
        assert bus.relay(large) is None
        assert bus.requests == [2, 2, 1]

    def test_an_empty_batch_leaves_the_bus_alone(self) -> None:
        bus = FakeBus()
        assert bus.relay([]) is None
        assert bus.requests == []


class TestFailures:
    def test_a_failure_is_answered_with_the_records_sequence_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EVENT_BUS_NAME", BUS)
        monkeypatch.setattr(outbox, "_bus", lambda: FakeBus(3))
        answer = outbox.handler({"Records": records(1, 2, 3, 4)}, context())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "seq-3"}]}

    def test_the_first_refused_entry_is_reported(self) -> None:
        bus = FakeBus(3, 5)
        assert bus.relay(records(*range(8))) == "seq-3"

    def test_sending_ends_with_the_request_that_failed(self) -> None:
        bus = FakeBus(3)
        assert bus.relay(records(*range(25))) == "seq-3"
        assert max(bus.events) == 9

    def test_the_rest_arrives_when_lambda_comes_back_with_it(self) -> None:
        bus = FakeBus(3)
        batch = records(*range(25))
        bus.relay(batch)
        bus.refused.clear()
        assert bus.relay(batch[3:]) is None
        assert set(bus.events) == set(range(25))

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutEvents"), "AccessDeniedException"),
            (EndpointConnectionError(endpoint_url="https://events"), "EndpointConnectionError"),
        ],
    )
    def test_a_bus_out_of_reach_fails_from_the_requests_first_record_on(
        self, error: Exception, reason: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Down(FakeBus):
            def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
                if self.requests:
                    raise error
                return super().put_events(Entries)

        bus = Down()
        assert bus.relay(records(*range(15))) == "seq-10"
        assert [getattr(line, "reason", "") for line in caplog.records] == [reason]


class TestPoison:
    """What the bus would refuse for good is set aside with its reason, and the others go on."""

    @pytest.fixture
    def letters(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        outbox._sqs.cache_clear()
        with mock_aws():
            yield dead_letter_queue(monkeypatch)
        outbox._sqs.cache_clear()

    @staticmethod
    def poison(**image: str) -> dict[str, Any]:
        return record({"order_id": ORDER, "record": "EVENT#X1", **image}, 1)

    @pytest.mark.parametrize(
        ("image", "reason"),
        [
            ({}, "KeyError"),
            ({"source": "tiffin.payments", "detail_type": "X", "detail": "not JSON"}, "JSONDecodeError"),
            (
                {"source": "tiffin.payments", "detail_type": "X", "detail": '{"metadata": {"event_id": "e"}}'},
                "ValidationError",
            ),
            ({"source": "tiffin.payments", "detail_type": "X", "detail": "[]"}, "TypeError"),
        ],
    )
    def test_it_is_set_aside_and_all_others_are_announced(
        self, letters: Any, image: dict[str, str], reason: str
    ) -> None:
        bus = FakeBus()
        assert bus.relay([*records(0), self.poison(**image), *records(2)]) is None
        assert bus.events == [0, 2]
        (letter,) = letters()
        assert json.loads(letter["Body"]) == {"order_id": {"S": ORDER}, "record": {"S": "EVENT#X1"}}
        attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
        assert attributes == {"reason": reason, "error_type": "NotAnEvent"}

    def test_an_event_larger_than_the_bus_takes_is_poison(self, letters: Any) -> None:
        bus = FakeBus()
        assert bus.relay([record(item(0, text="x" * outbox.MAX_REQUEST_BYTES), 0)]) is None
        assert bus.requests == []
        (letter,) = letters()
        assert letter["MessageAttributes"]["reason"]["StringValue"].endswith(" bytes")

    def test_it_waits_for_what_stands_before_it(self, letters: Any) -> None:
        bus = FakeBus(0)
        batch = [*records(0), self.poison(), *records(2)]
        assert [bus.relay(batch) for _ in range(3)] == ["seq-0"] * 3
        assert (letters(), bus.events) == ([], [])
        bus.refused.clear()
        assert bus.relay(batch) is None
        assert (len(letters()), bus.events) == (1, [0, 2])

    @pytest.mark.parametrize(
        "error",
        [ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage"), EndpointConnectionError(endpoint_url="x")],
    )
    def test_an_item_that_the_dead_letter_queue_refuses_is_reported(
        self, monkeypatch: pytest.MonkeyPatch, letters: Any, error: Exception
    ) -> None:
        def refuse(**_: Any) -> None:
            raise error

        monkeypatch.setattr(outbox._sqs(), "send_message", refuse)
        bus = FakeBus()
        assert bus.relay([*records(0), self.poison(), *records(2)]) == "seq-1"
        assert (letters(), bus.events) == ([], [0])


@pytest.mark.parametrize(
    ("service", "mapping", "function", "queue"),
    [
        ("payments", "OutboxStreamMapping", "OutboxRelayFunction", "OutboxDeadLetterQueue"),
        ("promotions", "OutboxStreamMapping", "OutboxRelayFunction", "OutboxDeadLetterQueue"),
    ],
)
def test_the_relay_gives_up_by_age_alone(service: str, mapping: str, function: str, queue: str) -> None:
    """A permission that is missing for an hour would use up any number of attempts."""
    there = resources(service)
    gives_up = there[mapping]["Properties"]
    assert (gives_up["MaximumRetryAttempts"], gives_up["MaximumRecordAgeInSeconds"]) == (-1, 6 * 3600)
    variables = there[function]["Properties"]["Environment"]["Variables"]
    assert variables["DEAD_LETTER_QUEUE_URL"] == {"Ref": queue}
    policies = there[f"{function}Role"]["Properties"]["Policies"]
    statements = [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]
    assert {"Fn::GetAtt": [queue, "Arn"]} in [s["Resource"] for s in statements if s["Action"] == "sqs:SendMessage"]


class TestItems:
    def test_an_item_is_kept_for_a_week(self) -> None:
        kept = int(item()["expires_at"]) - datetime.now(UTC).timestamp()
        assert kept == pytest.approx(7 * 86400, abs=60)

    def test_a_key_that_the_relay_would_pass_over_is_refused(self) -> None:
        with pytest.raises(ValueError, match="EVENT#"):
            outbox.item(
                {"order_id": ORDER, "record": "PAYMENT"},
                source="s",
                name="N",
                order_id=ORDER,
                data={},
                trace_header=TRACE,
            )
