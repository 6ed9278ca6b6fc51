"""The laptop builds the application again only if something that it is built of is another than it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from laptop import deployment
from laptop.errors import BuildFailed

Build = Callable[..., list[str]]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds a small tree and says how often `sam build` was called for it, as what it found there."""
    for name, text in {
        "template.yaml": "root",
        "services/orders/template.yaml": "orders",
        "services/orders/orders/api.py": "code",
        "services/orders/orders/__pycache__/api.pyc": "compiled",
        "statemachines/order.asl.json": "{}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(deployment, "ROOT", tmp_path)
    made = list[str]()

    def sam(template: Path, folder: Path, *_: Any) -> None:
        made.append((tmp_path / "services/orders/orders/api.py").read_text())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "template.yaml").write_text(f"Built: !Of {template.read_text()}\n")

    monkeypatch.setattr(deployment, "_build", sam)

    def build(given: str = "Runtime=python3.11", platform: str = "x86_64") -> list[str]:
        made.clear()
        deployment._build_what_changed(
            tmp_path / "template.yaml",
            tmp_path / "sam" / "build",
            [given],
            {"TIFFIN_PLATFORM": platform},
            tmp_path / "log",
        )
        return list(made)

    return build


def test_what_is_as_it_was_is_built_once_and_comes_as_it_was_built(build: Build, tmp_path: Path) -> None:
    assert build() == ["code"]
    built = tmp_path / "sam" / "build" / "template.yaml"
    built.write_text("with its layers in a bucket")
    assert build() == []
    assert json.loads(built.read_text()) == {"Built": {"Fn::Of": "root"}}


@pytest.mark.parametrize("name", ["template.yaml", "services/orders/orders/api.py", "statemachines/order.asl.json"])
def test_a_file_that_changed_is_seen(build: Build, tmp_path: Path, name: str) -> None:
    build()
    (tmp_path / name).write_text("changed")
    assert len(build()) == 1
    assert build() == []


def test_a_file_that_came_or_went_is_seen(build: Build, tmp_path: Path) -> None:
    build()
    new = tmp_path / "services" / "orders" / "orders" / "new.py"
    new.write_text("")
    assert len(build()) == 1
    new.unlink()
    assert len(build()) == 1


def test_what_python_writes_for_itself_is_not(build: Build, tmp_path: Path) -> None:
    build()
    (tmp_path / "services/orders/orders/__pycache__/api.pyc").write_text("compiled anew")
    assert build() == []


def test_other_parameters_and_another_machine_are_seen(build: Build) -> None:
    build()
    assert len(build(given="Runtime=python3.13")) == 1
    assert len(build(given="Runtime=python3.13", platform="aarch64")) == 1


def test_a_build_that_failed_is_made_again(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build()
    (tmp_path / "services/orders/orders/api.py").write_text("broken")
    sam = deployment._build

    def fail(*_: Any) -> None:
        raise BuildFailed("why", "", "")

    monkeypatch.setattr(deployment, "_build", fail)
    with pytest.raises(BuildFailed):
        build()
    (tmp_path / "services/orders/orders/api.py").write_text("code")
    monkeypatch.setattr(deployment, "_build", sam)
    assert build() == ["code"]


def test_what_was_deleted_is_built(build: Build, tmp_path: Path) -> None:
    build()
    for path in (tmp_path / "sam" / "build").iterdir():
        path.unlink()
    assert len(build()) == 1


def test_another_template_is_built_each_time(build: Build, tmp_path: Path) -> None:
    other = tmp_path / "services/orders/template.yaml"
    for _ in range(2):
        deployment._build_what_changed(other, tmp_path / "other" / "build", [], {}, tmp_path / "log")
    assert not (tmp_path / "other" / "built").exists()
