"""Break what listens in each way, and measure what orders notice of it.

In one run on one stack: the same number of orders with everything well, with the functions of promotions and
notifications raising, with both their queues closed to their rules, with their tables gone, with the kitchens' function
raising and their stream poisoned, with estimates refused their table, with all functions of live news raising, and with
everything well again. Of each the
latency from placed to delivered, and, once the break is mended, how long it takes until every promo code is issued,
every customer was told, the kitchens' figures are those of the orders, and every order has its estimate.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from kitchens.model import Figures
from laptop import Stack, pace
from laptop.client import Client
from laptop.listener import Listener
from laptop.mailbox import mails, verify
from notifications.messages import SUBJECTS
from notifications.model import ON_THE_WAY
from operations import kitchens
from operations.dead_letters import redrive
from operations.deployed import Deployed
from operations.replaying import Replayer
from rich.console import Console

from lab import estimating
from lab.queues import hurry

SENDER = "orders@tiffin.example"
PARAMETERS = {"NotificationsSender": SENDER, "Kitchens": "true", "Estimates": "true"}
"""What the stack is deployed with: all that listens."""
# What a delivered order's customer is told, in this sequence: the last one always, no other after a later one.
MAILS = tuple(SUBJECTS[name] for name in (*ON_THE_WAY, "OrderDelivered"))
AT_ONCE = 8
# A message that failed comes back after this; in the template it is six times the function's timeout.
COMES_BACK = 30
# So many records of the stream are no events.
POISON = 5
PATIENCE = 600.0


class NotIsolated(Exception):
    """An order was lost, or what a broken service missed was never caught up."""


@dataclass
class Phase:
    """So many orders under one condition.

    Attributes:
        name: the condition.
        latencies: seconds from placed to delivered, sorted.
        caught_up: seconds from mending until every code and last mail was there; None if nothing was broken.
    """

    name: str
    latencies: list[float]
    caught_up: float | None = None

    def quantile(self, share: float) -> float:
        """The latency that this share of the orders stayed below, in seconds."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


class Breaker:
    """Breaks consumers, through AWS's own APIs where it can, and mends them as an operator would.

    Args:
        stack: the running stack.
        faults: the port that the emulator takes faults on.
    """

    def __init__(self, stack: Stack, faults: int) -> None:
        self._stack, self._faults = stack, faults
        self._lambda, self._sqs = stack.client("lambda"), stack.client("sqs")
        self._dynamodb, self._iam = stack.client("dynamodb"), stack.client("iam")
        self.queues = [stack.outputs["PromotionsQueueUrl"], stack.outputs["NotificationsQueueUrl"]]
        names = [f["FunctionName"] for f in self._lambda.list_functions(MaxItems=50)["Functions"]]
        self._consumers = [n for n in names if "-Promotions-" in n and "ConsumerFunction" in n]
        self._consumers += [n for n in names if "-Notifications-" in n]
        self._kitchens = stack.outputs["KitchensFunctionName"]
        self._live = [n for n in names if "-Live-" in n]
        (self._relay,) = (n for n in names if "-Promotions-" in n and "OutboxRelayFunction" in n)

    def raising_functions(self) -> Callable[[], None]:
        """Both functions raise, whatever they are given. Returns how to mend it.

        Put in at the emulator's boundary. A function that cannot be imported would do as well, but here each attempt
        would start a process on the same cores as the orders, which no function on AWS shares.
        """
        return self._raising(*self._consumers)

    def kitchens_broken(self) -> Callable[[], None]:
        """The function that reads the stream raises, and what is no event lies in the stream between what are."""
        kinesis, stream = self._stack.client("kinesis"), self._stack.outputs["KitchensStreamName"]
        for number in range(POISON):
            kinesis.put_record(StreamName=stream, PartitionKey="none", Data=f"poison {number}".encode())
        return self._raising(self._kitchens)

    def live_broken(self) -> Callable[[], None]:
        """Nobody gets a ticket, nobody is let in, and nobody is told. What they were not told is never told again."""
        return self._raising(*self._live)

    def _raising(self, *functions: str) -> Callable[[], None]:
        rules = [
            {"id": "raise", "point": "function", "action": "raise", "match": {"function": name}, "times": 10**6}
            for name in functions
        ]
        self._post("/rules", rules)
        return lambda: self._post("/lift", ["raise"])

    def closed_queues(self) -> Callable[[], None]:
        """Queues that take nothing from their rules: the events go to nobody, and come back only from the archive."""
        since = datetime.now(UTC) - timedelta(seconds=1)
        policies = {url: self._policy(url) for url in self.queues}
        for url in policies:
            self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})

        def mend() -> None:
            for url, policy in policies.items():
                self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            replayer = Replayer(Deployed(self._stack.client, self._stack.outputs))
            for consumer in ("promotions", "notifications"):
                replayer.between(consumer, since, datetime.now(UTC))

        return mend

    def tables_gone(self) -> Callable[[], None]:
        """Both services' tables deleted. Mended by new ones of the same names, with the relay on the new stream."""
        names = [self._stack.outputs["PromotionsTableName"], self._stack.outputs["SentTableName"]]
        described = {name: self._dynamodb.describe_table(TableName=name)["Table"] for name in names}
        for name in names:
            self._dynamodb.delete_table(TableName=name)

        def mend() -> None:
            for name, was in described.items():
                more = {"StreamSpecification": was["StreamSpecification"]} if "StreamSpecification" in was else {}
                table = self._dynamodb.create_table(
                    TableName=name,
                    KeySchema=was["KeySchema"],
                    AttributeDefinitions=was["AttributeDefinitions"],
                    BillingMode="PAY_PER_REQUEST",
                    **more,
                )["TableDescription"]
                self._dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
                if more:
                    self._relay_from(table["LatestStreamArn"])

        return mend

    def estimates_refused(self) -> Callable[[], None]:
        """Estimates may not write. No queue lies in front of them: Lambda tries twice again, and sets aside."""
        return estimating.deny(self._stack, "dynamodb:PutItem")

    def _relay_from(self, stream: str) -> None:
        (old,) = self._lambda.list_event_source_mappings(FunctionName=self._relay)["EventSourceMappings"]
        role = self._lambda.get_function_configuration(FunctionName=self._relay)["Role"].rsplit("/", 1)[1]
        actions = ["DescribeStream", "GetRecords", "GetShardIterator"]
        statement = {"Effect": "Allow", "Action": [f"dynamodb:{a}" for a in actions], "Resource": stream}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self._iam.put_role_policy(RoleName=role, PolicyName="new-stream", PolicyDocument=json.dumps(policy))
        kept = ("BatchSize", "FilterCriteria", "FunctionResponseTypes", "BisectBatchOnFunctionError")
        self._lambda.create_event_source_mapping(
            FunctionName=self._relay,
            EventSourceArn=stream,
            StartingPosition="TRIM_HORIZON",
            **{name: old[name] for name in kept if old.get(name)},
        )
        self._lambda.delete_event_source_mapping(UUID=old["UUID"])

    def _post(self, path: str, document: Any) -> None:
        url, timeout = f"http://127.0.0.1:{self._faults}{path}", pace.patience(30)
        httpx.post(url, json=document, trust_env=False, timeout=timeout).raise_for_status()

    def _policy(self, url: str) -> str:
        return str(self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])


