"""A function that reads a stream reports what it cannot process; what it never can goes to a destination.

Source: AWS Lambda developer guide, for DynamoDB and for Kinesis alike: "Configuring partial batch response", "Retain
discarded records", "Create an event source mapping"; Lambda API reference, UpdateEventSourceMapping. With
`ReportBatchItemFailures` the lowest sequence number returned is the checkpoint to retry from, an unknown one fails the
whole batch; `BisectBatchOnFunctionError` splits a failed batch without counting that as a retry; after
`MaximumRetryAttempts` (-1: never) or `MaximumRecordAgeInSeconds` the rest goes to `OnFailure`. A shard waits for its
batch, and for nothing else; a mapping that is switched off goes on later from where it was, and is `Disabling` while a
batch is still out. A Kinesis stream is read by the function's role, and what is given up is sent by it. MiniStack takes
every batch that did not raise as done, retries one that did for ever, and lets all queues wait while a function reads a
Kinesis stream.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import dynamodb, eventbridge, kinesis, lambda_svc

from .workflow_permissions import role_allows

_BACKOFF_SECONDS = 0.5
_Record = dict[str, Any]


@dataclass(frozen=True)
class _Shard:
    """What a mapping reads one after the other.

    Attributes:
        key: by which its position and its trouble are known.
        name: of the shard.
        position: where reading goes on.
        read: gives so many records from a position on, each with the position behind it.
        move: sets the position.
    """

    key: str
    name: str
    position: Any
    read: Callable[[Any, int], list[tuple[_Record, Any]]]
    move: Callable[[Any], None]


@dataclass
class _Trouble:
    """What is known of the batch that a shard is stuck at."""

    position: Any
    attempts: int = 0
    size: int | None = None


_troubles: dict[str, _Trouble] = {}


def fill() -> None:
    """Replace the pollers of streams: each decides in one function both what to read and what a result means."""
    lambda_svc._poll_dynamodb_streams = lambda: _poll("dynamodb", _table_shards)
    lambda_svc._poll_kinesis = lambda: _poll("kinesis", _stream_shards)
    respond = lambda_svc._esm_response

    def esm_response(mapping: dict[str, Any]) -> Any:
        busy = any(key.partition("/")[0] == mapping.get("UUID") for key in list(lambda_svc._esm_inflight))
        described = respond(mapping)
        return described | {"State": "Disabling"} if busy and described.get("State") == "Disabled" else described

    lambda_svc._esm_response = esm_response


def _poll(service: str, shards: Callable[[dict[str, Any], Any], Iterator[_Shard]]) -> bool:
    """Dispatch at most one batch per shard; whether any was."""
    dispatched = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            try:
                source = parse_arn(mapping.get("EventSourceArn", ""))
            except ArnParseError:
                continue
            if mapping.get("Enabled", True) and source.service == service and source.region == get_region():
                for shard in shards(mapping, source):
                    dispatched = _poll_one(mapping, shard) or dispatched
    return dispatched


def _poll_one(mapping: dict[str, Any], shard: _Shard) -> bool:
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    key = shard.key
    busy = lambda_svc._esm_inflight.get(key, 0) or lambda_svc._esm_backoff_until.get(key, 0) > time.time()
    if function is None or busy:
        return False
    trouble = _troubles.get(key)
    size = trouble.size if trouble and trouble.position == shard.position else None
    read = shard.read(shard.position, size or mapping.get("BatchSize", 100))
    if not read or not _may_read(mapping, function):
        return False
    if not lambda_svc._apply_filter_criteria([record for record, _ in read], mapping):
        shard.move(read[-1][1])
        return True
    lambda_svc._dispatch_esm_batch(key, _run, mapping, function, shard, read, get_account_id(), get_region())
    return True


def _run(
    mapping: dict[str, Any], function: Any, shard: _Shard, read: list[tuple[_Record, Any]], account: str, region: str
) -> None:
    with request_scope(account, region):
        key = shard.key
        batch = lambda_svc._apply_filter_criteria([record for record, _ in read], mapping)
        result = lambda_svc._execute_function(function, {"Records": batch})
        failed = 0 if result.get("error") else _first_failure(mapping, batch, result.get("body"))
        if failed is None:
            mapping["LastProcessingResult"] = f"OK - {len(batch)} records"
            _troubles.pop(key, None)
            shard.move(read[-1][1])
            return
        mapping["LastProcessingResult"] = "FAILED"
        lambda_svc.logger.warning(
            "ESM: %s failed at record %d of %d: %s\n%s",
            mapping["FunctionName"], failed, len(batch), json.dumps(result.get("body")), result.get("log", ""),
        )  # fmt: skip
        # Records that the filter dropped count as read, so the checkpoint is looked up in what was read.
        before = [shard.position, *(behind for _, behind in read)]
        checkpoint = before[[_number(record) for record, _ in read].index(_number(batch[failed]))]
        shard.move(checkpoint)
        trouble = _troubles.setdefault(key, _Trouble(checkpoint))
        if trouble.position != checkpoint:
            trouble = _troubles[key] = _Trouble(checkpoint)
        left = batch[failed:]
        if mapping.get("BisectBatchOnFunctionError") and len(left) > 1:
            trouble.size = (len(left) + 1) // 2
        else:
            trouble.attempts += 1
            if _is_hopeless(mapping, trouble, left):
                condition = "RecordAgeExceeded" if _too_old(mapping, left) else "RetryAttemptsExhausted"
                _give_up(mapping, function, shard, left, result, condition)
                _troubles.pop(key, None)
                shard.move(read[-1][1])
                return
        lambda_svc._esm_backoff_until[key] = time.time() + _BACKOFF_SECONDS


# --- DynamoDB streams -------------------------------------------------------------------------------------------------


def _table_shards(mapping: dict[str, Any], source: Any) -> Iterator[_Shard]:
    """A live stream of a table, which has one shard here."""
    key, found = mapping["UUID"], lambda_svc._dynamodb_stream_table_from_arn_spec(source)
    table = found[0] if found else ""
    known = dynamodb._tables.get(table)
    if not known or known.get("LatestStreamArn") != mapping["EventSourceArn"]:
        return
    horizon, end = dynamodb.stream_start_position(table), dynamodb.stream_end_position(table)
    start = horizon if mapping.get("StartingPosition") == "TRIM_HORIZON" else end
    with lambda_svc._dynamodb_stream_positions_lock:
        position = lambda_svc._dynamodb_stream_positions.get(key)
        position = start if position is None else max(position, horizon)
        lambda_svc._dynamodb_stream_positions[key] = position

    def read(since: int, most: int) -> list[tuple[_Record, Any]]:
        records = dynamodb.stream_records_since(table, since, most)
        return [(record, since + index) for index, record in enumerate(records, 1)]

    def move(to: int) -> None:
        with lambda_svc._dynamodb_stream_positions_lock:
            lambda_svc._dynamodb_stream_positions[key] = to

    yield _Shard(key, "shardId-00000000000000000000-00000000", position, read, move)


# --- Kinesis ----------------------------------------------------------------------------------------------------------


def _stream_shards(mapping: dict[str, Any], source: Any) -> Iterator[_Shard]:
    """The shards of a Kinesis stream. A position is the sequence number of the last record that is done."""
    name = lambda_svc._kinesis_stream_name_from_arn_spec(source)
    stream = kinesis._streams.get_scoped(source.account_id, source.region, name) if name else None
    if not stream or stream.get("StreamARN") != mapping["EventSourceArn"] or stream["StreamStatus"] != "ACTIVE":
        return
    kinesis._expire_records(stream)
    known = lambda_svc._kinesis_positions.get(mapping["UUID"])
    # A shard that comes later, by splitting, is read from its beginning.
    latest = known is None and mapping.get("StartingPosition") != "TRIM_HORIZON"
    if known is None:
        known = lambda_svc._kinesis_positions[mapping["UUID"]] = {}
    for shard_id, shard in list(stream["shards"].items()):
        last = shard["records"][-1]["SequenceNumber"] if shard["records"] else ""
        position = known.setdefault(shard_id, last if latest else "")
        yield _Shard(
            f"{mapping['UUID']}/{shard_id}",
            shard_id,
            position,
            _reader(mapping, shard_id, shard),
            _mover(known, shard_id),
        )


def _reader(mapping: dict[str, Any], shard_id: str, shard: Any) -> Callable[[Any, int], list[tuple[_Record, Any]]]:
    def read(since: str, most: int) -> list[tuple[_Record, Any]]:
        records = _behind(shard["records"], since)[:most]
        return [(_handed_over(mapping, shard_id, record), record["SequenceNumber"]) for record in records]

    return read


def _behind(records: list[dict[str, Any]], since: str) -> list[dict[str, Any]]:
    """What lies behind a record.

    By its place, and not by its number: MiniStack draws a number first and then puts the record in, so that of two at
    once the later number may lie before the earlier one.
    """
    for index in range(len(records), 0, -1):
        if records[index - 1]["SequenceNumber"] == since:
            return records[index:]
    # At the beginning, or it has expired meanwhile.
    return list(records)


def _mover(positions: dict[str, str], shard_id: str) -> Callable[[Any], None]:
    return lambda to: positions.update({shard_id: to})


def _handed_over(mapping: dict[str, Any], shard_id: str, record: dict[str, Any]) -> _Record:
    """A record as Lambda hands it over (Lambda developer guide, "Using Lambda with Kinesis", example event)."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": kinesis._ensure_base64(record["Data"]),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{get_account_id()}:role/lambda-role",
        "awsRegion": get_region(),
        "eventSourceARN": mapping["EventSourceArn"],
    }


