"""Everything that the deployed stack and its emulator have written down, to be searched for what must not be there."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from laptop import Stack
from laptop.environment import STATE_DIR

# Bytes that are looked through at once, and more than any word has that is looked for.
_PIECE, _WORD = 1 << 20, 1 << 10
# What was built, downloaded or trained; nobody's words are in there.
_BUILT = {"sam", "sam-local", "packages", "layers", "home"}


def log_lines(stack: Stack) -> Iterator[str]:
    """Every line of every log group."""
    logs = stack.client("logs")
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                yield from (event["message"] for event in page["events"])


def segments(stack: Stack, since: datetime) -> Iterator[str]:
    """Every segment of every trace since a moment."""
    xray = stack.client("xray")
    summaries = xray.get_paginator("get_trace_summaries").paginate(
        StartTime=since, EndTime=datetime.now(UTC) + timedelta(seconds=5)
    )
    ids = [summary["Id"] for page in summaries for summary in page["TraceSummaries"]]
    for start in range(0, len(ids), 5):
        for page in xray.get_paginator("batch_get_traces").paginate(TraceIds=ids[start : start + 5]):
            yield from (segment["Document"] for trace in page["Traces"] for segment in trace["Segments"])


def histories(stack: Stack, machine: str) -> Iterator[str]:
    """Every execution of a state machine, named by its output, and its history."""
    workflows = stack.client("stepfunctions")
    for page in workflows.get_paginator("list_executions").paginate(stateMachineArn=stack.outputs[machine]):
        for execution in page["executions"]:
            arn = execution["executionArn"]
            yield json.dumps(workflows.describe_execution(executionArn=arn), default=str)
            events = workflows.get_paginator("get_execution_history").paginate(executionArn=arn)
            yield from (json.dumps(event, default=str) for found in events for event in found["events"])


def tables(stack: Stack) -> Iterator[str]:
    """Every row of every table."""
    dynamodb = stack.client("dynamodb")
    for listed in dynamodb.get_paginator("list_tables").paginate():
        for table in listed["TableNames"]:
            for page in dynamodb.get_paginator("scan").paginate(TableName=table):
                yield from (f"{table}: {json.dumps(row, default=str, ensure_ascii=False)}" for row in page["Items"])


def buckets(stack: Stack) -> Iterator[str]:
    """Every object of every bucket, former versions too; not what the functions are made of."""
    s3 = stack.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
            for one in page.get("Versions", []):
                which = {"Bucket": bucket["Name"], "Key": one["Key"]}
                body = s3.get_object(**which, VersionId=one["VersionId"])["Body"].read()
                yield f"{bucket['Name']}/{one['Key']}: {body.decode('utf-8', 'replace')}"


def messages(stack: Stack) -> Iterator[str]:
    """What lies in queues; it stays there."""
    sqs = stack.client("sqs")
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            look: Any = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
            for message in sqs.receive_message(**look, MessageAttributeNames=["All"]).get("Messages", []):
                yield f"{url}: {json.dumps(message, default=str, ensure_ascii=False)}"


def streamed(stack: Stack) -> Iterator[str]:
    """What lies in streams."""
    kinesis = stack.client("kinesis")
    for stream in kinesis.list_streams()["StreamNames"]:
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
            at: Any = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = kinesis.get_shard_iterator(**at)["ShardIterator"]
            while records := (answer := kinesis.get_records(ShardIterator=iterator))["Records"]:
                yield from (f"{stream}: {record['Data'].decode('utf-8', 'replace')}" for record in records)
                iterator = answer["NextShardIterator"]


def accounts(stack: Stack) -> Iterator[str]:
    """Everybody in every user pool."""
    pools = stack.client("cognito-idp")
    for pool in pools.list_user_pools(MaxResults=60)["UserPools"]:
        for page in pools.get_paginator("list_users").paginate(UserPoolId=pool["Id"]):
            yield from (json.dumps(user, default=str, ensure_ascii=False) for user in page["Users"])


def metrics(stack: Stack) -> Iterator[str]:
    """Every metric's name and dimensions."""
    for page in stack.client("cloudwatch").get_paginator("list_metrics").paginate():
        yield from (json.dumps(metric) for metric in page["Metrics"])


def files(*folders: Path) -> Iterator[str]:
    """Every file that the emulator and its tools have written: logs, the record of traces, what functions leave."""
    for folder in folders or (STATE_DIR,):
        for top in sorted(folder.iterdir()):
            for path in [] if top.name in _BUILT else sorted([top, *top.rglob("*")]):
                # Tests in another lane stop emulators, and what was theirs goes.
                with suppress(FileNotFoundError):
                    if path.is_file():
                        yield from (f"{path}: {piece.decode('utf-8', 'replace')}" for piece in _pieces(path))


def _pieces(path: Path) -> Iterator[bytes]:
    """A file of any size, piece by piece. Each begins with the last of the one before: no word is cut in two."""
    with path.open("rb") as file:
        before = b""
        while piece := file.read(_PIECE):
            yield before + piece
            before = piece[-_WORD:]


def everything(stack: Stack, since: datetime, *folders: Path) -> Iterator[str]:
    """All of the above."""
    for machine in ("OrderWorkflowArn", "UnwindWorkflowArn"):
        yield from histories(stack, machine)
    for look in (tables, buckets, messages, streamed, accounts, metrics, log_lines):
        yield from look(stack)
    yield from segments(stack, since)
    yield from files(*folders)


def found(texts: Iterable[str], *words: str) -> list[str]:
    """The beginnings of those texts that have one of the words in them, in whatever case."""
    return [text[:300] for text in texts if any(word.lower() in text.lower() for word in words)]
