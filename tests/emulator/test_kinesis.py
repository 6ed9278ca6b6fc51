"""Kinesis as Tiffin relies on it: what a rule puts in, who may, and what becomes of what a function cannot process."""

import json
import textwrap
import time
from collections.abc import Callable
from typing import Any

import pytest
from laptop.emulator.gaps import stream_failures, stream_targets
from worlds.emulator import World, allow_events, unique
from worlds.polling import eventually

READER = """
    import base64, boto3, json
    def handler(event, context):
        numbers = [json.loads(base64.b64decode(r["kinesis"]["data"]))["n"] for r in event["Records"]]
        boto3.client("sqs").send_message(QueueUrl=QUEUE, MessageBody=json.dumps(numbers))
        if MODE == "raise" and POISON in numbers:
            raise ValueError("poison")
        bad = [r["kinesis"]["sequenceNumber"] for r, n in zip(event["Records"], numbers) if n == POISON]
        return {"batchItemFailures": [{"itemIdentifier": n} for n in bad] if MODE == "report" else []}
"""
REPORTED: dict[str, Any] = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


class Reading:
    """A stream with four records and a function that reads it.

    Attributes:
        told: the queue to which the function tells each batch it gets.
        given_up: the queue for what is given up.
    """

    def __init__(
        self, world: World, mode: str, poison: int, role: str | None = None, shards: int = 1, **mapping: Any
    ) -> None:
        self.world, self.stream, self.kinesis = world, unique("stream"), world.client("kinesis")
        self.told, _ = world.queue()
        self.given_up, given_up_arn = world.queue()
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=shards)
        described = self.kinesis.describe_stream_summary(StreamName=self.stream)["StreamDescriptionSummary"]
        self.arn = described["StreamARN"]
        for number in range(4):
            self.put(number)
        source = f"QUEUE, MODE, POISON = {self.told!r}, {mode!r}, {poison}\n" + textwrap.dedent(READER)
        made = world.functions.create_event_source_mapping(
            EventSourceArn=self.arn,
            FunctionName=world.function(source, role=role),
            **(
                {"StartingPosition": "TRIM_HORIZON", "BatchSize": 10}
                | {"DestinationConfig": {"OnFailure": {"Destination": given_up_arn}}}
                | mapping
            ),
        )
        self.mapping = made["UUID"]

    def put(self, number: int, key: str = "any") -> None:
        self.kinesis.put_record(StreamName=self.stream, PartitionKey=key, Data=json.dumps({"n": number}).encode())

    def batches_until(self, number: int) -> list[list[int]]:
        """The batches that the function got, up to the first with that number."""
        batches: list[list[int]] = []
        while not any(number in batch for batch in batches):
            batches.append(self.world.next_message(self.told))
        return batches

    def state(self) -> dict[str, Any]:
        return dict(self.world.functions.get_event_source_mapping(UUID=self.mapping))


