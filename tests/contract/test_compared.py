"""What any page says of the ways that are compared is what is counted of them, and what they are made of."""

import json
import re
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from choreographed.rows import ASK_AGAIN
from contracts.made import stale
from durable.steps import patient
from lab import columns, comparing
from lab.ways import CHOREOGRAPHED, DURABLE, ORCHESTRATED, Part
from orders.store import FIRST_LOOK
from worlds import ROOT

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
PLACES = {way: NUMBERS[len(way.places)] for way in (ORCHESTRATED, CHOREOGRAPHED, DURABLE)}
FIVE = 5


def text(path: str) -> str:
    """A page in one line."""
    return re.sub(r"\s+", " ", (ROOT / path).read_text("utf-8"))


def properties(resource: str, template: str = "examples/choreographed/template.yaml") -> dict[str, Any]:
    """Those of a resource."""
    return dict(load(str(ROOT / template))["Resources"][resource]["Properties"])


def test_what_can_be_counted_is_on_the_page_as_it_is_counted_now() -> None:
    assert not stale(columns.files()), "run .venv/bin/python scripts/render_compare.py"


def test_pages_that_count_places_count_those_of_the_templates() -> None:
    assert f"may be in {PLACES[CHOREOGRAPHED]} places" in text("examples/choreographed/README.md")
    lesson = text("docs/tour/03-what-choreography-hides.md")
    assert f"[{PLACES[CHOREOGRAPHED]} places](../compare.md) in which an order may be" in lesson
    assert f"where the workflow has {PLACES[ORCHESTRATED]}," in lesson


def test_the_durable_example_counts_its_lines_as_they_are_counted() -> None:
    said = text("examples/durable/README.md")
    lives = [len(way.life[0].lines()) for way in (DURABLE, ORCHESTRATED)]
    assert "The life is {} lines of Python where the state machine has {} lines of JSON".format(*lives) in said
    lower = ("steps", "records", "payments", "announcements")
    lines = sum(len(Part(f"examples/durable/durable/{name}.py").lines()) for name in lower)
    assert f"are {lines} lines of Python here" in said
    assert DURABLE.change is not None
    assert f"{sum(comparing.touched(DURABLE.change).values())} lines in [a patch]" in said


def test_an_engine_keeps_a_history_for_as_long_as_is_said() -> None:
    days = properties("OrderFunction", "examples/durable/template.yaml")["DurableConfig"]["RetentionPeriodInDays"]
    assert f"for {days} days by its template" in DURABLE.history
    logs = load(str(CHOREOGRAPHED.template))["Parameters"]["LogRetentionDays"]["Default"]
    assert f"log lines for {logs} days" in CHOREOGRAPHED.history
    for queue in ("AsksQueue", "HearsQueue"):
        assert properties(queue)["MessageRetentionPeriod"] == 7 * 86400
    assert CHOREOGRAPHED.limits.endswith("7 here")


def test_a_workflow_tries_five_times_more_within_what_is_said() -> None:
    states = json.loads((ROOT / "statemachines/order.asl.json").read_text("utf-8"))["States"]
    (retrier,) = (one for one in states["AuthorizePayment"]["Retry"] if one["ErrorEquals"] == ["States.ALL"])
    # A `BackoffRate` of 2, as none is given (Step Functions developer guide, "Error handling").
    pauses = [min(retrier["IntervalSeconds"] * 2**n, retrier["MaxDelaySeconds"]) for n in range(FIVE)]
    assert retrier["MaxAttempts"] >= FIVE
    assert sum(pauses) == ORCHESTRATED.at_most


def test_a_durable_step_tries_five_times_more_within_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    decided = [patient(9)(OSError(), made) for made in range(1, FIVE + 1)]
    assert all(one.should_retry for one in decided)
    assert sum(one.delay.to_seconds() for one in decided) == DURABLE.at_most


def attempts(visible_again: float, first: float, between: float) -> Iterator[float]:
    """Seconds at which payments are asked: by the first message, and by one more at each look, until they answer."""
    begun = [0.0, *islice(count(first, between), FIVE)]
    return iter(sorted(at + visible_again * n for at in begun for n in range(FIVE)))


def test_the_choreography_asks_for_the_sixth_time_when_it_is_said_to() -> None:
    looks = FIRST_LOOK.total_seconds(), ASK_AGAIN.total_seconds()
    assert looks == CHOREOGRAPHED.looks
    asked = list(attempts(properties("AsksQueue")["VisibilityTimeout"], *looks))
    assert asked[FIVE] == CHOREOGRAPHED.at_most
    # By then no message was received as often as makes it a dead letter.
    assert properties("AsksQueue")["RedrivePolicy"]["maxReceiveCount"] * 240 > CHOREOGRAPHED.at_most
