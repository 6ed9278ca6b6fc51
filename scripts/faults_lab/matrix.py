"""The rows of the fault matrix: each fault at each place it can happen, and how an order may end that meets it."""

import json
import time
from collections.abc import Iterator
from typing import Any

from .lab import DELIVERED, Act, Case, Fault, Lab, Plan

PAYMENTS, API = "*PaymentsFunction*", "*-ApiFunction*"
ORDERS_TABLE, PAYMENTS_TABLE, LEDGER = "*OrdersTable*", "*PaymentsTable*", "*SandboxLedgerTable*"
PROMOTIONS_QUEUE, UNWIND = "*PromotionsQueue*", "*UnwindWorkflow*"
# More often than anybody tries again: SDK, workflow and reconciler together.
FOR_GOOD = 1000
DECLINED_CARD = "pm_card_mastercard_chargeDeclinedInsufficientFunds"

REJECTED: Plan = {"AWAITING_RESTAURANT": "reject"}
CANCELLED: Plan = {"AWAITING_RESTAURANT": "cancel"}
SILENT: Plan = {}
NEVER_DELIVERED: Plan = {"AWAITING_RESTAURANT": "accept", "PREPARING": "dispatch"}
_OK = frozenset({"DELIVERED"})
_DEAD = frozenset({"FAILED"})


def cases(seed: int) -> list[Case]:
    """All rows. The seed names the orders, and so chooses their ids, shards and retries' delays."""
    rows = [
        *_functions(),
        *_payment_writes(),
        *_gateway(),
        *_api(),
        *_database(),
        *_bus(),
        *_status_events(),
        *_promotions(),
        *_callbacks(),
        *_stops(),
    ]
    for number, case in enumerate(rows):
        case.name = f"{seed}-{number:03d}-{case.name}"
        case.customer = f"c-{seed}-{number:03d}"
    return rows


# --- A function fails -------------------------------------------------------------------------------------------------

# Each operation of payments: the people's plan that leads there, and how the order ends without a fault.
_OPERATIONS: dict[str, tuple[Plan, str]] = {
    "authorize": (DELIVERED, "DELIVERED"),
    "capture": (DELIVERED, "DELIVERED"),
    "release": (CANCELLED, "CANCELLED"),
}


def _functions() -> Iterator[Case]:
    actions = {
        "raises before it does anything": Fault("function", "raise", times=2),
        "raises after all of it": Fault("function", "lose", times=2),
        "times out": Fault("function", "timeout", times=2),
        "fails at every attempt": Fault("function", "raise", times=FOR_GOOD),
        "has done all, and fails at every attempt": Fault("function", "lose", times=40),
    }
    for operation, (plan, end) in _OPERATIONS.items():
        for what, fault in actions.items():
            if fault.times == FOR_GOOD and operation == "release":
                continue  # nothing can end well while no release ever succeeds: see the row of 40 failures
            ends = {end}
            if fault.times == FOR_GOOD or (fault.times > 2 and operation == "authorize"):
                ends = {"FAILED"}
            yield Case(
                f"fn-{operation}-{fault.action}-{fault.times}",
                f"the function {what}",
                f"payments, {operation}",
                plan,
                frozenset(ends),
                (_at_function(fault, operation),),
            )
    yield Case(
        "fn-release-raise-30",
        "the unwind fails twice as a whole, and is tried again",
        "payments, release",
        CANCELLED,
        frozenset({"CANCELLED"}),
        (_at_function(Fault("function", "raise", times=25), "release"),),
    )


def _at_function(fault: Fault, operation: str) -> Fault:
    return Fault(fault.point, fault.action, {"function": PAYMENTS, "operation": operation}, times=fault.times)


