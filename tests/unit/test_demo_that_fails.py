"""A story of `make demo` that goes wrong says which command explains it, whatever went wrong."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import demo
import httpx
import pytest
from botocore.exceptions import EndpointConnectionError
from laptop import Stack, stories
from laptop.client import Refused
from laptop.clock import Clock
from laptop.errors import EventNotSeen, StartFailed
from payments.sandbox import Balance

PLACED: dict[str, Any] = {
    "order_id": "ord_stuck",
    "status": "PLACED",
    "timeline": [],
    "total": {"amount": 2150, "currency": "EUR"},
    "restaurant_name": "Bella Napoli",
    "reason": None,
}
REASON = {"code": "card_declined", "network": "visa", "summary": "visa: stolen", "message": "No."}
DECLINED = {**PLACED, "status": "DECLINED", "reason": REASON, "payment": {"status": "DECLINED"}}


class World(SimpleNamespace):
    """What a story meets: APIs, bus and books. By itself all goes well with a declined card, the one story told here.

    Attributes:
        answers: what is answered instead, or raised, by the name of what is asked.
        events: what the bus has carried.
        story: the one.
    """

    def place(self, **_: Any) -> Any:
        return self.answer("place", PLACED)

    def order(self, _: str) -> Any:
        return self.answer("order", DECLINED)

    def wait_for_event(self, *_: Any) -> Any:
        return self.answer("wait_for_event", {})

    def balance(self, _: str) -> Any:
        return self.answer("balance", Balance(held=0, captured=0, voided=0))

    def answer(self, call: str, usual: Any) -> Any:
        given = self.answers.get(call, usual)
        if isinstance(given, Exception):
            raise given
        return given


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(answers={}, events=[])
    stack = SimpleNamespace(outputs={}, people=None, keep_pace=lambda: Clock(216, 2.5), tap=lambda: world)
    provider = SimpleNamespace(parameters={}, declined_method="pm_card_declined", books=lambda _: world)
    [declined] = [story for story in stories.STORIES if story.declined]
    world.story = replace(declined, order={}, seen=[], taken=set(), announces=set())
    monkeypatch.setattr(demo, "STORIES", [world.story] * 2)
    monkeypatch.setattr(demo, "Client", lambda *_: world)
    monkeypatch.setattr(demo, "provider", lambda _: nullcontext(provider))
    monkeypatch.setattr(Stack, "up", lambda *_, **__: nullcontext(stack))
    # What does not come at once never comes here.
    monkeypatch.setattr(stories, "PATIENCE", 0.0)
    monkeypatch.setattr(stories, "THREE_HOURS", 0.0)
    return world


def test_a_demo_that_goes_well_says_how_time_passes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main([]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Workflows live 216 times as fast here: 3 hours pass in 50 s, as this machine is 2.5 times as slow" in said


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ({"order": PLACED}, "it is PLACED and goes no further"),
        ({"order": {**DECLINED, "status": "FAILED"}}, "it ended FAILED, not DECLINED"),
        ({"order": Refused(503, {"type": "unavailable", "detail": "later"})}, "503 unavailable: later"),
        ({"order": httpx.ReadTimeout("timed out")}, "timed out"),
        ({"order": httpx.ReadError("")}, "ReadError"),
        ({"wait_for_event": EventNotSeen(60, ["OrderPlaced"])}, "Seen on the bus: OrderPlaced"),
        ({"balance": EndpointConnectionError(endpoint_url="http://127.0.0.1:1")}, "Could not connect"),
        ({"balance": Balance(held=2150, captured=0, voided=0)}, "the gateway's books say"),
    ],
)
def test_a_story_that_goes_wrong_says_what_explains_it(
    world: World, capsys: pytest.CaptureFixture[str], failing: dict[str, Any], said: str
) -> None:
    world.answers = failing
    world.story.announces = {"OrderPlaced"} if "wait_for_event" in failing else set()

    assert demo.main([]) == 1

    printed = capsys.readouterr().out
    assert said in printed
    assert "make trace ORDER=ord_stuck" in printed


def test_an_order_that_was_never_placed_has_nothing_to_trace(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.answers = {"place": httpx.ConnectError("refused")}

    assert demo.main([]) == 1

    printed = capsys.readouterr().out
    assert "refused" in printed
    assert "make trace" not in printed


def test_a_stack_that_does_not_start_says_why(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise StartFailed("The function Api does not start: no module named x")

    monkeypatch.setattr(Stack, "up", fails)

    assert demo.main([]) == 1
    assert "no module named x" in capsys.readouterr().out
