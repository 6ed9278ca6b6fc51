"""Play past events again to one consumer, from the bus's archive.

A replay reaches only the rules that it names, so only that consumer hears it, and a consumer knows an event that it saw
before: what had its effect then has none now. EventBridge cannot replay one order's events alone; so for one order a
rule and a queue are made for a moment, which pick them out, and what they caught is sent to the consumer's queue.
"""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from laptop.tap import fed_by

from .consumers import Consumer
from .deployed import Deployed

# An archive may lag behind the bus by ten minutes (EventBridge user guide, "Archiving and replaying events").
ARCHIVE_LAG = timedelta(minutes=10)
# The three hours of an order's life, and what its unwinding, promotions and repairs may add.
AFTERMATH = timedelta(hours=6)
# How far the API's clock, by which an order was placed, may be ahead of EventBridge's, by which the archive goes.
SKEW = timedelta(minutes=1)
# For how long a new rule may not match yet: EventBridge says "a short period of time" (API reference, PutRule), and
# means up to a minute. The laptop's rules match at once.
RULE_DELAY = 60.0
_DONE = frozenset({"COMPLETED", "CANCELLED", "FAILED"})


class CannotReplay(Exception):
    """What was asked for cannot be done; the message says why."""


class Replayer:
    """Replays from a stack's archive.

    Args:
        stack: the stack.
        patience: seconds that a replay may take before waiting for it is given up; it goes on by itself.
    """

    def __init__(self, stack: Deployed, patience: float = 900.0) -> None:
        self._stack, self._patience = stack, patience
        self._rule_delay = RULE_DELAY if stack.region else 0.0
        self._events = stack.client("events")
        self._bus = stack.outputs["EventBusName"]

    def between(self, consumer: str, since: datetime, until: datetime) -> str:
        """Replay what one consumer listens to, from a span of time, up to now at most.

        Returns:
            The replay's name.

        Raises:
            CannotReplay: there is no such consumer, span or archive, or EventBridge gave up.
        """
        return self._replay([self._consumer(consumer).rule], since, until, f"replay-{uuid.uuid4().hex[:16]}")

    def order(self, consumer: str, order_id: str) -> int:
        """Replay one order's events to one consumer.

        Returns:
            How many events were sent.

        Raises:
            CannotReplay: there is no such order or archive, or EventBridge gave up.
        """
        whose = self._consumer(consumer)
        since = self._placed_at(order_id)
        name = f"replay-{uuid.uuid4().hex[:16]}"
        pattern = self._pattern(whose.rule)
        pattern["detail"] = {"metadata": {"order_id": [order_id]}}
        pattern["replay-name"] = [name]
        with self._net(name, pattern) as (net_arn, net_url):
            time.sleep(self._rule_delay)
            self._replay([net_arn], since - SKEW, since + AFTERMATH, name)
            return self._move(net_url, whose)

    def _consumer(self, name: str) -> Consumer:
        known = {one.name: one for one in Consumer.all(self._stack.outputs).values() if one.rule}
        if name not in known:
            raise CannotReplay(
                f"Nothing can be replayed to {name} here, but to {', '.join(known)}, and whoever else is deployed."
            )
        return known[name]

    def _output(self, name: str) -> str:
        try:
            return self._stack.outputs[name]
        except KeyError:
            raise CannotReplay(f"This stack has no {name}.") from None

    def _placed_at(self, order_id: str) -> datetime:
        item = self._stack.client("dynamodb").get_item(
            TableName=self._output("OrdersTableName"),
            Key={"order_id": {"S": order_id}},
            ProjectionExpression="placed_at",
        )
        if "Item" not in item:
            raise CannotReplay(f"There is no order {order_id}.")
        return datetime.fromisoformat(item["Item"]["placed_at"]["S"])

    def _pattern(self, rule_arn: str) -> dict[str, Any]:
        rule = self._events.describe_rule(Name=rule_arn.rsplit("/", 1)[1], EventBusName=self._bus)
        return dict(json.loads(rule["EventPattern"]))

    def _replay(self, rules: list[str], since: datetime, until: datetime, name: str) -> str:
        # What has not happened yet is in no archive.
        until = min(until, datetime.now(UTC))
        if since >= until:
            raise CannotReplay("The span ends before it begins.")
        archive = self._events.describe_archive(ArchiveName=self._output("EventArchiveName"))
        self._events.start_replay(
            ReplayName=name,
            EventSourceArn=archive["ArchiveArn"],
            EventStartTime=since,
            EventEndTime=until,
            Destination={"Arn": archive["EventSourceArn"], "FilterArns": rules},
        )
        deadline = time.monotonic() + self._patience
        while (state := self._events.describe_replay(ReplayName=name)["State"]) not in _DONE:
            if time.monotonic() > deadline:
                raise CannotReplay(f"{name} is still {state}. It goes on; look at it in the console.")
            time.sleep(0.2)
        if state != "COMPLETED":
            raise CannotReplay(f"{name} is {state}.")
        return name

    @contextmanager
    def _net(self, name: str, pattern: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """A rule and a queue that catch what the pattern says; gone afterwards."""
        sqs = self._stack.client("sqs")
        url = sqs.create_queue(QueueName=name, Attributes={"SqsManagedSseEnabled": "true"})["QueueUrl"]
        try:
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            rule = self._events.put_rule(Name=name, EventBusName=self._bus, EventPattern=json.dumps(pattern))["RuleArn"]
            try:
                sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(fed_by(rule, arn))})
                self._events.put_targets(Rule=name, EventBusName=self._bus, Targets=[{"Id": "net", "Arn": arn}])
                yield rule, url
            finally:
                self._events.remove_targets(Rule=name, EventBusName=self._bus, Ids=["net"])
                self._events.delete_rule(Name=name, EventBusName=self._bus)
        finally:
            sqs.delete_queue(QueueUrl=url)

    def _move(self, source: str, whose: Consumer) -> int:
        """Send on what was caught, each event once, to the consumer."""
        sqs = self._stack.client("sqs")
        sent: set[str] = set()
        quiet = 0
        # A replay that is complete has handed its last event over, which may still be on its way into the queue.
        while quiet < 3:
            batch = sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            quiet = 0 if batch else quiet + 1
            for message in batch:
                event_id = json.loads(message["Body"])["detail"]["metadata"]["event_id"]
                if event_id not in sent:
                    whose.send(self._stack, message["Body"], f"{event_id}-replay-{message['MessageId']}")
                    sent.add(event_id)
                sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
        return len(sent)
