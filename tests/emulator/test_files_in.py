"""A file in a bucket calls a function, by way of EventBridge, as on AWS."""

import json
from typing import Any

import pytest
from worlds.emulator import World, allow_events, unique

PASSES_ON = """
    import boto3, json, os
    def handler(event, context):
        boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""
FAILS = """
    class NoSuchThing(Exception): pass
    def handler(event, context):
        raise NoSuchThing("it is not there")
"""


def a_bucket(world: World) -> str:
    """A bucket with versions, whose objects EventBridge is told of."""
    s3, name = world.client("s3"), unique("files")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}, SkipDestinationValidation=True
    )
    return name


def a_rule(world: World, bucket: str, target: str, letters: str | None = None, may_call: bool = True) -> str:
    """ARN of a rule that hands a bucket's objects to a target, but for those below `reports/`."""
    events, name = world.client("events"), unique("rule")
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"anything-but": {"prefix": "reports/"}}]}},
    }
    arn = str(events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"])
    aside = {"DeadLetterConfig": {"Arn": letters}} if letters else {}
    events.put_targets(Rule=name, Targets=[{"Id": "target", "Arn": target, **aside}])
    if ":function:" in target and may_call:
        world.functions.add_permission(
            FunctionName=target,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=arn,
        )
    return arn


def test_an_event_names_the_object_its_version_and_its_place_in_the_order(world: World) -> None:
    bucket, (queue, queue_arn) = a_bucket(world), world.queue(allow_events)
    a_rule(world, bucket, queue_arn)
    s3 = world.client("s3")

    versions = [s3.put_object(Bucket=bucket, Key="a menu.json", Body=text)["VersionId"] for text in (b"1", b"22")]
    events = sorted((world.next_message(queue) for _ in versions), key=sequencer)

    assert [event["detail"]["object"]["version-id"] for event in events] == versions
    assert [event["detail"]["object"]["size"] for event in events] == [1, 2]
    assert {event["detail"]["object"]["key"] for event in events} == {"a menu.json"}
    assert {(e["source"], e["detail-type"], e["detail"]["reason"]) for e in events} == {
        ("aws.s3", "Object Created", "PutObject")
    }


def sequencer(event: dict[str, Any]) -> str:
    return str(event["detail"]["object"]["sequencer"])


def test_every_way_to_make_an_object_is_told(world: World) -> None:
    bucket, (queue, queue_arn) = a_bucket(world), world.queue(allow_events)
    a_rule(world, bucket, queue_arn)
    s3 = world.client("s3")
    s3.put_object(Bucket=bucket, Key="reports/r.json", Body=b"{}")
    first = s3.put_object(Bucket=bucket, Key="m.json", Body=b"1")["VersionId"]
    assert world.next_message(queue)["detail"]["reason"] == "PutObject"

    source = {"Bucket": bucket, "Key": "m.json", "VersionId": first}
    copied = s3.copy_object(Bucket=bucket, Key="m.json", CopySource=source)["VersionId"]
    event = world.next_message(queue)
    assert (event["detail"]["reason"], event["detail"]["object"]["version-id"]) == ("CopyObject", copied)

    upload = s3.create_multipart_upload(Bucket=bucket, Key="m.json")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m.json", UploadId=upload, PartNumber=1, Body=b"2")["ETag"]
    whole = s3.complete_multipart_upload(
        Bucket=bucket, Key="m.json", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]}
    )["VersionId"]
    event = world.next_message(queue)
    assert (event["detail"]["reason"], event["detail"]["object"]["version-id"]) == ("CompleteMultipartUpload", whole)


def test_what_a_function_fails_at_is_tried_again_and_then_kept(world: World) -> None:
    bucket, (letters, letters_arn) = a_bucket(world), world.queue()
    function = world.function(FAILS)
    world.functions.put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": letters_arn}},
    )
    a_rule(world, bucket, function)

    world.client("s3").put_object(Bucket=bucket, Key="m.json", Body=b"1")

    record = world.next_message(letters)
    assert record["requestPayload"]["detail"]["object"]["key"] == "m.json"
    assert record["responsePayload"]["errorType"] == "NoSuchThing"
    assert record["responsePayload"]["errorMessage"] == "it is not there"
    assert record["requestContext"]["condition"] == "RetriesExhausted"


@pytest.mark.parametrize("may_call", [True, False])
def test_a_function_is_called_by_the_rule_that_its_policy_names(world: World, may_call: bool) -> None:
    """What may not be delivered is in the target's dead-letter queue at once, whole, with the reason."""
    bucket, (queue, _), (letters, letters_arn) = a_bucket(world), world.queue(), world.queue(allow_events)
    function = world.function(PASSES_ON)
    world.functions.update_function_configuration(FunctionName=function, Environment={"Variables": {"QUEUE": queue}})
    rule = a_rule(world, bucket, function, letters_arn, may_call)

    world.client("s3").put_object(Bucket=bucket, Key="m.json", Body=b"1")

    if may_call:
        assert world.next_message(queue)["detail"]["object"]["key"] == "m.json"
        return
    message = next_whole(world, letters)
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "m.json"
    said = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (said["ERROR_CODE"], said["RULE_ARN"], said["TARGET_ARN"]) == ("NO_PERMISSIONS", rule, function)


def next_whole(world: World, queue: str) -> dict[str, Any]:
    """The next message with its attributes."""
    (message,) = world.queues.receive_message(QueueUrl=queue, WaitTimeSeconds=20, MessageAttributeNames=["All"])[
        "Messages"
    ]
    return dict(message)
