"""A tap on the event bus: what was really announced, as an ordinary consumer would get it."""

import json
import threading
import uuid
from collections.abc import Callable
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from .errors import EventNotSeen
from .pace import Deadline

Event = dict[str, Any]


def fed_by(rule_arn: str, queue_arn: str) -> dict[str, Any]:
    """A queue's policy that lets one rule send to it, and nobody else."""
    return {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        },
    }


class BusTap:
    """A rule for every event of a bus, with a queue that is read in the background.

    Args:
        client: makes boto3 clients, by the service's name.
        bus: name of the event bus.

    Attributes:
        events: complete EventBridge events in order of arrival, each once.
    """

    def __init__(self, client: Callable[[str], Any], bus: str) -> None:
        self._sqs, self._events, self._bus = client("sqs"), client("events"), bus
        self._name = f"tap-{uuid.uuid4().hex[:12]}"
        self._arrived = threading.Condition()
        self._seen: set[str] = set()
        self._closed = threading.Event()
        self.events: list[Event] = []
        self._queue = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        rule = self._events.put_rule(
            Name=self._name, EventBusName=bus, EventPattern=json.dumps({"source": [{"prefix": ""}]})
        )["RuleArn"]
        policy = json.dumps(fed_by(rule, arn))
        self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": policy})
        self._events.put_targets(Rule=self._name, EventBusName=bus, Targets=[{"Id": "tap", "Arn": arn}])
        self._thread = threading.Thread(target=self._read, name=self._name, daemon=True)
        self._thread.start()

    def wait_for(self, predicate: Callable[[Event], bool], timeout: float = 15.0) -> Event:
        """Wait for the first event, past ones included, that fits.

        Args:
            predicate: whether an event is the one.
            timeout: seconds, on a quiet machine.

        Raises:
            EventNotSeen: none came.
        """
        deadline = Deadline(timeout)
        checked = 0
        with self._arrived:
            while True:
                for event in self.events[checked:]:
                    if predicate(event):
                        return event
                checked = len(self.events)
                if deadline.passed():
                    raise EventNotSeen(timeout, [str(event.get("detail-type")) for event in self.events])
                self._arrived.wait(deadline.left())

    def wait_for_event(self, name: str, order_id: str, timeout: float = 15.0) -> Event:
        """Wait for the first event of a name about an order, past ones included.

        Args:
            name: the event's name, such as `OrderPlaced`.
            order_id: the order.
            timeout: seconds, on a quiet machine.

        Raises:
            EventNotSeen: none came.
        """
        wanted = (name, order_id)
        return self.wait_for(lambda e: (e["detail-type"], e["detail"]["metadata"]["order_id"]) == wanted, timeout)

    def close(self) -> None:
        """Stop listening and remove rule and queue. Safe to repeat, also after the emulator has gone."""
        if self._closed.is_set():
            return
        self._closed.set()
        try:
            self._events.remove_targets(Rule=self._name, EventBusName=self._bus, Ids=["tap"])
            self._events.delete_rule(Name=self._name, EventBusName=self._bus)
            self._sqs.delete_queue(QueueUrl=self._queue)
        except (ClientError, BotoCoreError):
            pass
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while not self._closed.is_set():
            try:
                batch = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
                messages = batch.get("Messages", [])
                for message in messages:
                    self._add(json.loads(message["Body"]))
                if messages:
                    done = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages]
                    self._sqs.delete_message_batch(QueueUrl=self._queue, Entries=done)
            except (ClientError, BotoCoreError):
                # The queue or the emulator is gone, or busy: ask again until closed.
                self._closed.wait(0.2)

    def _add(self, event: Event) -> None:
        with self._arrived:
            if event["id"] in self._seen:
                return
            self._seen.add(event["id"])
            self.events.append(event)
            self._arrived.notify_all()
