"""A build makes the same bytes twice: what a tool or an editor leaves in the tree is not deployed, nor where it lay."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cfnlint.decode.cfn_yaml import load
from laptop.environment import Access, sam_environment
from worlds import ROOT

pytestmark = pytest.mark.laptop("own")
PARTS = ("template.yaml", "services", "statemachines", "events")
LEAVE = shutil.ignore_patterns("__pycache__", ".aws-sam", ".*.swp")
ALL = ("ParameterKey=Kitchens,ParameterValue=true", "ParameterKey=Estimates,ParameterValue=true")
# Of another Python, and of this one that is not what its module says: neither may be taken for a module's bytecode.
DROPPINGS = {
    "__pycache__/__init__.cpython-310.pyc": b"of another Python",
    f"__pycache__/left.cpython-{sys.version_info.major}{sys.version_info.minor}.pyc": b"of a module that is gone",
    ".api.py.swp": b"an editor is open",
    "api.py~": b"an editor was open",
    "#api.py#": b"an editor died",
    ".DS_Store": b"a Mac was here",
    ".pytest_cache/README.md": b"a test ran here",
}


def environment(state_dir: Path, **more: str) -> dict[str, str]:
    """Of a build that nobody deploys, which keeps nothing for the next one."""
    known = sam_environment(Access.new(1), state_dir)
    return {name: value for name, value in known.items() if name != "TIFFIN_LAYER_CACHE"} | more


def tree(folder: Path, *, dirty: bool) -> Path:
    """A copy of what is built, as it is in git or as people leave it after a day's work."""
    folder.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=LEAVE)
        else:
            shutil.copy2(ROOT / part, folder / part)
    if dirty:
        for package in packages(folder):
            for name, content in DROPPINGS.items():
                (package / name).parent.mkdir(exist_ok=True)
                (package / name).write_bytes(content)
        for path in folder.rglob("*"):
            os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


def packages(folder: Path) -> list[Path]:
    """Where modules are that are deployed."""
    return [path.parent for path in sorted(folder.glob("services/*/*/__init__.py"))]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, as it is zipped: its name and its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@pytest.mark.parametrize("layer", ["RuntimeLayer", "StripeLayer"])
def test_a_layer_is_the_same_from_another_folder_and_from_a_tree_in_which_somebody_works(
    layer: str, tmp_path: Path
) -> None:
    made: list[dict[str, bytes]] = []
    for folder, dirty in (("clean", False), ("some/where/else/and/dirty", True)):
        sources = tree(tmp_path / folder, dirty=dirty)
        to = tmp_path / f"made-{len(made)}" / layer
        to.mkdir(parents=True)
        command = ["make", "--no-print-directory", f"build-{layer}", f"ARTIFACTS_DIR={to}"]
        done = subprocess.run(
            command, cwd=sources / "services" / "shared", env=environment(tmp_path), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        made.append(contents(to))
    assert len(made[0]) > 100
    assert differences(*made) == []


def functions(template: Path) -> Iterator[tuple[str, Path]]:
    """What `sam deploy` would zip of each function, by its name."""
    for name, resource in load(str(template))["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Application":
            for inner, code in functions(template.parent / str(resource["Properties"]["Location"])):
                yield f"{name}/{inner}", code
        elif resource["Type"] == "AWS::Serverless::Function":
            yield str(name), (template.parent / str(resource["Properties"]["CodeUri"])).resolve()


def test_functions_are_the_same_from_another_folder_and_from_a_tree_in_which_somebody_works(tmp_path: Path) -> None:
    made = []
    for folder, dirty in (("clean", False), ("some/where/else/and/dirty", True)):
        sources = tree(tmp_path / folder, dirty=dirty)
        # What layers hold is the other test's: here they are built once, and kept.
        env = environment(tmp_path, TIFFIN_LAYER_CACHE=str(tmp_path / "packages"))
        to = sources / ".tiffin" / "build"
        command = [sys.executable, "-m", "samcli", "build", "--config-env", "none", "--template-file", "template.yaml"]
        done = subprocess.run(
            [*command, "--build-dir", str(to), "--parameter-overrides", *ALL], cwd=sources, env=env,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        made.append({name: contents(code) for name, code in functions(to / "template.yaml")})
    clean, worked_in = made
    assert len(clean) >= 15
    assert {name: found for name in clean if (found := differences(clean[name], worked_in[name]))} == {}