def _may_read(mapping: dict[str, Any], function: Any) -> bool:
    arn = mapping["EventSourceArn"]
    if ":kinesis:" not in arn or role_allows(_role(function), "kinesis:GetRecords", arn):
        return True
    mapping["LastProcessingResult"] = "PROBLEM: the function's role may not read the stream"
    return False


def _role(function: Any) -> str:
    return str((function.get("config") or function).get("Role", ""))


# --- What both have in common -----------------------------------------------------------------------------------------


def _number(record: _Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"] if "dynamodb" in record else record["kinesis"]["sequenceNumber"])


def _arrived(record: _Record) -> float:
    if "dynamodb" in record:
        return float(record["dynamodb"]["ApproximateCreationDateTime"])
    return float(record["kinesis"]["approximateArrivalTimestamp"])


def _first_failure(mapping: dict[str, Any], batch: list[_Record], body: Any) -> int | None:
    """Index of the first record that was not processed; None if all were."""
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        return None
    if body is None or not isinstance(body, dict) or not body.get("batchItemFailures"):
        return None
    numbers = [_number(record) for record in batch]
    try:
        return min(numbers.index(failure["itemIdentifier"]) for failure in body["batchItemFailures"])
    except (KeyError, TypeError, ValueError):
        return 0


def _is_hopeless(mapping: dict[str, Any], trouble: _Trouble, left: list[_Record]) -> bool:
    most = mapping.get("MaximumRetryAttempts", -1)
    return (most is not None and 0 <= int(most) < trouble.attempts) or _too_old(mapping, left)


def _too_old(mapping: dict[str, Any], left: list[_Record]) -> bool:
    limit = mapping.get("MaximumRecordAgeInSeconds") or -1
    return 0 < int(limit) < time.time() - _arrived(left[0])


def _give_up(
    mapping: dict[str, Any], function: Any, shard: _Shard, left: list[_Record], result: dict[str, Any], condition: str
) -> None:
    arn = mapping["EventSourceArn"]
    if ":kinesis:" not in arn:
        lambda_svc._send_ddb_stream_failure_record(mapping, function, left, arn, result, condition)
        return
    destination = str(((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", ""))
    if not role_allows(_role(function), "sqs:SendMessage", destination):
        lambda_svc.logger.error("ESM: %s may not send to %s what it gives up", mapping["FunctionName"], destination)
        return
    told = {
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": (function.get("config") or function).get("FunctionArn", ""),
            "condition": condition,
            "approximateInvokeCount": 1,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": result.get("function_error") or "Unhandled",
        },
        "version": "1.0",
        "timestamp": _iso(time.time()),
        "KinesisBatchInfo": {
            "shardId": shard.name,
            "startSequenceNumber": _number(left[0]),
            "endSequenceNumber": _number(left[-1]),
            "approximateArrivalOfFirstRecord": _iso(_arrived(left[0])),
            "approximateArrivalOfLastRecord": _iso(_arrived(left[-1])),
            "batchSize": len(left),
            "streamArn": arn,
        },
    }
    eventbridge._dispatch_to_sqs(parse_arn(destination), json.dumps(told))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
