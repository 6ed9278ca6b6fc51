"""Outages: faults that hit every order, one after the other."""

import time

from laptop.pace import patience

from ..cases import CANCELLED, DELIVERED, FOR_GOOD, NEVER_DELIVERED, PROMOTIONS, REJECTED, Case, Fault
from ..lab import Lab

_DOWN = "promotions are down for the whole run"


def promotions_down(lab: Lab, seed: int) -> list[Case]:
    """Promotions fail at every invocation while orders live and die; later they are back."""
    cases = [
        Case(f"{seed}-down-{n}", _DOWN, place, plan, frozenset({end}), customer=f"c-{seed}-down-{n}")
        for n, (place, plan, end) in enumerate(
            [("an order delivered", DELIVERED, "DELIVERED"), ("an order cancelled", CANCELLED, "CANCELLED"),
             ("an order rejected", REJECTED, "REJECTED"), ("an order expired", NEVER_DELIVERED, "EXPIRED")]
        )
    ]  # fmt: skip
    lab.inject([Fault("function", "raise", {"function": PROMOTIONS}, times=FOR_GOOD)], "promotions-down")
    lab.run(cases, limit=150)
    lab.lift("promotions-down")
    # What was tried five times waits in the dead-letter queue, and is sent back as a person would.
    sqs, queue = lab.stack.client("sqs"), lab.stack.outputs["PromotionsDeadLetterQueueUrl"]
    for _ in range(50):
        batch = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        for message in batch.get("Messages", []):
            sqs.send_message(QueueUrl=lab.stack.outputs["PromotionsQueueUrl"], MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if not batch.get("Messages"):
            break
    return cases


def database_down(lab: Lab, seed: int) -> list[Case]:
    """DynamoDB answers nobody: for ten seconds of the workflows' time, and for so long that workflows give up."""
    found = []
    # By the workflows' time, as what gives up is the workflows.
    for seconds, words in ((10, "ten seconds"), (270, "4.5 minutes")):
        ends = frozenset({"DELIVERED", "FAILED"})
        cases = [
            Case(
                f"{seed}-db-{words.replace(' ', '-').replace('.', '-')}-{n}",
                f"DynamoDB is down for {words}",
                f"an order {n * 0.3:.1f} s old",
                DELIVERED,
                ends,
                customer=f"c-{seed}-db-{seconds}-{n}",
            )
            for n in range(5)
        ]
        outage = _Outage(lab, cases[0].name, seconds, at=1.4)
        lab.run(cases, each=outage)
        outage.end()
        found += cases
    return found


class _Outage:
    """Down for a while of the workflows' time, from so many seconds (on a quiet machine) after the first order on."""

    def __init__(self, lab: Lab, name: str, seconds: float, at: float) -> None:
        self._lab, self._name, self._seconds, self._at = lab, f"outage-{name}", seconds, at
        self._begun = self._over = False

    def __call__(self, lab: Lab, case: Case) -> None:
        if not self._begun and time.monotonic() >= case.began + patience(self._at):
            self._begun = True
            operations = ("PutItem", "GetItem", "BatchGetItem", "UpdateItem", "TransactWriteItems", "Query")
            lab.inject([Fault("api", "refuse", {"operation": o}, times=100_000) for o in operations], self._name)
            time.sleep(self._seconds / lab.clock)
            self.end()

    def end(self) -> None:
        if not self._over:
            self._over = True
            self._lab.lift(self._name)


def workers_killed(lab: Lab, seed: int) -> list[Case]:
    """SIGKILL to every worker of every function, again and again, in the middle of whatever they do."""
    cases = [
        Case(
            f"{seed}-kill-{n}",
            "every worker is SIGKILLed, each second",
            f"an order {('delivered', 'cancelled', 'rejected')[n % 3]}",
            (DELIVERED, CANCELLED, REJECTED)[n % 3],
            frozenset({("DELIVERED", "CANCELLED", "REJECTED")[n % 3], "FAILED", "REJECTED"}),
            customer=f"c-{seed}-kill-{n}",
        )
        for n in range(9)
    ]
    last = time.monotonic()
    left = 8

    def kill(lab: Lab, case: Case) -> None:
        nonlocal last, left
        if left and time.monotonic() - last > patience(1.0):
            last, left = time.monotonic(), left - 1
            lab.kill_workers()

    lab.run(cases, each=kill)
    return cases