class TestFunction:
    """What becomes of the records of a stream that a function cannot process."""

    def test_a_batch_is_retried_from_the_reported_record_on(self, world: World) -> None:
        reading = Reading(world, "report", 2, MaximumRetryAttempts=5, **REPORTED)

        assert [world.next_message(reading.told) for _ in range(3)] == [[0, 1, 2, 3], [2, 3], [2, 3]]

    def test_what_passes_is_handed_out_once(self, world: World) -> None:
        reading = Reading(world, "report", -1, **REPORTED)
        assert world.next_message(reading.told) == [0, 1, 2, 3]

        reading.put(9)

        assert world.next_message(reading.told) == [9]

    @pytest.mark.parametrize("mode", ["raise", "report"])
    def test_a_record_that_fails_every_time_goes_to_the_destination_by_its_position_and_the_others_pass(
        self, world: World, mode: str
    ) -> None:
        reading = Reading(world, mode, 2, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1, **REPORTED)

        discarded = world.next_message(reading.given_up)

        assert discarded["requestContext"]["condition"] == "RetryAttemptsExhausted"
        where = discarded["KinesisBatchInfo"]
        assert (where["batchSize"], where["streamArn"]) == (1, reading.arn)
        at = reading.kinesis.get_shard_iterator(
            StreamName=reading.stream,
            ShardId=where["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=where["startSequenceNumber"],
        )["ShardIterator"]
        assert json.loads(reading.kinesis.get_records(ShardIterator=at, Limit=1)["Records"][0]["Data"]) == {"n": 2}
        reading.put(9)
        passed = {number for batch in reading.batches_until(9) if 2 not in batch for number in batch}
        assert passed | {0, 1} == {0, 1, 3, 9}

    def test_a_record_that_is_too_old_is_given_up_however_few_the_attempts(self, world: World) -> None:
        # A minute is the least that Lambda takes; the emulator takes less.
        reading = Reading(world, "raise", 2, MaximumRecordAgeInSeconds=1)

        assert world.next_message(reading.given_up)["requestContext"]["condition"] == "RecordAgeExceeded"

    def test_a_shard_waits_for_its_batch_and_no_other_shard_does(self, world: World) -> None:
        reading = Reading(world, "raise", 2, shards=2)
        keys = {self.shard(reading, key): key for key in "abcdefgh"}
        stuck = self.shard(reading, "any")
        [other] = keys.keys() - {stuck}

        reading.put(7, keys[stuck])
        reading.put(8, keys[other])

        batches = reading.batches_until(8)
        assert 2 not in batches[-1]
        assert all(2 in batch for batch in batches if 7 in batch)

    @staticmethod
    def shard(reading: Reading, key: str) -> str:
        """Where a key leads, by writing a harmless record under it."""
        put = reading.kinesis.put_record(StreamName=reading.stream, PartitionKey=key, Data=b'{"n": -1}')
        return str(put["ShardId"])

    def test_a_mapping_that_is_switched_off_goes_on_from_where_it_was(self, world: World) -> None:
        reading = Reading(world, "report", -1, **REPORTED)
        assert world.next_message(reading.told) == [0, 1, 2, 3]
        world.functions.update_event_source_mapping(UUID=reading.mapping, Enabled=False)
        assert eventually(lambda: reading.state()["State"] == "Disabled")

        reading.put(9)
        world.functions.update_event_source_mapping(UUID=reading.mapping, Enabled=True)

        assert world.next_message(reading.told) == [9]

    def test_a_queue_is_read_while_the_function_of_a_stream_takes_its_time(self, world: World) -> None:
        reading = Reading(world, "report", -1, **REPORTED)
        slow = world.function("def handler(event, context):\n    import time; time.sleep(60)", timeout=60)
        world.functions.create_event_source_mapping(
            EventSourceArn=reading.arn, FunctionName=slow, StartingPosition="TRIM_HORIZON"
        )
        incoming, incoming_arn = world.queue()
        told, _ = world.queue()
        echo = f"""
            import boto3
            def handler(event, context):
                boto3.client("sqs").send_message(QueueUrl={told!r}, MessageBody=event["Records"][0]["body"])
        """
        world.functions.create_event_source_mapping(EventSourceArn=incoming_arn, FunctionName=world.function(echo))
        assert world.next_message(reading.told) == [0, 1, 2, 3]

        world.queues.send_message(QueueUrl=incoming, MessageBody='"through"')

        assert world.next_message(told) == "through"

    def test_a_stream_is_read_by_the_functions_role(self, world: World) -> None:
        role = world.role([{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}])
        reading = Reading(world, "report", -1, role=role)
        assert eventually(lambda: reading.state()["LastProcessingResult"].startswith("PROBLEM"))

        allowed = {"Effect": "Allow", "Action": "kinesis:GetRecords", "Resource": reading.arn}
        world.iam.put_role_policy(
            RoleName=role.rpartition("/")[2],
            PolicyName="more",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        )

        assert world.next_message(reading.told) == [0, 1, 2, 3]


class TestPlace:
    """Where a mapping goes on reading, whatever numbers the records have."""

    @staticmethod
    def shard(*numbers: str) -> list[dict[str, Any]]:
        return [{"SequenceNumber": number} for number in numbers]

    @pytest.mark.parametrize(
        ("numbers", "since", "left"),
        [
            ("123", "", ["1", "2", "3"]),
            ("123", "2", ["3"]),
            ("123", "3", []),
            # Two at once: the one that was numbered first was put in last.
            ("132", "3", ["2"]),
            # The record has expired.
            ("56", "4", ["5", "6"]),
        ],
    )
    def test_every_record_behind_the_last_one_is_read(self, numbers: str, since: str, left: list[str]) -> None:
        found = stream_failures._behind(self.shard(*numbers), since)
        assert [record["SequenceNumber"] for record in found] == left


class TestExpiry:
    """What a stream keeps, while others put into it."""

    def test_old_records_go_and_what_comes_in_meanwhile_stays(self) -> None:
        now = time.time()
        records = [{"ApproximateArrivalTimestamp": now - hours * 3600} for hours in (30, 25, 23, 0)]
        stream = {"RetentionPeriodHours": 24, "shards": {"shard": {"records": records}}}

        stream_targets._expire(stream)
        records.append({"ApproximateArrivalTimestamp": now})  # by whoever got the list before

        kept = stream["shards"]["shard"]["records"]  # type: ignore[index]
        assert [round((now - record["ApproximateArrivalTimestamp"]) / 3600) for record in kept] == [23, 0, 0]


class TestTarget:
    """A rule that puts its events into a stream."""

    @staticmethod
    def bus(world: World, role: Callable[[str], str], path: str | None) -> tuple[Callable[..., None], Any]:
        """What announces on a bus with such a rule, and what gives the stream's records."""
        events, kinesis, name = world.client("events"), world.client("kinesis"), unique("bus")
        kinesis.create_stream(StreamName=name, ShardCount=1)
        arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        events.create_event_bus(Name=name)
        events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["here"]}))
        _, seen_arn = world.queue(allow_events)
        target = {"Id": "stream", "Arn": arn, "RoleArn": role(arn)}
        if path:
            target["KinesisParameters"] = {"PartitionKeyPath": path}
        events.put_targets(Rule=name, EventBusName=name, Targets=[target, {"Id": "seen", "Arn": seen_arn}])

        def announce(detail: dict[str, Any]) -> None:
            entry = {"EventBusName": name, "Source": "here", "DetailType": "Happened", "Detail": json.dumps(detail)}
            events.put_events(Entries=[entry])

        def records() -> list[dict[str, Any]]:
            at = kinesis.get_shard_iterator(
                StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            return list(kinesis.get_records(ShardIterator=at)["Records"])

        return announce, records

    @staticmethod
    def may(world: World, action: str) -> Callable[[str], str]:
        return lambda arn: world.role([{"Effect": "Allow", "Action": action, "Resource": arn}])

    def test_an_event_lies_in_the_stream_whole_under_the_key_that_the_target_names(self, world: World) -> None:
        announce, records = self.bus(world, self.may(world, "kinesis:PutRecord"), "$.detail.data.place")

        announce({"data": {"place": "r-bella"}})

        [record] = eventually(records, what="the record")
        event = json.loads(record["Data"])
        assert record["PartitionKey"] == "r-bella"
        assert (event["source"], event["detail-type"], event["detail"]) == (
            "here",
            "Happened",
            {"data": {"place": "r-bella"}},
        )
        assert {"id", "time", "account", "region", "resources", "version"} <= event.keys()

    def test_without_a_path_the_key_is_the_events_id(self, world: World) -> None:
        announce, records = self.bus(world, self.may(world, "kinesis:PutRecord"), None)

        announce({})

        [record] = eventually(records, what="the record")
        assert record["PartitionKey"] == json.loads(record["Data"])["id"]

    def test_a_role_that_may_not_put_leaves_the_stream_empty(self, world: World) -> None:
        announce, records = self.bus(world, self.may(world, "kinesis:GetRecords"), None)

        announce({})
        announce({})

        assert records() == []