# Each write that payments makes for an operation, in order: where a function is interrupted "during its write".
_WRITES: dict[str, tuple[tuple[str, str, int], ...]] = {
    "authorize": (
        ("the payment as requested", PAYMENTS_TABLE, 0),
        ("the payment opened at the gateway", LEDGER, 0),
        ("the gateway's reference", PAYMENTS_TABLE, 1),
        ("the hold at the gateway", LEDGER, 1),
        ("the payment as authorized, with its event", PAYMENTS_TABLE, 2),
    ),
    "capture": (
        ("the payment as capturing", PAYMENTS_TABLE, 3),
        ("the capture at the gateway", LEDGER, 2),
        ("the payment as captured, with its event", PAYMENTS_TABLE, 4),
    ),
    "release": (
        ("the void at the gateway", LEDGER, 2),
        ("the payment as released, with its event", PAYMENTS_TABLE, 3),
    ),
}


def _payment_writes() -> Iterator[Case]:
    for operation, writes in _WRITES.items():
        plan, end = _OPERATIONS[operation]
        for number, (what, table, skip) in enumerate(writes):
            for action, words in (
                ("kill", "the worker is SIGKILLed before it writes"),
                ("kill-after", "the worker is SIGKILLed after it wrote"),
                ("refuse", "DynamoDB answers 500 to the write"),
                ("lose", "DynamoDB writes, and answers 500"),
            ):
                match = {"operation": "TransactWriteItems", "table": table}
                times = 3 if action in ("refuse", "lose") else 1
                yield Case(
                    f"write-{operation}-{number}-{action}",
                    words,
                    f"payments, {operation}: {what}",
                    plan,
                    frozenset({end}),
                    (Fault("api", action, match, skip=skip, times=times),),
                )
    for error in ("ProvisionedThroughputExceededException", "ThrottlingException", "TransactionInProgressException"):
        yield Case(
            f"write-throttle-{error[:12].lower()}",
            f"DynamoDB refuses with {error}, four times",
            "payments, any write",
            faults=(
                Fault(
                    "api", "refuse", {"operation": "TransactWriteItems", "table": PAYMENTS_TABLE}, times=4, error=error
                ),
            ),
        )


# --- The gateway misbehaves -------------------------------------------------------------------------------------------


def _gateway() -> Iterator[Case]:
    yield Case("gw-declines", "the gateway declines", "authorize", ends=frozenset({"DECLINED"}), method=DECLINED_CARD)
    yield Case("gw-slow", "the gateway is slow: two seconds", "authorize", method="pm_card_visa_gatewaySlow")
    yield Case("gw-away", "the gateway is away, twice", "authorize", method="pm_card_visa_gatewayUnavailableTwice")
    yield Case(
        "gw-lost", "the gateway holds, and its answer is lost", "authorize", method="pm_card_visa_gatewayLosesAnswer"
    )
    for operation, state, plan, end in (
        ("authorize", "AuthorizePayment", DELIVERED, "DELIVERED"),
        ("capture", "CapturePayment", DELIVERED, "DELIVERED"),
        ("release", "ReleasePayment", CANCELLED, "CANCELLED"),
    ):
        yield Case(
            f"gw-late-{operation}",
            "payments answer after the workflow's patience is over",
            operation,
            plan,
            frozenset({end}),
            (
                Fault("patience", "shorten", {"state": state}, seconds=0.2),
                Fault("function", "delay", {"function": PAYMENTS, "operation": operation}, seconds=0.8),
            ),
        )
    for operation, skip, plan, end in (
        ("authorize", 1, DELIVERED, "FAILED"),
        ("capture", 2, DELIVERED, "DELIVERED"),
        ("release", 2, CANCELLED, "CANCELLED"),
    ):
        match = {"operation": "TransactWriteItems", "table": LEDGER}
        yield Case(
            f"gw-500-{operation}",
            "the gateway books it, and answers 500 until the workflow gives up",
            operation,
            plan,
            frozenset({end}),
            (
                Fault("api", "lose", match, skip=skip, times=3),
                Fault("function", "raise", {"function": PAYMENTS, "operation": operation}, skip=1, times=12),
            ),
        )
    yield Case(
        "gw-overtaken",
        "the customer cancels while the gateway still holds",
        "authorize",
        {"PLACED": "cancel"},
        frozenset({"CANCELLED"}),
        (Fault("function", "delay", {"function": PAYMENTS, "operation": "authorize"}, seconds=1.5),),
    )
    yield Case(
        "gw-tombstone",
        "the order dies before its authorization, which comes later",
        "authorize",
        SILENT,
        _DEAD,
        (
            Fault("state", "stop", {"state": "AuthorizePayment", "moment": "during"}),
            # Longer than a release takes that has to wait for a new worker: it is to come first.
            Fault("function", "delay", {"function": PAYMENTS, "operation": "authorize"}, seconds=6.0),
        ),
    )


