"""What becomes of a stack while orders come: open orders, full queues, and on the laptop memory and processors."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import psutil
from operations.deployed import Deployed
from orders.store import OPEN_SHARDS

MB = 1024**2


@dataclass(frozen=True)
class Sample:
    """One look.

    Attributes:
        at: seconds since the first.
        open_orders: to which anything is owed.
        waiting: messages in queues that are no dead-letter queues.
        dead: dead letters.
        emulator: megabytes of its process, which holds all data, 0 on AWS.
        functions: megabytes of all function workers, 0 on AWS.
        processors: seconds that emulator, functions, this process and the whole machine have worked so far.
    """

    at: float
    open_orders: int
    waiting: int
    dead: int
    emulator: float = 0.0
    functions: float = 0.0
    processors: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class Watch:
    """Looks at a stack.

    Args:
        stack: it.
        emulator: the emulator's process, if it is this machine's.
    """

    def __init__(self, stack: Deployed, emulator: int | None) -> None:
        self._dynamodb, self._sqs, self._table = (
            stack.client("dynamodb"),
            stack.client("sqs"),
            stack.outputs["OrdersTableName"],
        )
        self._queues = [resource for resource in stack.resources() if resource.kind == "AWS::SQS::Queue"]
        self._emulator = psutil.Process(emulator) if emulator else None
        self._began = time.monotonic()
        self.samples: list[Sample] = []

    def look(self) -> Sample:
        """Look once."""
        depth = {queue.path: self._depth(queue.name) for queue in self._queues}
        dead = {path for path in depth if "DeadLetter" in path}
        known = self._processes()
        sample = Sample(
            time.monotonic() - self._began,
            sum(self._open(shard) for shard in range(OPEN_SHARDS)),
            sum(messages for path, messages in depth.items() if path not in dead),
            sum(depth[path] for path in dead),
            *known,
        )
        self.samples.append(sample)
        return sample

    def _open(self, shard: int) -> int:
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName="open-orders",
            Select="COUNT",
            KeyConditionExpression="open_shard = :shard",
            ExpressionAttributeValues={":shard": {"S": f"open-{shard}"}},
        )
        return int(answer["Count"])

    def _depth(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        known = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(known[name]) for name in names)

    def _processes(self) -> tuple[float, float, tuple[float, float, float, float]]:
        here, machine = os.times(), psutil.cpu_times()
        worked_here = here.user + here.system
        worked_all = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0)
        if self._emulator is None:
            return 0.0, 0.0, (0.0, 0.0, worked_here, worked_all)
        memory, worked = 0.0, 0.0
        for worker in self._emulator.children(recursive=True):
            try:
                memory += worker.memory_info().rss / MB
                worked += sum(worker.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
        own, ended = self._emulator.cpu_times()[:2], self._emulator.cpu_times()[2:4]
        return self._emulator.memory_info().rss / MB, memory, (sum(own), worked + sum(ended), worked_here, worked_all)


def busy(samples: Sequence[Sample]) -> tuple[float, float, float, float]:
    """Processors that emulator, functions, this process and all else kept busy, from the first look to the last."""
    first, last = samples[0], samples[-1]
    seconds = max(last.at - first.at, 0.001)
    both = zip(first.processors, last.processors, strict=True)
    emulator, functions, here, machine = (max(0.0, after - before) / seconds for before, after in both)
    return emulator, functions, here, max(0.0, machine - emulator - functions - here)


def growth(values: Iterable[float]) -> float:
    """By how much values grew: the mean of their last third, less that of their second; the first is for warming up.

    >>> growth([0, 0, 10, 10, 13, 13])
    3.0
    """
    listed = list(values)
    third = len(listed) // 3
    return fmean(listed[-third:]) - fmean(listed[third : 2 * third]) if third else 0.0


def longest_wait(samples: Iterable[Sample]) -> float:
    """The most seconds for which the queues were never seen empty: no message waited longer than that and a look."""
    longest, since = 0.0, None
    for sample in samples:
        since = (sample.at if since is None else since) if sample.waiting else None
        longest = max(longest, sample.at - since if since is not None else 0.0)
    return longest
