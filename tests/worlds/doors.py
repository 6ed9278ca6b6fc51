"""Orders, payments and the bus with its consumers, each behind its own door, and the real workflows between them."""

import json
from itertools import count
from typing import Any

import estimates.consumer
import kitchens.consumer
import live.consumer
import notifications.consumer
import observability.consumer
import orders.consumer
import promotions.consumer
import pytest
from asl import Execution, TaskFailed
from contracts import schemas
from jsonschema import Draft202012Validator
from payments import handler as payments_handler
from payments.model import PaymentError
from referencing import Registry, Resource
from tiffin import clients, outbox

from worlds.gateway import claims_of
from worlds.orders import Api
from worlds.payments import World as Payments
from worlds.runtime import context
from worlds.workflows import MACHINES, ask_the_table

CONSUMERS = [
    promotions.consumer.consumer,
    orders.consumer.consumer,
    notifications.consumer.consumer,
    observability.consumer.consumer,
    kitchens.consumer.consumer,
    estimates.consumer.consumer,
    live.consumer.consumer,
]
ENDS = {"DELIVERED", "DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED"}
GOOD = "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5;Parent=6b221d5bc9e6496c;Sampled=1"
_contract = json.loads((schemas.EVENTS / "commands" / "payments.json").read_text("utf-8"))
_common = json.loads((schemas.SCHEMAS / "common.json").read_text("utf-8"))
PAYMENT_CONTRACT = Draft202012Validator(
    _contract,
    registry=Registry().with_resources((d["$id"], Resource.from_contents(d)) for d in (_contract, _common)),
)


class Doors:
    """Orders, payments and the bus, each behind its own door.

    Attributes:
        announced: the events of the present order, as the state machines sent them.
        asked: what payments were asked for it.
    """

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api, self.payments, self._monkeypatch = api, Payments(), monkeypatch
        monkeypatch.setattr(payments_handler, "payments", lambda: self.payments.payments)
        self.dynamodb = clients.client("dynamodb")
        self.announced: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self._keys = count()

    def place(
        self, trace_header: str | None = GOOD, key: str | None = None, **changes: Any
    ) -> tuple[int, dict[str, Any]]:
        """`POST /orders` with a trace header, as Lambda hands it on."""
        self.announced.clear()
        self.asked.clear()
        if trace_header is None:
            self._monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
        else:
            self._monkeypatch.setenv("_X_AMZN_TRACE_ID", trace_header)
        return self.api.place(key or f"key-{next(self._keys)}", **changes)

    def serve(self, restaurant: dict[str, Any]) -> None:
        """Put a restaurant on the menus table."""
        clients.table("MenusTable").put_item(Item=restaurant)

    def row(self, order_id: str) -> dict[str, Any]:
        return dict(self.api.table.get_item(Key={"order_id": order_id})["Item"])

    def keep_trace_header(self, order_id: str, trace_header: Any) -> None:
        """Let the row be one that was written before anybody looked at trace headers; None takes it away."""
        value: Any = {":t": trace_header}
        self.api.table.update_item(
            Key={"order_id": order_id},
            **(
                {"UpdateExpression": "REMOVE trace_header"}
                if trace_header is None
                else {"UpdateExpression": "SET trace_header = :t", "ExpressionAttributeValues": value}
            ),
        )

    def start(self, order_id: str) -> Execution:
        """The order workflow in its first state, on what the API started it with."""
        return Execution(MACHINES["order"], order_id, self.api.workflow.inputs[order_id], self._perform)

    def run(self, order_id: str, answers: list[dict[str, Any] | None], stop_at: str = "") -> Execution:
        """Run the order workflow."""
        replies = iter(answers)
        execution = self.start(order_id)
        while execution.status == "RUNNING" and execution.at != stop_at:
            if execution.can_step:
                execution.step()
            elif (reply := next(replies)) is None:
                execution.wait_is_over()
            else:
                execution.call_back({"order_id": order_id} | reply)
        return execution

    def unwind(self, order_id: str, status: str, **more: Any) -> Execution:
        """Run the unwind workflow, as after a status event; some say more."""
        detail = {"detail": {"name": order_id, "status": status} | more}
        execution = Execution(MACHINES["unwind"], order_id, detail, self._perform)
        while execution.status == "RUNNING":
            execution.step()
        return execution

    def ended(self, order_id: str) -> dict[str, Any]:
        """The order as its customer sees it, which has ended; alone and in the list."""
        status, order = self.api.call("GET", f"/orders/{order_id}")
        assert (status, order.get("status") in ENDS) == (200, True), order
        _, page = self.api.call("GET", "/orders", query={"limit": "100"}, claims=claims_of(order["customer_id"]))
        assert order_id in {one["order_id"] for one in page["orders"]}
        return order

    def payment_events(self, order_id: str) -> dict[str, dict[str, Any]]:
        """What payments announced, each through the relay's door and the contract's."""
        rows = self.dynamodb.query(
            TableName=self.payments.table,
            KeyConditionExpression="order_id = :o",
            ExpressionAttributeValues={":o": {"S": order_id}},
        )["Items"]
        outgoing = [row for row in rows if row["record"]["S"].startswith("EVENT#")]
        for row in outgoing:
            record = {"dynamodb": {"NewImage": row, "Keys": row, "SequenceNumber": "1"}, "eventName": "INSERT"}
            entry = outbox._entry(record, "bus")
            detail = json.loads(entry["Detail"])
            assert entry["TraceHeader"] == detail["metadata"]["trace_header"]
            self._hear(entry["Source"], entry["DetailType"], detail)
        return {row["detail_type"]["S"]: json.loads(row["detail"]["S"]) for row in outgoing}

    def _perform(self, resource: str, arguments: dict[str, Any]) -> Any:
        resource = resource.removesuffix(".waitForTaskToken").partition(":states:::")[2]
        try:
            match resource:
                case _ if "dynamodb:" in resource:
                    return ask_the_table(self.dynamodb, resource, arguments)
                case "lambda:invoke":
                    request = json.loads(json.dumps(arguments["Payload"]))
                    self.asked.append(request)
                    PAYMENT_CONTRACT.validate(request)
                    return {"Payload": payments_handler.handler(request, context("payments"))}
                case "events:putEvents":
                    for entry in arguments["Entries"]:
                        detail = json.loads(json.dumps(entry["Detail"]))
                        self._hear(entry["Source"], entry["DetailType"], detail)
                    return {"FailedEntryCount": 0}
        except PaymentError as error:
            raise TaskFailed(type(error).__name__) from error
        raise NotImplementedError(resource)

    def _hear(self, source: str, name: str, detail: dict[str, Any]) -> None:
        """As the bus and everybody behind it."""
        sent = schemas.example(name) | {"detail-type": name, "source": source, "detail": detail}
        schemas.validate(sent)
        # EventBridge API reference, PutEventsRequestEntry.
        assert 1 <= len(detail["metadata"]["trace_header"]) <= 500
        for consumer in CONSUMERS:
            if name in consumer.names:
                consumer._read(json.dumps(sent))
        self.announced.append(sent)
