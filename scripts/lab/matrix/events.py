"""Events: they cannot be sent, or come twice, late, in disorder or never."""

import json
from collections.abc import Iterator

from ..cases import (
    CANCELLED,
    DECLINED_CARD,
    DELIVERED,
    MACHINES,
    NEVER_DELIVERED,
    PROMOTIONS,
    PROMOTIONS_QUEUE,
    REJECTED,
    SILENT,
    UNWIND,
    Act,
    Case,
    Fault,
)
from ..lab import Lab

# --- EventBridge, as workflows and relays meet it ---


def bus() -> Iterator[Case]:
    for machine, state, plan, method, end in (
        ("OrderWorkflow", "AnnouncePlaced", DELIVERED, "pm_card_visa", "DELIVERED"),
        ("OrderWorkflow", "AnnounceAccepted", DELIVERED, "pm_card_visa", "DELIVERED"),
        ("OrderWorkflow", "AnnounceDispatched", DELIVERED, "pm_card_visa", "DELIVERED"),
        ("OrderWorkflow", "AnnounceDelivered", DELIVERED, "pm_card_visa", "DELIVERED"),
        ("OrderWorkflow", "AnnounceDeclined", SILENT, DECLINED_CARD, "DECLINED"),
        ("OrderWorkflow", "AnnounceRejected", REJECTED, "pm_card_visa", "REJECTED"),
        ("UnwindWorkflow", "AnnounceEnd", CANCELLED, "pm_card_visa", "CANCELLED"),
    ):
        early = state in ("AnnouncePlaced", "AnnounceAccepted", "AnnounceDispatched")
        for name, words, point, action, times in (
            ("fails", "PutEvents fails, twice", "api", "refuse", 2),
            ("entry", "PutEvents succeeds, and its entry is refused", "entry", "refuse", 1),
            ("lose", "PutEvents is done, and its answer lost", "api", "lose", 1),
            ("down", "PutEvents fails until the workflow gives up", "api", "refuse", 9),
        ):
            ends = {"FAILED"} if early and name == "down" else {end}
            yield Case(
                f"bus-{state.lower()}-{name}",
                words,
                f"{MACHINES[machine]}, {state}",
                plan,
                frozenset(ends),
                (Fault(point, action, {"machine": f"*{machine}*", "state": state}, times=times),),
                method,
            )
    for name, words, point, action, times in (
        ("fails", "PutEvents fails, ten times", "api", "refuse", 10),
        ("entry", "PutEvents succeeds, and an entry is refused, three times", "entry", "refuse", 3),
        ("lose", "PutEvents is done, and its answer lost", "api", "lose", 3),
    ):
        yield Case(
            f"relay-{name}",
            words,
            "outbox relay, PaymentAuthorized",
            faults=(Fault(point, action, {"name": "*PaymentAuthorized*"}, times=times),),
        )
    for action, words in (("raise", "raises before it sends"), ("lose", "raises after it sent")):
        yield Case(
            f"relay-fn-{action}",
            f"the function {words}, twice",
            "outbox relay of payments",
            faults=(Fault("function", action, {"function": "*OutboxRelay*"}, times=2),),
        )


# --- Events: twice, late, out of order, never -------------------------------------------------------------------------


def status_events() -> Iterator[Case]:
    for name, words, action, seconds in (
        ("twice", "comes twice", "repeat", 2),
        ("ten", "comes ten times", "repeat", 10),
        ("late", "comes late", "delay", 2),
        ("never", "never comes", "drop", 0),
    ):
        for death, plan, end, extra in (
            ("ABORTED", CANCELLED, "CANCELLED", ()),
            ("FAILED", DELIVERED, "FAILED", (Fault("state", "fail", {"state": "AwaitDispatch", "moment": "before"}),)),
            ("TIMED_OUT", NEVER_DELIVERED, "EXPIRED", ()),
        ):
            # Who failed and was not reported is missed when its three hours are over, and expired by then.
            end = "EXPIRED" if (death, name) == ("FAILED", "never") else end
            yield Case(
                f"status-{death.lower()}-{name}",
                f"the status event {words}",
                f"EventBridge, {death}",
                plan,
                frozenset({end}),
                (*extra, Fault("target", action, {"target": UNWIND}, seconds=seconds)),
            )


def promotions() -> Iterator[Case]:
    for name, words, action, seconds in (
        ("twice", "comes twice", "repeat", 2),
        ("ten", "comes ten times", "repeat", 10),
        ("late", "comes late", "delay", 4),
        ("never", "never comes, and is replayed", "drop", 0),
    ):
        for event, plan, end in (
            ("OrderDelivered", DELIVERED, "DELIVERED"),
            ("OrderExpired", NEVER_DELIVERED, "EXPIRED"),
        ):
            yield Case(
                f"event-{event[5:].lower()}-{name}",
                f"the event {words}",
                f"promotions, {event}",
                plan,
                frozenset({end}),
                (Fault("target", action, {"target": PROMOTIONS_QUEUE, "name": event}, seconds=seconds),),
                afterwards=_replay(event) if action == "drop" else None,
            )
    yield Case(
        "event-disorder",
        "OrderPlaced comes after OrderDelivered",
        "promotions",
        faults=(Fault("target", "delay", {"target": PROMOTIONS_QUEUE, "name": "OrderPlaced"}, seconds=6),),
    )
    for action, words in (("raise", "raises before it takes a batch"), ("lose", "raises after it took a batch")):
        yield Case(
            f"consumer-{action}",
            f"the function {words}, twice",
            "promotions, OrderDelivered",
            faults=(Fault("function", action, {"function": PROMOTIONS}, times=2),),
        )
    for action, words in (
        ("kill", "the worker is SIGKILLed before it writes"),
        ("kill-after", "the worker is SIGKILLed after it wrote"),
        ("refuse", "DynamoDB answers 500 to the write"),
        ("lose", "DynamoDB writes, and answers 500"),
    ):
        match = {"operation": "TransactWriteItems", "table": "*PromotionsTable*"}
        times = 2 if action in ("refuse", "lose") else 1
        yield Case(
            f"consumer-write-{action}",
            words,
            "promotions, the code with its event",
            faults=(Fault("api", action, match, times=times),),
        )


def _replay(name: str) -> Act:
    """Send the event again from what the bus carried, as a replay from an archive does."""

    def act(lab: Lab, case: Case) -> None:
        event = lab.tap.wait_for_event(name, case.order_id, 30)
        lab.stack.client("sqs").send_message(
            QueueUrl=lab.stack.outputs["PromotionsQueueUrl"], MessageBody=json.dumps(event)
        )

    return act
