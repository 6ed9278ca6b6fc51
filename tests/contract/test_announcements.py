"""What the state machines announce keeps the contracts: every announcing state is run, on rows as they are in life.

The state machines are stepped through as they are, over real tables and with the order that the real API wrote;
only payments answer from a script. So a field that an announcing state spells differently is found here, without an
emulator.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import asl
import pytest
from asl import Execution
from contracts import schemas
from tiffin import clients
from tiffin.events import rfc3339
from worlds.orders import Api, orders_world
from worlds.runtime import ENVIRONMENT
from worlds.workflows import MACHINES, ask_the_table

AUTHORIZED = {"status": "AUTHORIZED", "network": "visa"}
# What an entry of the optimised integration may hold (Step Functions developer guide, "Add EventBridge events with Step
# Functions"); EventBridge's own API knows more.
DOCUMENTED = {"Detail", "DetailType", "EventBusName", "Resources", "Source", "Time"}
WAITS = ["AwaitRestaurant", "AwaitDispatch", "AwaitDelivery"]
DECLINED = {"status": "DECLINED", "network": "amex", "code": "expired_card", "message": "Your card has expired."}


class World:
    """The API, one order, and what is announced of it.

    Attributes:
        sent: complete events, each validated when it was sent.
    """

    def __init__(self, api: Api) -> None:
        self.api, self.sent = api, list[dict[str, Any]]()
        self.payments: dict[str, dict[str, Any]] = {
            "authorize": AUTHORIZED,
            "capture": {"status": "CAPTURED"},
            "release": {"status": "RELEASED"},
        }
        self._dynamodb = clients.client("dynamodb")
        _, order = api.place(note="ring at Lovelace")
        self.order_id: str = order["order_id"]

    def run(self, name: str, *answers: Any, given: dict[str, Any] | None = None, stop_at: str = "") -> Execution:
        """Run a state machine to its end.

        Args:
            name: `order` or `unwind`.
            answers: what callbacks bring; None lets the wait run out.
            given: its input; for `order`, what the API started it with.
            stop_at: the state to leave it in, before it runs.
        """
        replies = iter(answers)
        execution = Execution(
            MACHINES[name],
            self.order_id,
            given or self.api.workflow.inputs[self.order_id],
            self._perform,
        )
        while execution.status == "RUNNING" and execution.at != stop_at:
            if execution.can_step:
                execution.step()
            elif (reply := next(replies)) is None:
                execution.wait_is_over()
            else:
                execution.call_back({"order_id": self.order_id} | reply)
        return execution

    def spend(self, promo_code: str) -> None:
        """Let the order be one that was placed with a promo code."""
        self.api.table.update_item(
            Key={"order_id": self.order_id},
            UpdateExpression="SET promo_code = :code",
            ExpressionAttributeValues={":code": promo_code},
        )
        self.api.workflow.inputs[self.order_id]["promo_code"] = promo_code

    def unwind(self, status: str, stop_at: str = "", **more: Any) -> Execution:
        """Run the unwind workflow, as after a status event."""
        given = {"detail": {"name": self.order_id, "status": status, **more}}
        return self.run("unwind", given=given, stop_at=stop_at)

    def row(self) -> dict[str, Any]:
        return dict(clients.table("OrdersTable").get_item(Key={"order_id": self.order_id})["Item"])

    def names(self) -> list[str]:
        return [event["detail-type"] for event in self.sent]

    def _perform(self, resource: str, arguments: dict[str, Any]) -> Any:
        resource = resource.removesuffix(".waitForTaskToken").partition(":states:::")[2]
        match resource:
            case _ if "dynamodb:" in resource:
                return ask_the_table(self._dynamodb, resource, arguments)
            case "lambda:invoke":
                return {"Payload": self.payments[arguments["Payload"]["operation"]]}
            case "events:putEvents":
                self._announce(arguments["Entries"])
                return {"FailedEntryCount": 0}
        raise NotImplementedError(resource)

    def _announce(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            assert entry.keys() <= DOCUMENTED
            envelope = schemas.example(entry["DetailType"])
            detail = json.loads(json.dumps(entry["Detail"]))
            event = envelope | {"detail-type": entry["DetailType"], "source": entry["Source"], "detail": detail}
            schemas.validate(event)
            assert "Lovelace" not in json.dumps(event)
            metadata = detail["metadata"]
            assert metadata["event_id"] == f"{self.order_id}:{entry['DetailType']}"
            assert metadata["trace_header"].startswith("Root=1-")
            self.sent.append(event)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with orders_world(monkeypatch) as api:
        yield World(api)


@pytest.fixture
def a_slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven minutes go by from one state to the next: nothing is told twice at the same moment."""
    moments = (datetime.now(UTC) + timedelta(minutes=7 * n) for n in count(1))
    monkeypatch.setattr(asl, "rfc3339", lambda: rfc3339(next(moments)))