class Run:
    """Orders in phases.

    Args:
        stack: the running stack.
        orders: how many in each phase.
        patience: how long to wait for what was missed, in seconds, on a quiet machine.
        delivered: how many orders of the stack were delivered before.
    """

    def __init__(self, stack: Stack, orders: int, patience: float = PATIENCE, delivered: int = 0) -> None:
        self._stack, self._orders, self._patience, self.delivered = stack, orders, patience, delivered
        self._deployed = Deployed(stack.client, stack.outputs)
        self._began = datetime.now(UTC) - timedelta(hours=1)
        self._dynamodb = stack.client("dynamodb")
        self._placed: dict[str, set[str]] = defaultdict(set)

    def phase(self, name: str, key: str) -> Phase:
        """Place the orders and deliver them all.

        Raises:
            NotThere, Refused: an order did not come through.
        """
        customers = self._customers(key)

        def live(customer: str) -> float:
            order_id = client.place(customer=customer)["order_id"]
            self._placed[key].add(order_id)
            order = client.deliver(order_id, seconds=120)
            placed, delivered = (datetime.fromisoformat(order["timeline"][n]["at"]) for n in (0, -1))
            return (delivered - placed).total_seconds()

        with (
            closing(Client(self._stack.outputs, self._stack.people, timeout=60)) as client,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            latencies = sorted(pool.map(live, customers))
        self.delivered += len(latencies)
        return Phase(name, latencies)

    def invite(self, key: str) -> None:
        """Give the phase's customers an address each."""
        for customer in self._customers(key):
            verify(self._stack, self._stack.people.confirm(customer))

    def wait_until_caught_up(self, key: str, redrives: bool = False) -> float:
        """Wait until every customer of a phase has the code of the first delivery, and the mail that it arrived.

        By then the kitchens' figures must be those of all orders so far, and every order must have its estimate.

        Every order must have its estimate by then, too.

        Args:
            key: of the phase.
            redrives: whether dead letters of estimates are sent back meanwhile, as an operator would.

        Returns:
            How long it took, in seconds.

        Raises:
            NotIsolated: something is still missing, or came twice or late.
        """
        began, deadline = time.monotonic(), pace.Deadline(self._patience)
        while True:
            codes, told, estimates = self._codes(key), self._told(key), self._estimates(key)
            for customer, subjects in told.items():
                if subjects != sorted(set(subjects), key=MAILS.index):
                    raise NotIsolated(f"{customer} was told: {', '.join(subjects)}")
            last = sum(subjects[-1] == MAILS[-1] for subjects in told.values())
            counted = self._counted()
            if any(count > self.delivered for count in counted):
                raise NotIsolated(f"kitchens counted {counted} of {self.delivered} orders")
            if codes == last == estimates == self._orders and set(counted) == {self.delivered}:
                return time.monotonic() - began
            if deadline.passed():
                raise NotIsolated(
                    f"{codes} codes, {last} last mails and {estimates} estimates of {self._orders}, "
                    f"figures of {counted} of {self.delivered}"
                )
            if redrives:
                redrive(self._deployed, "estimates", send=True)
            time.sleep(0.5)

    def must_be_heard(self) -> None:
        """Deliver one more order, which its customer hears of.

        Raises:
            NotLetIn, NotHeard, NotThere, Refused: they do not.
        """
        who = "c-who-listens"
        with (
            closing(Client(self._stack.outputs, self._stack.people, timeout=60)) as client,
            Listener.of(self._stack.outputs, self._stack.people, who) as listener,
        ):
            order_id = client.place(customer=who)["order_id"]
            client.deliver(order_id, seconds=120)
            listener.wait_for_event("OrderDelivered", order_id, self._patience)
        self.delivered += 1

    def _customers(self, key: str) -> list[str]:
        return [f"c-{key}-{n}" for n in range(self._orders)]

    def _codes(self, key: str) -> int:
        theirs = {self._stack.people.subject(customer) for customer in self._customers(key)}
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._stack.outputs["PromotionsTableName"],
            FilterExpression="#r = :welcome",
            ExpressionAttributeNames={"#r": "record"},
            ExpressionAttributeValues={":welcome": {"S": "CODE#WELCOME_BACK"}},
        )
        return sum(item["customer_id"]["S"] in theirs for page in pages for item in page["Items"])

    def _counted(self) -> tuple[int, int, int, int]:
        """How many orders kitchens were asked for, accepted and handed over, and of how many the time is known."""
        found = kitchens.read(self._deployed, self._began, datetime.now(UTC) + timedelta(minutes=1))
        did = sum((figures for _, _, figures in found), Figures())
        return did.placed, did.accepted, did.dispatched, did.prepared

    def _estimates(self, key: str) -> int:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._stack.outputs["EstimatesTableName"])
        known = {item["order_id"]["S"] for page in pages for item in page["Items"]}
        return len(known & self._placed[key])

    def _told(self, key: str) -> dict[str, list[str]]:
        """The subjects of each customer's mails, as they were sent."""
        found: dict[str, list[str]] = defaultdict(list)
        for mail in mails(self._stack):
            if f"c-{key}-" in str(mail["To"]):
                found[str(mail["To"])].append(mail["Subject"])
        return found


