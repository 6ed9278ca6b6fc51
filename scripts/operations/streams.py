"""The kitchens' stream as an operator uses it: put an event in, read a stretch of time again, make the figures anew.

A stream gives what it holds to whoever asks, as often as they ask. So its consumer's function is handed the past by an
invocation of the same form as Lambda's own; the mapping that feeds it goes on from where it is.
"""

import base64
import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from kitchens.model import minute
from kitchens.store import KitchenFigures
from laptop.pace import eventually

from .deployed import Deployed

# Lambda hands over a hundred at a time; an invocation takes 6 MB (Lambda developer guide, "Lambda quotas").
_AT_ONCE, _BYTES = 100, 4_000_000
_ATTEMPTS = 3
# A shard answers five calls a second, Lambda's own too (Kinesis Data Streams developer guide, "Quotas and limits").
_PACE = 0.5
# How far the clock by which something happened may be ahead of the one by which it came into the stream.
SKEW = timedelta(minutes=1)


class CannotReread(Exception):
    """What was asked for cannot be done; the message says why."""


def put(stack: Deployed, stream: str, body: str) -> None:
    """Put an event into the stream, under the key that the rule gives it.

    Args:
        stack: the stack.
        stream: its name.
        body: the whole event, or what never was one.
    """
    try:
        key = json.loads(body)["detail"]["data"]["restaurant_id"]
    except (ValueError, KeyError, TypeError):
        key = None
    # What is no event belongs to no kitchen.
    named = isinstance(key, str) and 0 < len(key) <= 256
    stack.client("kinesis").put_record(StreamName=stream, PartitionKey=key if named else "none", Data=body.encode())


class Rereader:
    """Reads a stack's stream again.

    Args:
        stack: the stack.

    Raises:
        CannotReread: it has no such stream.
    """

    def __init__(self, stack: Deployed) -> None:
        if "KitchensStreamName" not in stack.outputs:
            raise CannotReread(
                "This stack has no stream: deploy it with Kitchens=true (make down, make up WITH=kitchens)."
            )
        self._stack, self._stream = stack, stack.outputs["KitchensStreamName"]
        self._function = stack.outputs["KitchensFunctionName"]
        self._kinesis, self._lambda = stack.client("kinesis"), stack.client("lambda")
        self._figures = KitchenFigures(stack.client("dynamodb"), stack.outputs["KitchensFiguresTableName"])

    def since(self, moment: datetime) -> int:
        """Give the function what came into the stream since a moment. What was counted then is not counted again.

        Returns:
            How many records.

        Raises:
            CannotReread: that moment is yet to come, or the function fails.
        """
        if moment > datetime.now(UTC):
            raise CannotReread(f"{moment:%Y-%m-%d %H:%M} UTC is yet to come.")
        return sum(
            self._give(shard, batch) for shard in self._shards() for batch in _batches(self._read(shard, moment))
        )

    def reaches_back_to(self) -> datetime:
        """From when on the stream still has what came in."""
        return datetime.now(UTC) - timedelta(hours=self._summary()["RetentionPeriodHours"])

    def rebuild(self, moment: datetime) -> tuple[int, int]:
        """Forget what was counted since a minute, and count it anew. Meanwhile the stream waits.

        Returns:
            How many figures were forgotten, each a kitchen's minute, and how many records were read.

        Raises:
            CannotReread: the stream does not reach back so far, and what is forgotten would be gone; or the function
                fails.
        """
        since = minute(moment)
        if since - SKEW < (back := self.reaches_back_to()):
            raise CannotReread(f"The stream reaches back to {back:%Y-%m-%d %H:%M} UTC: older figures would be gone.")
        mapping = self._mapping()
        self._switch(mapping, on=False)
        # Only if it succeeds: whatever is counted in between would be counted twice, or not at all.
        forgotten = self._figures.forget(since)
        self._switch(mapping, on=True)
        return forgotten, self.since(since - SKEW)

    def _summary(self) -> dict[str, Any]:
        asked = self._kinesis.describe_stream_summary(StreamName=self._stream)
        return dict(asked["StreamDescriptionSummary"])

    def _shards(self) -> list[str]:
        pages = self._kinesis.get_paginator("list_shards").paginate(StreamName=self._stream)
        return [shard["ShardId"] for page in pages for shard in page["Shards"]]

    def _mapping(self) -> str:
        found = self._lambda.list_event_source_mappings(FunctionName=self._function)["EventSourceMappings"]
        [mapping] = [str(one["UUID"]) for one in found if one["EventSourceArn"].endswith(f":stream/{self._stream}")]
        return mapping

    def _switch(self, mapping: str, *, on: bool) -> None:
        self._lambda.update_event_source_mapping(UUID=mapping, Enabled=on)
        wanted = "Enabled" if on else "Disabled"
        eventually(
            lambda: self._lambda.get_event_source_mapping(UUID=mapping)["State"] == wanted, 180, f"a mapping {wanted}"
        )
        if not on and self._stack.region:
            # That the last batch is over by then is not written anywhere.
            time.sleep(self._lambda.get_function_configuration(FunctionName=self._function)["Timeout"])

    def _read(self, shard: str, since: datetime) -> Iterator[dict[str, Any]]:
        """The records of a shard, up to those of now, as Lambda hands them over."""
        arn = self._summary()["StreamARN"]
        iterator = self._kinesis.get_shard_iterator(
            StreamName=self._stream, ShardId=shard, ShardIteratorType="AT_TIMESTAMP", Timestamp=since
        )["ShardIterator"]
        while iterator:
            page = self._kinesis.get_records(ShardIterator=iterator, Limit=_AT_ONCE)
            for record in page["Records"]:
                yield _handed_over(record, shard, arn)
            # A closed shard has no next iterator; a page may be empty before the end.
            iterator = page.get("NextShardIterator") if page["MillisBehindLatest"] or page["Records"] else None
            if self._stack.region:
                time.sleep(_PACE)

    def _give(self, shard: str, batch: list[dict[str, Any]]) -> int:
        for _ in range(_ATTEMPTS):
            answer = self._lambda.invoke(FunctionName=self._function, Payload=json.dumps({"Records": batch}).encode())
            told = json.load(answer["Payload"])
            if not answer.get("FunctionError") and not told["batchItemFailures"]:
                return len(batch)
        first = batch[0]["kinesis"]["sequenceNumber"]
        raise CannotReread(f"The function fails: its log says why. It is at {first} in {shard}, or up to 100 after it.")


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        length = len(record["kinesis"]["data"])
        if batch and (len(batch) == _AT_ONCE or size + length > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def _handed_over(record: dict[str, Any], shard: str, arn: str) -> dict[str, Any]:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "awsRegion": arn.split(":")[3],
        "eventSourceARN": arn,
    }
