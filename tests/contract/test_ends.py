"""Every way in which an order ends, as its customer, its payment and the bus see it afterwards, all of it written out.

Orders are placed by the real API, their workflows stepped as they are, and the real payments service answers. An end is
whole: a status, a reason, an entry of the timeline, a payment that says what became of the money, and one event.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from asl import Execution
from orders.commands import RejectOrder
from worlds.doors import ENDS, Doors
from worlds.orders import orders_world
from worlds.runtime import ENVIRONMENT

ACCEPT, DISPATCH, DELIVER = ({"move": move} for move in ("accept", "dispatch", "deliver"))
TOTAL = 2150


@dataclass(frozen=True)
class End:
    """One way to end.

    Attributes:
        answers: what callbacks bring; None lets the restaurant's time run out.
        method: the payment method.
        dies: where the workflow dies, and how the status event puts it.
        cancelled: whether the customer cancels before that.
        status, reason, payment: of the order in the end.
        timeline: what the order went through.
        money: held, captured, voided.
        event: that tells of it; the reason in it is the order's own.
    """

    status: str
    reason: dict[str, Any] | None
    payment: dict[str, Any]
    timeline: list[str]
    money: tuple[int, int, int]
    event: str
    answers: list[Any] = field(default_factory=list)
    method: str = "pm_card_visa"
    dies: tuple[str, str, dict[str, Any]] | None = None
    cancelled: bool = False


def because(code: str, message: str, network: str | None = None) -> dict[str, Any]:
    summary = f"{network}: {code}" if network else code
    return {"code": code, "message": message, "network": network, "summary": summary}


def paid(status: str, network: str | None = "visa") -> dict[str, Any]:
    return {"status": status, "network": network}


WAITED = ["PLACED", "AWAITING_RESTAURANT"]
RELEASED, UNTOUCHED = (TOTAL, 0, TOTAL), (0, 0, 0)
LATE = because("not_delivered_in_time", "The food was not delivered within three hours.")
CANCELLED = because("cancelled_by_customer", "The customer cancelled the order.")
REJECTIONS = {
    "too_busy": "The restaurant rejected the order: too busy.",
    "out_of_stock": "The restaurant rejected the order: out of stock.",
    "closing": "The restaurant rejected the order: closing.",
    "outside_delivery_area": "The restaurant rejected the order: outside delivery area.",
    "other": "The restaurant rejected the order.",
}
FAILED = because("workflow_failed", "The order could not be completed: States.DataLimitExceeded.")
DIED_OF = {"error": "States.DataLimitExceeded"}

BY_ITSELF = {
    "delivered": End(
        "DELIVERED",
        None,
        paid("CAPTURED"),
        [*WAITED, "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED"],
        (TOTAL, TOTAL, 0),
        "OrderDelivered",
        [ACCEPT, DISPATCH, DELIVER],
    ),
    "declined": End(
        "DECLINED",
        because("insufficient_funds", "Your card has insufficient funds.", "mastercard"),
        # The network is told with the reason; the payment was never anybody's.
        paid("DECLINED", None),
        ["PLACED", "DECLINED"],
        UNTOUCHED,
        "OrderDeclined",
        method="pm_card_mastercard_chargeDeclinedInsufficientFunds",
    ),
    "declined before a network was asked": End(
        "DECLINED",
        because("resource_missing", "There is no such payment method.", "unknown"),
        paid("DECLINED", None),
        ["PLACED", "DECLINED"],
        UNTOUCHED,
        "OrderDeclined",
        method="pm_nobody",
    ),
    "silence": End(
        "REJECTED",
        because("restaurant_silent", "The restaurant did not answer within 15 minutes."),
        paid("RELEASED"),
        [*WAITED, "REJECTED"],
        RELEASED,
        "OrderRejected",
        [None],
    ),
} | {
    f"rejected: {reason}": End(
        "REJECTED",
        because("restaurant_rejected", message),
        paid("RELEASED"),
        [*WAITED, "REJECTED"],
        RELEASED,
        "OrderRejected",
        [{"move": "reject", "reason": reason}],
    )
    for reason, message in REJECTIONS.items()
}
BY_DEATH = {
    "cancelled at once": End(
        "CANCELLED",
        CANCELLED,
        paid("RELEASED", None),
        ["PLACED", "CANCELLED"],
        UNTOUCHED,
        "OrderCancelled",
        dies=("AnnouncePlaced", "ABORTED", {}),
        cancelled=True,
    ),
    "cancelled while the restaurant thinks": End(
        "CANCELLED",
        CANCELLED,
        paid("RELEASED"),
        [*WAITED, "CANCELLED"],
        RELEASED,
        "OrderCancelled",
        dies=("waits 0", "ABORTED", {}),
        cancelled=True,
    ),
    "expired before the restaurant answered": End(
        "EXPIRED",
        LATE,
        paid("RELEASED"),
        [*WAITED, "EXPIRED"],
        RELEASED,
        "OrderExpired",
        dies=("waits 0", "TIMED_OUT", {}),
    ),
    "expired in the kitchen": End(
        "EXPIRED",
        LATE,
        paid("RELEASED"),
        [*WAITED, "PREPARING", "EXPIRED"],
        RELEASED,
        "OrderExpired",
        dies=("waits 1", "TIMED_OUT", {}),
    ),
    "expired on its way": End(
        "EXPIRED",
        LATE,
        paid("RELEASED"),
        [*WAITED, "PREPARING", "OUT_FOR_DELIVERY", "EXPIRED"],
        RELEASED,
        "OrderExpired",
        dies=("waits 2", "TIMED_OUT", {}),
    ),
    "failed": End(
        "FAILED",
        FAILED,
        paid("RELEASED"),
        [*WAITED, "FAILED"],
        RELEASED,
        "OrderFailed",
        dies=("waits 0", "FAILED", DIED_OF),
    ),
    "failed, and nobody knows why": End(
        "FAILED",
        because("workflow_failed", "The order could not be completed."),
        paid("RELEASED"),
        [*WAITED, "PREPARING", "FAILED"],
        RELEASED,
        "OrderFailed",
        dies=("waits 1", "FAILED", {}),
    ),
    "declined, and dead before that was recorded": End(
        "FAILED",
        FAILED,
        paid("DECLINED", None),
        ["PLACED", "FAILED"],
        UNTOUCHED,
        "OrderFailed",
        method="pm_card_amex_chargeDeclined",
        dies=("RecordDeclined", "FAILED", DIED_OF),
    ),
    "delivered, and dead before that was recorded": End(
        "DELIVERED",
        None,
        paid("CAPTURED"),
        [*WAITED, "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED"],
        (TOTAL, TOTAL, 0),
        "OrderDelivered",
        [ACCEPT, DISPATCH, DELIVER],
        dies=("RecordDelivered", "FAILED", DIED_OF),
    ),
}
EVERY = BY_ITSELF | BY_DEATH


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    """One world for all: each order is its own."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        with orders_world(monkeypatch) as api:
            yield Doors(api, monkeypatch)


