"""Orders: the API between its writes, the workflows and their table, callbacks, and StopExecution in each state."""

import json
import time
from collections.abc import Iterator
from typing import Any

from laptop.pace import Deadline

from ..cases import (
    CANCELLED,
    DECLINED_CARD,
    DELIVERED,
    MACHINES,
    ORDERS_TABLE,
    REJECTED,
    SILENT,
    Act,
    Case,
    ExperimentFailed,
    Fault,
    Granted,
    Plan,
)
from ..lab import Lab
from ..walks import ORDER, UNWIND, definition

# --- The API's function, between its writes ---


def api() -> Iterator[Case]:
    for name, words, operation, table, skip in (
        ("place", "POST /orders: the order", "TransactWriteItems", ORDERS_TABLE, 0),
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


# --- DynamoDB, as the workflows meet it -------------------------------------------------------------------------------

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
_DEFINITIONS = {"OrderWorkflow": ORDER, "UnwindWorkflow": UNWIND}
# What an order becomes that cannot record where it is for good: it dies there, and past the capture it was delivered.
_DIES_AS = {"ClaimSilence": "FAILED", "AwaitRestaurant": "FAILED", "AwaitDispatch": "FAILED", "AwaitDelivery": "FAILED"}


def database() -> Iterator[Case]:
    for machine, state, plan, method, end in _RECORDING:
        retries = definition(_DEFINITIONS[machine])["States"][state]["Retry"]
        gives_up = next(each["MaxAttempts"] for each in retries if "States.TaskFailed" in each["ErrorEquals"]) + 1
        for name, words, action, times, error in (
            ("throttle", "DynamoDB throttles, three times", "refuse", 3, "ProvisionedThroughputExceededException"),
            ("conflict", "DynamoDB is in a transaction conflict", "refuse", 1, "TransactionConflictException"),
            ("lose", "DynamoDB does it, and answers 500", "lose", 1, "InternalServerError"),
            ("down", "DynamoDB refuses until the workflow gives up", "refuse", gives_up, "InternalServerError"),
        ):
            dies = {_DIES_AS.get(state, end)} if name == "down" else {end}
            # The workflow dies with its answer unrecorded, and the unwind knows nothing of it.
            if name == "down" and state in ("RecordDeclined", "RecordRejected"):
                dies = {"FAILED", end}
            yield Case(
                f"db-{state.lower()}-{name}-{machine[0].lower()}",
                words,
                f"{MACHINES[machine]}, {state}",
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


# --- Callbacks --------------------------------------------------------------------------------------------------------


def callbacks() -> Iterator[Case]:
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
        lab.move(case, move)
        states = lab.stack.client("stepfunctions")
        try:
            states.send_task_success(taskToken=token, output=json.dumps({"move": move}))
            case.notes.append(Granted("a second callback with the same token was taken"))
        except states.exceptions.TaskTimedOut:
            pass

    return act


def _accept_too_late(lab: Lab, case: Case) -> None:
    """Wait until the silence was recorded, then accept with the API, and with the old token."""
    token = str(case.row["task_token"])
    deadline = Deadline(60)
    while lab.order_row(case.order_id)["status"] != "REJECTED" and not deadline.passed():
        time.sleep(0.2)
    if lab.move(case, "accept"):
        case.notes.append(Granted("accepting a rejected order was granted"))
    states = lab.stack.client("stepfunctions")
    try:
        states.send_task_success(taskToken=token, output=json.dumps({"move": "accept"}))
        case.notes.append(Granted("a late callback was taken"))
    except states.exceptions.TaskTimedOut:
        pass


def _claim_without_callback(lab: Lab, case: Case) -> None:
    lab.move(case, "accept")


def _with_the_token_of(victim: str) -> Act:
    """Write another order's token into this order's row, then accept."""

    def act(lab: Lab, case: Case) -> None:
        prefix = case.name.partition("-")[0]
        deadline = Deadline(30)
        while not deadline.passed():
            for other in (found for found in _victims.get(prefix, ()) if found.name.endswith(victim)):
                if token := lab.order_row(other.order_id).get("task_token"):
                    lab.write_order(case.order_id, task_token=str(token))
                    lab.move(case, "accept")
                    return
            time.sleep(0.05)
        case.notes.append(ExperimentFailed("the other order was never there"))

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


def stops() -> Iterator[Case]:
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
