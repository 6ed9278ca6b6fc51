"""Payments: its function fails, its writes are interrupted, its gateway misbehaves."""

from collections.abc import Iterator

from ..cases import (
    CANCELLED,
    DECLINED_CARD,
    DELIVERED,
    FOR_GOOD,
    LEDGER,
    PAYMENTS,
    PAYMENTS_TABLE,
    SILENT,
    Case,
    Fault,
    Plan,
)

# --- A function fails -------------------------------------------------------------------------------------------------

# Each operation of payments: the people's plan that leads there, and how the order ends without a fault.
_OPERATIONS: dict[str, tuple[Plan, str]] = {
    "authorize": (DELIVERED, "DELIVERED"),
    "capture": (DELIVERED, "DELIVERED"),
    "release": (CANCELLED, "CANCELLED"),
}


def functions() -> Iterator[Case]:
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


def payment_writes() -> Iterator[Case]:
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


def gateway() -> Iterator[Case]:
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
        frozenset({"FAILED"}),
        (
            Fault("state", "stop", {"state": "AuthorizePayment", "moment": "during"}),
            # Longer than a release takes that has to wait for a new worker: it is to come first.
            Fault("function", "delay", {"function": PAYMENTS, "operation": "authorize"}, seconds=6.0),
        ),
    )
