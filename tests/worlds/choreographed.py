"""The whole application in one process again, and no workflow in it: `examples/choreographed`, step by step.

Whatever is on its way lies in a list, so a test decides what arrives first, twice, or never.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from choreographed import asks_payments, hears_payments, keeps_time, no_workflow, tells
from choreographed.no_workflow import NoWorkflow
from choreographed.rows import Rows
from payments import commands
from payments.model import PaymentError
from tiffin.dynamodb import serialize

from worlds import feed
from worlds.orders import Api, orders_world
from worlds.quick import quick_expressions
from worlds.runtime import ENVIRONMENT, context
from worlds.tiffin import MANY, Item, Tiffin

# As often as a queue hands a message out (the template's `maxReceiveCount`).
ATTEMPTS = 5


class Choreographed(Tiffin):
    """One world without a workflow, from its first moment.

    Attributes:
        asks: messages for whoever asks payments, each with how often it was handed out.
        dead: messages that were handed out too often, or set aside.
        lost: names of payments' events that never reach the order.
        payments_down: whether payments fail, however they are asked.
    """

    def __init__(self, api: Api, patch: pytest.MonkeyPatch) -> None:
        super().__init__(api, patch)
        self.asks: list[tuple[str, int]] = []
        self.dead: list[str] = []
        self.payments_down = False
        self.lost = set[str]()
        self._images: dict[str, Item] = {}
        rows = Rows(api.table, "CustomersTable")
        for module in (asks_payments, hears_payments, no_workflow, keeps_time):
            patch.setattr(module, "datetime", SimpleNamespace(now=lambda _: self.moment()))
        for module in (asks_payments, hears_payments, keeps_time):
            patch.setattr(module, "rows", lambda: rows)
        patch.setattr(api.module, "workflow", lambda: self.ports if self.ports.deaf else NoWorkflow(rows))
        queues = SimpleNamespace(send_message=self._sent)
        patch.setattr(tells, "_sqs", lambda: queues)
        patch.setattr(asks_payments, "_sqs", lambda: queues)
        patch.setattr(tells, "_bus", lambda: SimpleNamespace(put_events=self._put))
        patch.setattr(asks_payments, "payments", lambda: SimpleNamespace(invoke=self._invoke))

    # What machines do.

    def notice(self) -> None:
        """Let the table's stream be read up to its end."""
        for row in self.api.rows():
            image = {name: serialize(value) for name, value in row.items()}
            before = self._images.get(row["order_id"])
            if image == before:
                continue
            self._images[row["order_id"]] = image
            record = {"Keys": {"order_id": image["order_id"]}, "NewImage": image, "SequenceNumber": "1"}
            batch = {"Records": [{"dynamodb": record | ({"OldImage": before} if before else {})}]}
            assert tells.handler(batch, context()) == {"batchItemFailures": []}

    def ask(self, number: int = 0) -> None:
        """Hand out a message for payments; one that fails lies in the queue again."""
        message, attempt = self.asks.pop(number)
        if asks_payments.handler(feed.raw(message), context())["batchItemFailures"]:
            self.asks.append((message, attempt + 1)) if attempt < ATTEMPTS else self.dead.append(message)
        self.notice()

    def hear(self, consumer: Any, event: Item) -> None:
        super().hear(consumer, event)
        self.notice()

    def flow(self) -> None:
        """Let everything that is on its way arrive, and what follows from that."""
        self.notice()
        for _ in range(MANY):
            if self.unheard:
                self.hear_all()
            elif self.asks:
                self.ask()
            else:
                return
        raise AssertionError("it never comes to rest")

    def look(self) -> None:
        """Let somebody look at what is due."""
        keeps_time.handler({}, context())
        self.notice()

    def settle(self) -> None:
        """Let time pass until nothing is owed to any order."""
        for _ in range(MANY):
            self.flow()
            owed = [row for row in self.api.rows() if "open_shard" in row]
            if not owed:
                return
            self.now = max(self.now, datetime.fromisoformat(min(row["check_at"] for row in owed)))
            self.look()
        raise AssertionError("it never comes to rest")

    def move(self, order_id: str, move: str, *, told: bool = True) -> int:
        status = super().move(order_id, move, told=told)
        self.notice()
        return status

    def place(self, key: str = "key-1", **changes: Any) -> tuple[int, Item]:
        answer = super().place(key, **changes)
        self.notice()
        return answer

    # How the outside answers.

    def _publish(self, source: str, name: str, detail: Item) -> None:
        super()._publish(source, name, detail)
        if source == "tiffin.payments" and name not in self.lost:
            self.unheard.append((hears_payments, self.bus[-1]))

    def _put(self, Entries: list[Item]) -> Item:  # noqa: N803
        for entry in Entries:
            self._publish(entry["Source"], entry["DetailType"], json.loads(entry["Detail"]))
        return {"FailedEntryCount": 0}

    def _sent(self, QueueUrl: str, MessageBody: str, **_: Any) -> None:  # noqa: N803
        if QueueUrl == "asks":
            self.asks.append((MessageBody, 1))
        else:
            self.dead.append(MessageBody)

    def _invoke(self, FunctionName: str, Payload: str) -> Item:  # noqa: N803
        command = commands.parse(json.loads(Payload))
        try:
            answer: Any = {"errorType": "GatewayUnavailable"} if self.payments_down else self.payments.perform(command)
        except PaymentError as error:
            answer = {"errorType": type(error).__name__}
        finally:
            self._relay("PaymentsTable", "order_id", command.order_id)
        failed = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return failed | {"Payload": io.BytesIO(json.dumps(answer).encode())}


@contextmanager
def choreographed_world() -> Iterator[Choreographed]:
    """A world of its own, in a process that can reach no account."""
    with pytest.MonkeyPatch.context() as patch:
        environment = {
            "PROMOTIONS_TABLE": "PromotionsTable",
            "PAYMENTS_FUNCTION_ARN": "payments",
            "ASKS_QUEUE_URL": "asks",
            "EVENT_BUS_NAME": "bus",
            "DEAD_LETTER_QUEUE_URL": "dead",
        }
        for name, value in (ENVIRONMENT | environment).items():
            patch.setenv(name, value)
        patch.setattr("orders.store.OPEN_SHARDS", 1)
        with quick_expressions(), orders_world(patch) as api:
            yield Choreographed(api, patch)
