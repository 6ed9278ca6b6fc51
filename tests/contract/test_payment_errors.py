"""What payments say to be permanent, the workflows do not ask for again; what is transient, they do."""

import json
import re
from typing import Any

import pytest
from worlds import ROOT

CONTRACT = json.loads((ROOT / "events" / "commands" / "payments.json").read_text("utf-8"))["$defs"]
TRANSIENT, PERMANENT = (CONTRACT[kind]["enum"] for kind in ("transient_error", "permanent_error"))
PAGE = (ROOT / "docs" / "payments.md").read_text("utf-8")


def calls() -> dict[str, dict[str, Any]]:
    """The states that call payments, by workflow and name."""
    return {
        f"{name} {state}": definition
        for name in ("order", "unwind")
        for state, definition in json.loads((ROOT / "statemachines" / f"{name}.asl.json").read_text("utf-8"))[
            "States"
        ].items()
        if "PaymentsFunctionArn" in json.dumps(definition)
    }


def test_payments_are_called_from_four_states() -> None:
    assert set(calls()) == {
        "order AuthorizePayment",
        "order CapturePayment",
        "order ReleasePayment",
        "unwind ReleasePayment",
    }


@pytest.mark.parametrize("state", sorted(calls()))
def test_a_permanent_error_is_tried_once_and_any_other_again(state: str) -> None:
    # The first retrier that matches decides (Step Functions developer guide, "Handling errors").
    permanent, others = calls()[state]["Retry"]
    assert (permanent["ErrorEquals"], permanent["MaxAttempts"]) == (PERMANENT, 0)
    assert others["ErrorEquals"] == ["States.ALL"]
    assert others["MaxAttempts"] >= 6


def test_a_permanent_error_fails_the_workflow_which_pages() -> None:
    assert all("Catch" not in state for state in calls().values())


def test_the_page_says_of_each_error_whether_it_is_tried_again() -> None:
    said = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE))
    assert {error: said[error] for error in TRANSIENT} == dict.fromkeys(TRANSIENT, "yes")
    assert [error for error in PERMANENT if not re.match(r"not?\b", said[error])] == []
