"""A function that reads a DynamoDB stream reports what it cannot process; what it never can goes to a destination.

Source: AWS Lambda developer guide, "Configuring partial batch response with DynamoDB and Lambda", "Retain discarded
records with DynamoDB and Lambda" and "Create a DynamoDB event source mapping": with `ReportBatchItemFailures` the
lowest sequence number returned is the checkpoint to retry from, an unknown one fails the whole batch;
`BisectBatchOnFunctionError` splits a failed batch without counting that as a retry; after `MaximumRetryAttempts` (-1:
never) the rest goes to `OnFailure`. MiniStack takes every batch that did not raise as done, and retries one that did
for ever.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import dynamodb, lambda_svc

_BACKOFF_SECONDS = 0.5


@dataclass
class _Trouble:
    """What is known of the batch that a mapping is stuck at."""

    position: int
    attempts: int = 0
    size: int | None = None


_troubles: dict[str, _Trouble] = {}


def fill() -> None:
    """Replace the poller of DynamoDB streams: its one function decides both what to read and what a result means."""
    lambda_svc._poll_dynamodb_streams = _poll


def _poll() -> bool:
    """Dispatch at most one batch per mapping; whether any was."""
    dispatched = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            dispatched = _poll_one(mapping) or dispatched
    return dispatched


def _poll_one(mapping: dict[str, Any]) -> bool:
    table = _table(mapping)
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    key = mapping["UUID"]
    busy = lambda_svc._esm_inflight.get(key, 0) or lambda_svc._esm_backoff_until.get(key, 0) > time.time()
    if table is None or function is None or busy:
        return False
    position = _position(mapping, table)
    trouble = _troubles.get(key)
    size = trouble.size if trouble and trouble.size and trouble.position == position else mapping.get("BatchSize", 100)
    read = dynamodb.stream_records_since(table, position, size)
    if not read:
        return False
    if not lambda_svc._apply_filter_criteria(read, mapping):
        _move_to(key, position + len(read))
        return True
    lambda_svc._dispatch_esm_batch(key, _run, mapping, function, read, position, get_account_id(), get_region())
    return True


def _run(
    mapping: dict[str, Any], function: Any, read: list[dict[str, Any]], position: int, account: str, region: str
) -> None:
    with request_scope(account, region):
        key = mapping["UUID"]
        batch = lambda_svc._apply_filter_criteria(read, mapping)
        result = lambda_svc._execute_function(function, {"Records": batch})
        failed = 0 if result.get("error") else _first_failure(mapping, batch, result.get("body"))
        if failed is None:
            mapping["LastProcessingResult"] = f"OK - {len(batch)} records"
            _troubles.pop(key, None)
            _move_to(key, position + len(read))
            return
        mapping["LastProcessingResult"] = "FAILED"
        lambda_svc.logger.warning(
            "ESM: %s failed at record %d of %d: %s\n%s",
            mapping["FunctionName"], failed, len(batch), json.dumps(result.get("body")), result.get("log", ""),
        )  # fmt: skip
        # Records that the filter dropped count as read, so the checkpoint is looked up in what was read.
        checkpoint = position + _index(read, batch[failed])
        _move_to(key, checkpoint)
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
                lambda_svc._send_ddb_stream_failure_record(
                    mapping, function, left, mapping["EventSourceArn"], result, condition
                )
                _troubles.pop(key, None)
                _move_to(key, position + len(read))
                return
        lambda_svc._esm_backoff_until[key] = time.time() + _BACKOFF_SECONDS


def _table(mapping: dict[str, Any]) -> str | None:
    """The table whose live stream an enabled mapping reads."""
    try:
        source = parse_arn(mapping.get("EventSourceArn", ""))
    except ArnParseError:
        return None
    if not mapping.get("Enabled", True) or source.service != "dynamodb" or source.region != get_region():
        return None
    stream = lambda_svc._dynamodb_stream_table_from_arn_spec(source)
    table = dynamodb._tables.get(stream[0]) if stream else None
    return stream[0] if table and table.get("LatestStreamArn") == mapping["EventSourceArn"] else None


def _position(mapping: dict[str, Any], table: str) -> int:
    horizon, end = dynamodb.stream_start_position(table), dynamodb.stream_end_position(table)
    start = horizon if mapping.get("StartingPosition") == "TRIM_HORIZON" else end
    with lambda_svc._dynamodb_stream_positions_lock:
        known = lambda_svc._dynamodb_stream_positions.get(mapping["UUID"])
        position = start if known is None else max(known, horizon)
        lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position
        return int(position)


def _move_to(key: str, position: int) -> None:
    with lambda_svc._dynamodb_stream_positions_lock:
        lambda_svc._dynamodb_stream_positions[key] = position


def _first_failure(mapping: dict[str, Any], batch: list[dict[str, Any]], body: Any) -> int | None:
    """Index of the first record that was not processed; None if all were."""
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        return None
    if body is None or not isinstance(body, dict) or not body.get("batchItemFailures"):
        return None
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
    try:
        return min(numbers.index(failure["itemIdentifier"]) for failure in body["batchItemFailures"])
    except (KeyError, TypeError, ValueError):
        return 0


def _index(records: list[dict[str, Any]], record: dict[str, Any]) -> int:
    wanted = record["dynamodb"]["SequenceNumber"]
    return next(i for i, candidate in enumerate(records) if candidate["dynamodb"]["SequenceNumber"] == wanted)


def _is_hopeless(mapping: dict[str, Any], trouble: _Trouble, left: list[dict[str, Any]]) -> bool:
    most = mapping.get("MaximumRetryAttempts", -1)
    return (most is not None and 0 <= int(most) < trouble.attempts) or _too_old(mapping, left)


def _too_old(mapping: dict[str, Any], left: list[dict[str, Any]]) -> bool:
    limit = mapping.get("MaximumRecordAgeInSeconds") or -1
    return 0 < int(limit) < time.time() - float(left[0]["dynamodb"]["ApproximateCreationDateTime"])