# --- The API's function, between its writes ---------------------------------------------------------------------------


def _api() -> Iterator[Case]:
    for name, words, operation, table, skip in (
        ("place", "POST /orders: the order", "PutItem", ORDERS_TABLE, 0),
        ("accept", "accept: the claim", "UpdateItem", ORDERS_TABLE, 0),
        ("start", "POST /orders: StartExecution", "StartExecution", "*", 0),
        ("callback", "accept: SendTaskSuccess", "SendTaskSuccess", "*", 0),
    ):
        for action, what in (
            ("kill", "the worker is SIGKILLed before the call"),
            ("kill-after", "the worker is SIGKILLed after the call"),
            ("refuse", "the call is refused, three times"),
            ("lose", "the call is done, and its answer lost"),
        ):
            match = {"operation": operation, "table": table, "machine": ""}
            yield Case(
                f"api-{name}-{action}",
                what,
                f"orders API, {words}",
                faults=(Fault("api", action, match, skip=skip, times=3 if action == "refuse" else 1),),
            )
    yield Case(
        "api-stop-refuse",
        "StopExecution is refused, ten times",
        "orders API, cancel",
        CANCELLED,
        frozenset({"CANCELLED"}),
        (Fault("api", "refuse", {"operation": "StopExecution"}, times=10),),
    )


# --- DynamoDB and EventBridge, as the workflows meet them -------------------------------------------------------------

# Every state that writes or reads an order, with the plan that leads there and how the order ends then.
_RECORDING: tuple[tuple[str, str, Plan, str, str], ...] = (
    ("OrderWorkflow", "AwaitRestaurant", DELIVERED, "pm_card_visa", "DELIVERED"),
    ("OrderWorkflow", "AwaitDispatch", DELIVERED, "pm_card_visa", "DELIVERED"),
    ("OrderWorkflow", "AwaitDelivery", DELIVERED, "pm_card_visa", "DELIVERED"),
    ("OrderWorkflow", "RecordDelivered", DELIVERED, "pm_card_visa", "DELIVERED"),
    ("OrderWorkflow", "Close", DELIVERED, "pm_card_visa", "DELIVERED"),
    ("OrderWorkflow", "RecordDeclined", SILENT, DECLINED_CARD, "DECLINED"),
    ("OrderWorkflow", "RecordRejected", REJECTED, "pm_card_visa", "REJECTED"),
    ("OrderWorkflow", "ClaimSilence", SILENT, "pm_card_visa", "REJECTED"),
    ("UnwindWorkflow", "Begin", CANCELLED, "pm_card_visa", "CANCELLED"),
    ("UnwindWorkflow", "ReadOrder", CANCELLED, "pm_card_visa", "CANCELLED"),
    ("UnwindWorkflow", "RecordEnd", CANCELLED, "pm_card_visa", "CANCELLED"),
    ("UnwindWorkflow", "Close", CANCELLED, "pm_card_visa", "CANCELLED"),
)
# What an order becomes that cannot record its turn for good: it dies there, and past the capture it was delivered.
_DIES_AS = {"ClaimSilence": "FAILED", "AwaitRestaurant": "FAILED", "AwaitDispatch": "FAILED", "AwaitDelivery": "FAILED"}