def ended(doors: Doors, end: End) -> str:
    """Live an order to its end; its id."""
    status, order = doors.place(payment_method=end.method)
    assert status == 201
    order_id = str(order["order_id"])
    if end.dies is None:
        assert doors.run(order_id, end.answers).status == "SUCCEEDED"
        return order_id
    at, how, why = end.dies
    if at.startswith("waits"):
        waiting(doors, order_id, int(at.removeprefix("waits ")))
    else:
        doors.run(order_id, end.answers, stop_at=at)
    if end.cancelled:
        assert doors.api.call("POST", f"/orders/{order_id}/cancel")[0] == 202
    assert doors.unwind(order_id, how, **why).status == "SUCCEEDED"
    return order_id


def waiting(doors: Doors, order_id: str, answered: int) -> Execution:
    """The order's workflow where it waits for a person, who has answered so many times before."""
    answers = iter([ACCEPT, DISPATCH, DELIVER][:answered])
    execution = doors.start(order_id)
    while True:
        while execution.can_step:
            execution.step()
        if (answer := next(answers, None)) is None:
            return execution
        execution.call_back({"order_id": order_id} | answer)


@pytest.mark.parametrize("name", EVERY)
def test_an_end_is_whole(doors: Doors, name: str) -> None:
    end = EVERY[name]
    order_id = ended(doors, end)
    order = doors.ended(order_id)
    assert order["status"] == end.status
    assert order["reason"] == end.reason
    assert order["payment"] == end.payment
    assert [entry["status"] for entry in order["timeline"]] == end.timeline
    assert order["pending_move"] is None
    money = doors.payments.balance(order_id)
    assert (money.held, money.captured, money.voided) == end.money
    told = [sent for sent in doors.announced if sent["detail-type"].removeprefix("Order").upper() in ENDS]
    assert [sent["detail-type"] for sent in told] == [end.event]
    [data] = [sent["detail"]["data"] for sent in told]
    reason = {key: value for key, value in (end.reason or {}).items() if key != "summary" and value is not None}
    assert data.get("reason", {}) == reason
    # Nothing is owed to it any more, and nobody can answer it.
    assert not {"open_shard", "check_at", "task_token"} & doors.row(order_id).keys()


def test_a_restaurant_can_give_these_reasons_and_no_others() -> None:
    asked = RejectOrder.model_json_schema()["properties"]["reason"]
    assert (asked["enum"], asked["default"]) == (list(REJECTIONS), "other")
    for reason in REJECTIONS:
        assert RejectOrder.model_validate({"reason": reason}).reason == reason


def test_every_end_has_a_story() -> None:
    assert (
        {end.status for end in EVERY.values()}
        == ENDS
        == {
            "DELIVERED",
            "DECLINED",
            "REJECTED",
            "CANCELLED",
            "EXPIRED",
            "FAILED",
        }
    )


class TestACallbackOfAnotherOrder:
    """Whoever mixes up two task tokens moves neither order, and each can still be moved by its own callback."""

    @pytest.mark.parametrize("answered", [0, 1, 2], ids=["restaurant", "kitchen", "courier"])
    @pytest.mark.parametrize(
        "callback", [{"order_id": "ord_other"}, {"order_id": None}, {}], ids=["another's", "nobody's", "without a name"]
    )
    def test_it_is_no_answer_and_the_order_waits_on(
        self, doors: Doors, answered: int, callback: dict[str, Any]
    ) -> None:
        answers = [ACCEPT, DISPATCH, DELIVER]
        order_id = doors.place()[1]["order_id"]
        execution = waiting(doors, order_id, answered)
        where, before = execution.at, doors.row(order_id)
        execution.call_back(answers[answered] | callback)
        assert (execution.status, execution.at) == ("RUNNING", where)
        execution.step()  # it waits anew
        after = doors.row(order_id)
        assert (after["status"], after["timeline"]) == (before["status"], before["timeline"])
        assert after["task_token"] == execution.token != before["task_token"]
        execution.call_back({"order_id": order_id} | answers[answered])
        assert execution.at != where