def measure(
    stack: Stack, faults: int, orders: int, console: Console, comes_back: int = COMES_BACK, patience: float = PATIENCE
) -> list[Phase]:
    """Run all phases.

    Args:
        stack: the running stack, its notifications sending from `SENDER`, with the kitchens' figures and estimates.
        faults: the port that the emulator takes faults on.
        orders: how many in each phase.
        console: where a line per phase goes.
        comes_back: visibility timeout of the consumers' queues, in seconds, on a quiet machine.
        patience: how long to wait for what was missed, in seconds, on a quiet machine.

    Raises:
        NotThere, Refused: an order did not come through.
        NotIsolated: what was missed was not caught up.
    """
    breaker = Breaker(stack, faults)
    verify(stack, SENDER)
    estimating.put_in_force(stack, estimating.small_model())
    for url in breaker.queues:
        hurry(stack.client("sqs"), url, pace.patience(comes_back))
    warm = Run(stack, AT_ONCE * 2)
    warm.phase("warm-up", "warm")  # cold starts are not what is compared
    run = Run(stack, orders, patience, warm.delivered)
    phases = []
    breaks: list[tuple[str, str, Callable[[], Callable[[], None]] | None]] = [
        ("everything well", "well", None),
        ("both functions raise", "raise", breaker.raising_functions),
        ("both queue policies removed", "closed", breaker.closed_queues),
        ("both tables gone", "gone", breaker.tables_gone),
        ("kitchens broken", "kitchens", breaker.kitchens_broken),
        ("estimates broken", "estimates", breaker.estimates_refused),
        ("live news broken", "live", breaker.live_broken),
        ("everything well again", "again", None),
    ]
    for name, key, break_it in breaks:
        run.invite(key)
        mend = break_it() if break_it else None
        phase = run.phase(name, key)
        if mend:
            began = time.monotonic()
            mend()
            run.wait_until_caught_up(key, redrives=True)
            run.must_be_heard()
            phase.caught_up = time.monotonic() - began
        else:
            run.wait_until_caught_up(key)
        phases.append(phase)
        caught = f", caught up in {phase.caught_up:.0f} s" if phase.caught_up is not None else ""
        console.print(f"{name}: p50 {phase.quantile(0.5):.2f} s, p90 {phase.quantile(0.9):.2f} s{caught}")
    return phases