def _database() -> Iterator[Case]:
    for machine, state, plan, method, end in _RECORDING:
        for name, words, action, times, error in (
            ("throttle", "DynamoDB throttles, three times", "refuse", 3, "ProvisionedThroughputExceededException"),
            ("conflict", "DynamoDB is in a transaction conflict", "refuse", 1, "TransactionConflictException"),
            ("lose", "DynamoDB does it, and answers 500", "lose", 1, "InternalServerError"),
            ("down", "DynamoDB refuses until the workflow gives up", "refuse", 7, "InternalServerError"),
        ):
            dies = {_DIES_AS.get(state, end)} if name == "down" else {end}
            # The workflow dies with its answer unrecorded, and the unwind knows nothing of it.
            if name == "down" and state in ("RecordDeclined", "RecordRejected"):
                dies = {"FAILED", end}
            yield Case(
                f"db-{state.lower()}-{name}-{machine[0].lower()}",
                words,
                f"{_machine(machine)}, {state}",
                plan,
                frozenset(dies),
                (Fault("api", action, {"machine": f"*{machine}*", "state": state}, times=times, error=error),),
                method,
            )
    yield Case(
        "db-readclaim-throttle",
        "DynamoDB throttles, three times",
        "order workflow, ReadClaim",
        {**DELIVERED, "AWAITING_RESTAURANT": _claim_without_callback},
        frozenset({"DELIVERED"}),
        (
            # The SDK backs off in real time, between which the workflow's 15 minutes pass on its fast clock.
            Fault("api", "refuse", {"operation": "SendTaskSuccess"}, times=12, error="ThrottlingException"),
            Fault("api", "refuse", {"state": "ReadClaim"}, times=3, error="ProvisionedThroughputExceededException"),
        ),
    )


def _bus() -> Iterator[Case]:
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
                f"{_machine(machine)}, {state}",
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


def _machine(name: str) -> str:
    return "order workflow" if name == "OrderWorkflow" else "unwind"


# --- Events: twice, late, out of order, never -------------------------------------------------------------------------


def _status_events() -> Iterator[Case]:
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


def _promotions() -> Iterator[Case]:
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
            faults=(Fault("function", action, {"function": "*ConsumerFunction*"}, times=2),),
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
        event = lab.tap.wait_for(
            lambda e: (e["detail-type"], e["detail"]["metadata"]["order_id"]) == (name, case.order_id), 30
        )
        lab.stack.client("sqs").send_message(
            QueueUrl=lab.stack.outputs["PromotionsQueueUrl"], MessageBody=json.dumps(event)
        )

    return act


# --- Callbacks --------------------------------------------------------------------------------------------------------


def _callbacks() -> Iterator[Case]:
    yield Case(
        "callback-twice",
        "every callback comes twice, once behind the API's back",
        "accept, dispatch, deliver",
        {status: _twice(str(move)) for status, move in DELIVERED.items()},
        must_strike=False,
    )
    yield Case(
        "callback-late",
        "the restaurant accepts after its 15 minutes",
        "accept",
        {"AWAITING_RESTAURANT": _accept_too_late},
        frozenset({"REJECTED"}),
        must_strike=False,
    )
    yield Case(
        "callback-lost",
        "no callback ever arrives: the claim alone stands",
        "accept",
        {**DELIVERED, "AWAITING_RESTAURANT": _claim_without_callback},
        faults=(Fault("api", "refuse", {"operation": "SendTaskSuccess"}, times=12, error="ThrottlingException"),),
    )
    yield Case(
        "callback-foreign",
        "the callback comes with another order's token",
        "accept",
        {**DELIVERED, "AWAITING_RESTAURANT": _with_the_token_of("foreign-victim")},
        must_strike=False,
    )
    yield Case(
        "foreign-victim",
        "another order's callback comes with this one's token",
        "accept",
        SILENT,
        frozenset({"REJECTED"}),
        must_strike=False,
    )