def test_a_delivered_order(world: World) -> None:
    world.run("order", {"move": "accept"}, {"move": "dispatch"}, {"move": "deliver"})
    assert world.names() == ["OrderPlaced", "OrderAccepted", "OrderDispatched", "OrderDelivered"]
    assert world.row()["status"] == "DELIVERED"
    assert world.sent[-1]["detail"]["data"]["total"] == {"amount": 2150, "currency": "EUR"}


def test_a_declined_order(world: World) -> None:
    world.payments["authorize"] = DECLINED
    world.run("order")
    assert world.names() == ["OrderPlaced", "OrderDeclined"]
    reason = {key: DECLINED[key] for key in ("code", "message", "network")}
    assert world.sent[-1]["detail"]["data"]["reason"] == reason


@pytest.mark.parametrize("reason", ["too_busy", "out_of_stock", "closing", "outside_delivery_area", "other"])
def test_a_rejected_order(world: World, reason: str) -> None:
    world.run("order", {"move": "reject", "reason": reason})
    assert world.names() == ["OrderPlaced", "OrderRejected"]
    assert world.sent[-1]["detail"]["data"]["reason"]["code"] == "restaurant_rejected"


def test_a_silent_restaurant_rejects_the_order(world: World) -> None:
    world.run("order", None)
    assert world.names() == ["OrderPlaced", "OrderRejected"]
    assert world.sent[-1]["detail"]["data"]["reason"]["code"] == "restaurant_silent"


@pytest.mark.parametrize(
    ("death", "more", "event"),
    [
        ("TIMED_OUT", {}, "OrderExpired"),
        ("FAILED", {"error": "States.Runtime", "cause": "a defect"}, "OrderFailed"),
        ("FAILED", {"error": None}, "OrderFailed"),
        ("ABORTED", {}, "OrderFailed"),
        ("UNREPORTED", {}, "OrderFailed"),
    ],
)
@pytest.mark.parametrize("where", ["AnnouncePlaced", "AwaitRestaurant", "AwaitDispatch", "AwaitDelivery"])
def test_an_order_that_died(world: World, where: str, death: str, more: dict[str, Any], event: str) -> None:
    answers = {"AwaitDispatch": [{"move": "accept"}], "AwaitDelivery": [{"move": "accept"}, {"move": "dispatch"}]}
    world.run("order", *answers.get(where, []), stop_at=where)
    world.unwind(death, **more)
    assert world.names()[-1] == event
    assert world.names()[0] == "OrderPlaced"
    # Once more, as a second status event would: nothing is announced again.
    before = world.names()
    world.unwind(death, **more)
    assert world.names() == before


def test_a_cancelled_order(world: World) -> None:
    world.run("order", stop_at="AwaitRestaurant")
    assert world.api.call("POST", f"/orders/{world.order_id}/cancel")[0] == 202
    world.unwind("ABORTED")
    assert world.names()[-1] == "OrderCancelled"


def test_an_order_whose_money_was_taken_is_delivered_whatever_became_of_its_workflow(world: World) -> None:
    world.run("order", {"move": "accept"}, {"move": "dispatch"}, {"move": "deliver"}, stop_at="RecordDelivered")
    world.payments["release"] = {"status": "CAPTURED"}
    world.unwind("FAILED", error="States.Runtime")
    assert world.names()[-1] == "OrderDelivered"


@pytest.mark.parametrize(
    ("before", "answers", "authorize", "event"),
    [
        ("AnnounceDelivered", [{"move": m} for m in ("accept", "dispatch", "deliver")], AUTHORIZED, "OrderDelivered"),
        ("AnnounceRejected", [{"move": "reject", "reason": "closing"}], AUTHORIZED, "OrderRejected"),
        ("AnnounceDeclined", [], DECLINED, "OrderDeclined"),
    ],
)
def test_the_unwind_announces_an_end_that_was_only_recorded(
    world: World, before: str, answers: list[Any], authorize: dict[str, Any], event: str
) -> None:
    world.payments["authorize"] = authorize
    world.run("order", *answers, stop_at=before)
    world.unwind("FAILED")
    assert world.names()[-1] == event


