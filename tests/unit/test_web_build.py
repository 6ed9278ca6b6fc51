"""When `make up` builds the console, and what becomes of it where it cannot."""

from pathlib import Path

import pytest
from laptop import web
from worlds import ROOT


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A console's folder, with what nobody can build."""
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "dist").mkdir()
    (folder / "src" / "main.tsx").write_text("one")
    (folder / "package.json").write_text("{}")
    (folder / "package-lock.json").write_text("no lock")
    elsewhere = [tmp_path / path.relative_to(ROOT) for path in web.ELSEWHERE]
    for path in elsewhere:
        path.mkdir(parents=True)
    monkeypatch.setattr(web, "ROOT", tmp_path)
    monkeypatch.setattr(web, "FOLDER", folder)
    monkeypatch.setattr(web, "ELSEWHERE", elsewhere)
    monkeypatch.setattr(web, "BUILT", folder / "dist" / ".built")
    return folder


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been run."""
    ran: list[str] = []
    monkeypatch.setattr(web, "_run", lambda command, log, failure: ran.append(command[0]))
    return ran


def build(folder: Path) -> None:
    (folder / "node_modules").mkdir(exist_ok=True)
    (folder / "node_modules" / ".package-lock.json").touch()
    web.build(folder.parent / "state")


def test_it_is_built_once_and_again_when_a_source_changed(sources: Path, commands: list[str]) -> None:
    assert web.changed()
    build(sources)
    assert not web.changed()
    build(sources)
    assert commands == ["node"]
    (sources / "src" / "main.tsx").write_text("two")
    assert web.changed()
    build(sources)
    assert commands == ["node", "node"]


@pytest.mark.parametrize("path", ["statemachines/order.asl.json", "events/messages/Changed.json"])
def test_what_it_is_built_of_besides_is_a_source_too(sources: Path, commands: list[str], path: str) -> None:
    build(sources)
    (sources.parent / path).write_text("{}")
    assert web.changed()


def test_packages_are_fetched_where_the_lock_is_newer(sources: Path, commands: list[str]) -> None:
    build(sources)
    assert commands == ["node"]
    (sources / "src" / "main.tsx").write_text("two")
    (sources / "node_modules" / ".package-lock.json").unlink()
    (sources / "node_modules").rmdir()
    with pytest.raises(FileNotFoundError):  # npm would have made it
        web.build(sources.parent / "state")
    assert commands == ["node", "npm"]


def test_where_npm_cannot_fetch_it_says_so_and_what_was_built_stays(sources: Path) -> None:
    (sources / "dist" / "index.html").write_text("the page of before")
    with pytest.raises(web.NotBuilt, match="npm could not fetch its packages"):
        web.build(sources.parent / "state")
    assert web.changed()
    assert (sources / "dist" / "index.html").read_text() == "the page of before"