_victims: dict[str, Any] = {}


def _twice(move: str) -> Act:
    def act(lab: Lab, case: Case) -> None:
        token = str(case.row["task_token"])
        lab.turn(case, move)
        states = lab.stack.client("stepfunctions")
        try:
            states.send_task_success(taskToken=token, output=json.dumps({"move": move}))
            case.notes.append("a second callback with the same token was taken")
        except states.exceptions.TaskTimedOut:
            pass

    return act


def _accept_too_late(lab: Lab, case: Case) -> None:
    """Wait until the silence was recorded, then accept with the API, and with the old token."""
    token = str(case.row["task_token"])
    deadline = time.monotonic() + 60
    while lab.order_row(case.order_id)["status"] != "REJECTED" and time.monotonic() < deadline:
        time.sleep(0.2)
    if lab.turn(case, "accept"):
        case.notes.append("accepting a rejected order was granted")
    states = lab.stack.client("stepfunctions")
    try:
        states.send_task_success(taskToken=token, output=json.dumps({"move": "accept"}))
        case.notes.append("a late callback was taken")
    except states.exceptions.TaskTimedOut:
        pass


def _claim_without_callback(lab: Lab, case: Case) -> None:
    lab.turn(case, "accept")


def _with_the_token_of(victim: str) -> Act:
    """Write another order's token into this order's row, then accept."""

    def act(lab: Lab, case: Case) -> None:
        prefix = case.name.partition("-")[0]
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for other in (found for found in _victims.get(prefix, ()) if found.name.endswith(victim)):
                if token := lab.order_row(other.order_id).get("task_token"):
                    lab.write_order(case.order_id, task_token=str(token))
                    lab.turn(case, "accept")
                    return
            time.sleep(0.05)
        case.notes.append("the other order was never there")

    return act


def know(rows: list[Case]) -> None:
    """Let cases find each other."""
    for case in rows:
        _victims.setdefault(case.name.partition("-")[0], []).append(case)


# --- StopExecution at each state --------------------------------------------------------------------------------------


