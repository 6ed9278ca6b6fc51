"""What an exercise calls solved, without a stack: a wrong answer is none, and a scene that is gone is set again."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lesson
import pytest
from contracts import schemas
from laptop import NotRunning, Stack
from lessons import exercises, stage
from lessons.exercises import EXERCISES
from lessons.stage import NoScene, Stage
from rich.console import Console

LOST, OTHER = "ord_" + "a" * 26, "ord_" + "b" * 26


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage of lesson 11 that keeps its scene in a folder of its own."""
    monkeypatch.setattr(stage, "STATE_DIR", tmp_path)
    yield Stage(Console(quiet=True), 11)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "Say which it is: make check-lesson N=11 ORDER=ord_…"),
        ("ord_nobody", "ord_nobody is none of the four in .tiffin/lesson-11.orders."),
        (OTHER, f"{OTHER} is CANCELLED: somebody wanted or knew that. It is another one."),
    ],
)
def test_an_order_that_is_not_the_lost_one_is_refused(answer: str, said: str) -> None:
    world: Any = SimpleNamespace(client=SimpleNamespace(order=lambda _: {"status": "CANCELLED"}))
    scene = {"orders": [LOST, OTHER], "lost": LOST, "file": ".tiffin/lesson-11.orders"}
    assert list(EXERCISES[11].missing(world, scene, answer)) == [said]
    assert list(EXERCISES[11].missing(world, scene, LOST)) == []


def test_contracts_as_they_are_stop_nobody() -> None:
    world: Any = SimpleNamespace(console=Console(quiet=True))
    (said,) = EXERCISES[8].missing(world, {}, "")
    assert "nothing is stopped" in said


def test_a_contract_that_is_no_json_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "OrderDelivered.json").write_text('{"required": ["order_id",]}', "utf-8")
    monkeypatch.setattr(schemas, "current", lambda: schemas.Contracts.load(tmp_path))
    world: Any = SimpleNamespace(console=Console(quiet=True))
    (said,) = EXERCISES[8].missing(world, {}, "")
    assert "/OrderDelivered.json is no JSON: " in said


def test_rules_as_they_are_are_no_new_one() -> None:
    world: Any = None
    scene = EXERCISES[17].begin(world)
    assert "welcome_back" in scene["rules"]
    (said,) = EXERCISES[17].missing(world, scene, "")
    assert said == "services/promotions/promotions/rules has no file that it did not have before."


def test_a_workflow_that_is_no_json_is_said_to_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "ROOT", tmp_path)
    monkeypatch.setattr(exercises, "WORKFLOW", tmp_path / "order.asl.json")
    (tmp_path / "order.asl.json").write_text('{"States": {"A": }')
    world: Any = None
    (said,) = EXERCISES[4].missing(world, {"states": []}, "")
    assert said.startswith("order.asl.json is no JSON: ")


def test_a_scene_is_remembered_and_none_was_set_before(somewhere: Stage) -> None:
    with pytest.raises(NoScene, match="make lesson N=11"):
        somewhere.scene()
    somewhere.remember({"lost": LOST}, on_stack=False)
    assert somewhere.scene() == {"lost": LOST}


def test_a_scene_goes_with_its_stack(somewhere: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def attach(pool: str) -> Any:
        return SimpleNamespace(outputs={"UserPoolId": pool}, people=SimpleNamespace(close=lambda: None))

    monkeypatch.setattr(Stack, "attach", lambda: attach("first"))
    somewhere.remember({"lost": LOST}, on_stack=True)
    assert somewhere.scene() == {"lost": LOST}
    monkeypatch.setattr(Stack, "attach", lambda: attach("second"))
    with pytest.raises(NoScene, match="went with the stack"):
        Stage(Console(quiet=True), 11).scene()

    def nobody() -> Any:
        raise NotRunning

    monkeypatch.setattr(Stack, "attach", nobody)
    with pytest.raises(NoScene, match="went with the stack"):
        Stage(Console(quiet=True), 11).scene()


def test_lessons_are_listed_with_their_exercises(capsys: pytest.CaptureFixture[str]) -> None:
    assert lesson.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 17
    assert {int(line[:2]) for line in lines if "make lesson N=" in line} == EXERCISES.keys()


def test_a_lesson_without_an_exercise_is_to_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert lesson.main(["begin", "3"]) == 0
    assert "docs/tour/03-what-choreography-hides.md" in capsys.readouterr().out
    assert lesson.main(["check", "3"]) == 1