@pytest.mark.parametrize("promo_code", [None, "WELCOME-12345678"])
@pytest.mark.parametrize(
    ("before", "answers", "authorize"),
    [
        ("AnnouncePlaced", [], AUTHORIZED),
        ("AnnounceDelivered", [{"move": m} for m in ("accept", "dispatch", "deliver")], AUTHORIZED),
        ("AnnounceRejected", [{"move": "reject", "reason": "closing"}], AUTHORIZED),
        ("AnnounceRejected", [None], AUTHORIZED),
        ("AnnounceDeclined", [], DECLINED),
    ],
)
def test_both_workflows_say_the_same_of_an_order_with_and_without_a_promo_code(
    world: World, before: str, answers: list[Any], authorize: dict[str, Any], promo_code: str | None
) -> None:
    world.payments["authorize"] = authorize
    if promo_code:
        world.spend(promo_code)
    order = world.run("order", *answers, stop_at=before)
    order.step()
    said = world.sent[-1]
    world.sent.clear()
    world.unwind("FAILED")
    [again] = [event for event in world.sent if event["detail-type"] == said["detail-type"]]
    assert again["detail"]["data"] == said["detail"]["data"]
    assert said["detail"]["data"]["promo_code"] == promo_code


@pytest.mark.parametrize("promo_code", [None, "WELCOME-12345678"])
def test_an_order_that_died_names_its_promo_code_if_it_had_one(world: World, promo_code: str | None) -> None:
    if promo_code:
        world.spend(promo_code)
    world.run("order", stop_at="AwaitRestaurant")
    world.unwind("TIMED_OUT")
    assert world.sent[-1]["detail"]["data"] == {
        "customer_id": "cust-1",
        "restaurant_id": "bella",
        "total": {"amount": 2150, "currency": "EUR"},
        "promo_code": promo_code,
        "reason": {"code": "not_delivered_in_time", "message": "The food was not delivered within three hours."},
        "deadline_at": world.row()["deadline_at"],
    }


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_an_expiry_that_is_told_twice_is_told_the_same_however_late(
    world: World, a_slow_clock: None, answers: int
) -> None:
    world.run("order", *[{"move": m} for m in ("accept", "dispatch")][:answers], stop_at=WAITS[answers])
    world.unwind("TIMED_OUT", stop_at="Close")
    world.unwind("UNREPORTED")
    once, again = (event for event in world.sent if event["detail-type"] == "OrderExpired")
    assert again["detail"] == once["detail"]
    assert once["detail"]["data"]["deadline_at"] == world.row()["deadline_at"]
    assert once["detail"]["metadata"]["occurred_at"] == world.row()["timeline"]["EXPIRED"]


@pytest.mark.parametrize(
    ("before", "answers", "authorize", "status"),
    [
        ("AnnouncePlaced", [], AUTHORIZED, "PLACED"),
        ("AnnounceDelivered", [{"move": m} for m in ("accept", "dispatch", "deliver")], AUTHORIZED, "DELIVERED"),
        ("AnnounceRejected", [{"move": "reject", "reason": "closing"}], AUTHORIZED, "REJECTED"),
        ("AnnounceRejected", [None], AUTHORIZED, "REJECTED"),
        ("AnnounceDeclined", [], DECLINED, "DECLINED"),
    ],
)
def test_an_event_that_both_workflows_tell_happened_when_it_was_recorded(
    world: World, a_slow_clock: None, before: str, answers: list[Any], authorize: dict[str, Any], status: str
) -> None:
    world.payments["authorize"] = authorize
    world.run("order", *answers, stop_at=before).step()
    said = world.sent[-1]
    world.sent.clear()
    world.unwind("FAILED")
    [again] = [event for event in world.sent if event["detail-type"] == said["detail-type"]]
    assert again["detail"] == said["detail"]
    assert said["detail"]["metadata"]["occurred_at"] == world.row()["timeline"][status]


@pytest.mark.parametrize(("death", "end"), [("FAILED", "FAILED"), ("ABORTED", "CANCELLED"), ("FAILED", "DELIVERED")])
def test_an_end_that_the_unwind_records_and_tells_again_happened_once(
    world: World, a_slow_clock: None, death: str, end: str
) -> None:
    world.run("order", stop_at="AwaitRestaurant")
    if end == "CANCELLED":
        assert world.api.call("POST", f"/orders/{world.order_id}/cancel")[0] == 202
    if end == "DELIVERED":
        world.payments["release"] = {"status": "CAPTURED"}
    world.unwind(death, stop_at="Close")
    world.unwind(death)
    once, again = (event for event in world.sent if event["detail-type"] == f"Order{end.capitalize()}")
    assert again["detail"] == once["detail"]
    assert once["detail"]["metadata"]["occurred_at"] == world.row()["timeline"][end]


def test_every_announcing_state_has_a_story() -> None:
    """The stories above reach these: a new announcing state needs one more."""
    assert {
        (name, state)
        for name, definition in MACHINES.items()
        for state, body in definition["States"].items()
        if "events:putEvents" in str(body.get("Resource"))
    } == {
        *(("order", f"Announce{event}") for event in ("Placed", "Accepted", "Dispatched", "Delivered")),
        *(("order", f"Announce{event}") for event in ("Declined", "Rejected")),
        *(("unwind", f"Announce{event}") for event in ("Placed", "End")),
    }