def _stays(end: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(("before", "during", "after"), (end,))


# Every state of the order workflow that does something, the plan that leads there, and the ends it may come to: stopped
# before the money is taken it failed, after that it was delivered, and an end that was recorded stays.
_STATES: tuple[tuple[str, Plan, str, dict[str, tuple[str, ...]]], ...] = (
    ("AnnouncePlaced", DELIVERED, "pm_card_visa", {}),
    ("AuthorizePayment", DELIVERED, "pm_card_visa", {}),
    ("AwaitRestaurant", DELIVERED, "pm_card_visa", {}),
    ("ClaimSilence", SILENT, "pm_card_visa", {}),
    ("AnnounceAccepted", DELIVERED, "pm_card_visa", {}),
    ("AwaitDispatch", DELIVERED, "pm_card_visa", {}),
    ("AnnounceDispatched", DELIVERED, "pm_card_visa", {}),
    ("AwaitDelivery", DELIVERED, "pm_card_visa", {}),
    (
        "CapturePayment",
        DELIVERED,
        "pm_card_visa",
        {
            "during": (
                "DELIVERED",
                "FAILED",
            ),
            "after": ("DELIVERED",),
        },
    ),
    ("RecordDelivered", DELIVERED, "pm_card_visa", _stays("DELIVERED")),
    ("AnnounceDelivered", DELIVERED, "pm_card_visa", _stays("DELIVERED")),
    ("Close", DELIVERED, "pm_card_visa", _stays("DELIVERED")),
    (
        "RecordDeclined",
        SILENT,
        DECLINED_CARD,
        {
            "during": (
                "DECLINED",
                "FAILED",
            ),
            "after": ("DECLINED",),
        },
    ),
    ("AnnounceDeclined", SILENT, DECLINED_CARD, _stays("DECLINED")),
    ("ReleasePayment", REJECTED, "pm_card_visa", {}),
    (
        "RecordRejected",
        REJECTED,
        "pm_card_visa",
        {
            "during": (
                "REJECTED",
                "FAILED",
            ),
            "after": ("REJECTED",),
        },
    ),
    ("AnnounceRejected", REJECTED, "pm_card_visa", _stays("REJECTED")),
)


def _stops() -> Iterator[Case]:
    for state, plan, method, ends in _STATES:
        for moment in ("before", "during", "after"):
            yield Case(
                f"stop-{state.lower()}-{moment}",
                "StopExecution",
                f"order workflow, {moment} the effect of {state}",
                plan,
                frozenset(ends.get(moment, ("FAILED",))),
                (Fault("state", "stop", {"machine": "*OrderWorkflow*", "state": state, "moment": moment}),),
                method,
            )


# --- Faults that hit everybody, one after the other -------------------------------------------------------------------


_DOWN = "promotions are down for the whole run"


def _promotions_down(lab: Lab, seed: int) -> list[Case]:
    """Promotions fail at every invocation while orders live and die; later they are back."""
    cases = [
        Case(f"{seed}-down-{n}", _DOWN, place, plan, frozenset({end}), customer=f"c-{seed}-down-{n}")
        for n, (place, plan, end) in enumerate(
            [("an order delivered", DELIVERED, "DELIVERED"), ("an order cancelled", CANCELLED, "CANCELLED"),
             ("an order rejected", REJECTED, "REJECTED"), ("an order expired", NEVER_DELIVERED, "EXPIRED")]
        )
    ]  # fmt: skip
    lab.inject([Fault("function", "raise", {"function": "*ConsumerFunction*"}, times=FOR_GOOD)], "promotions-down")
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


def _database_down(lab: Lab, seed: int) -> list[Case]:
    """DynamoDB answers nobody: for ten scaled seconds, and for long enough that workflows and unwinds give up."""
    found = []
    for seconds, words in ((10 / lab.clock, "ten seconds"), (1.5, f"{1.5 * lab.clock / 60:.1f} minutes")):
        ends = frozenset({"DELIVERED", "FAILED"})
        cases = [
            Case(
                f"{seed}-db-{words.replace(' ', '-').replace('.', '-')}-{n}",
                f"DynamoDB is down for {words}",
                f"an order {n * 0.3:.1f} s old",
                DELIVERED,
                ends,
                customer=f"c-{seed}-db-{int(seconds * 1000)}-{n}",
            )
            for n in range(5)
        ]
        outage = _Outage(lab, cases[0].name, seconds, at=1.4)
        lab.run(cases, each=outage)
        outage.end()
        found += cases
    return found


class _Outage:
    """Down from a moment on, for a while."""

    def __init__(self, lab: Lab, name: str, seconds: float, at: float) -> None:
        self._lab, self._name, self._seconds = lab, f"outage-{name}", seconds
        self._from = time.monotonic() + at
        self._begun = self._over = False

    def __call__(self, lab: Lab, case: Case) -> None:
        now = time.monotonic()
        if not self._begun and now >= self._from:
            self._begun = True
            operations = ("PutItem", "GetItem", "UpdateItem", "TransactWriteItems", "Query")
            lab.inject([Fault("api", "refuse", {"operation": o}, times=100_000) for o in operations], self._name)
            time.sleep(self._seconds)
            self.end()

    def end(self) -> None:
        if not self._over:
            self._over = True
            self._lab.lift(self._name)


def _workers_killed(lab: Lab, seed: int) -> list[Case]:
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
        if left and time.monotonic() - last > 1.0:
            last, left = time.monotonic(), left - 1
            lab.kill_workers()

    lab.run(cases, each=kill)
    return cases


PHASES = (_promotions_down, _database_down, _workers_killed)
