"""Queues in a hurry: what fails comes again sooner, and is given up no sooner than by the template."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from lab.queues import hurry
from moto import mock_aws


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs", region_name="eu-central-1")


@pytest.fixture
def queue(sqs: Any) -> str:
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    made = sqs.create_queue(QueueName="queue", Attributes={"VisibilityTimeout": "180", "RedrivePolicy": redrive})
    return str(made["QueueUrl"])


def attributes(sqs: Any, queue: str) -> tuple[int, int, str]:
    """Seconds until a message comes again, how often it may, and where it goes then."""
    names = ["VisibilityTimeout", "RedrivePolicy"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    redrive = json.loads(found["RedrivePolicy"])
    return int(found["VisibilityTimeout"]), int(redrive["maxReceiveCount"]), redrive["deadLetterTargetArn"]


@pytest.mark.parametrize(("seconds", "again", "times"), [(4.5, 5, 180), (0.2, 1, 900), (31.0, 31, 30), (180, 180, 5)])
def test_it_comes_again_sooner_and_is_given_up_no_sooner(
    sqs: Any, queue: str, seconds: float, again: int, times: int
) -> None:
    before = attributes(sqs, queue)
    as_it_was = hurry(sqs, queue, seconds)
    assert attributes(sqs, queue) == (again, times, before[2])
    assert again * times >= 180 * 5
    as_it_was()
    assert attributes(sqs, queue) == before
